"""`llama-mapper catalogue`: the shipped taxonomy, vocabularies and crosswalk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir

app = typer.Typer(help="The taxonomy, the vendors' vocabularies and the crosswalk to framework controls.")


@app.callback()
def _group() -> None:
    """The catalogue's commands."""


@app.command()
def validate() -> None:
    """Check that the catalogue does not contradict itself; exit status 1 if it does."""
    from llama_mapper.entrypoints.containers.commands import catalogue_findings

    problems, counts = catalogue_findings()
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
    typer.echo("the catalogue is consistent" if not problems else f"{len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


@app.command()
def calibrate(
    output: Annotated[Path, typer.Option(help="File to write; an installation uses it by mapping_calibration.")],
    seed: Annotated[int, typer.Option(help="Of the drawn labels and the folds; the same gives the same file.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """Learn anew how far to trust the stages after the catalogue, from families of vendors held out in turn.

    Takes the stages that can run here: `lexical`, and `embedding` where the weights of its model are.
    """
    import asyncio

    from llama_mapper.entrypoints.containers.calibration import calibrate_stages
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir)
    calibration = asyncio.run(calibrate_stages(settings, output, seed))
    for combination in calibration.combinations:
        typer.echo(" + ".join(combination.stages))
    typer.echo(f"wrote {output}, version {calibration.version}")
