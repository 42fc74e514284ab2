"""`make soak`: the server under fire, in the end a table of promises; exit status 1 where one was broken."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bench.soak.figures import Figures, promises
from bench.soak.report import as_json, print_report
from bench.soak.run import Options, soak

_HELP = {
    "requests": "requests under fire",
    "seconds": "after so many seconds the faults end in any case",
    "at_least": "seconds that the faults last, however fast the server is",
    "concurrency": "requests at one time",
    "assessed": "share of requests that go through the whole chain",
    "growth_limit": "share by which memory may grow between the 25 %% mark and the end",
    "seed": "of everything that is drawn at random",
}


def main() -> int:
    """Soak, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    for option in fields(Options):
        name, kind = option.name.replace("_", "-"), type(option.default)
        parser.add_argument(f"--{name}", type=kind, default=option.default, help=_HELP[option.name])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    chosen = vars(parser.parse_args())
    file: Path | None = chosen.pop("json")
    console = Console()
    figures = _watched(Options(**chosen), console)
    judged = list(promises(figures))
    print_report(figures, judged, console)
    if file is not None:
        file.write_text(as_json(figures, judged))
    return 0 if all(promise.kept for promise in judged) else 1


def _watched(options: Options, console: Console) -> Figures:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("starting", total=1.0)
        return soak(options, lambda phase, progress: bar.update(task, description=phase, completed=progress))


if __name__ == "__main__":
    raise SystemExit(main())
