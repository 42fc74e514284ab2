"""`make bench`: every figure of the README and of the budgets, with its floor."""

from __future__ import annotations

import argparse

import uvloop

from bench import chain, detectors, guards, label_files, labels, mixed_labels, orchestration, server, startup, triton

_PARTS = {
    "startup": startup.run,
    "chain": chain.run,
    "labels": labels.run,
    "mixed_labels": mixed_labels.run,
    "label_files": label_files.run,
    "detectors": detectors.run,
    "guards": guards.run,
    "orchestration": orchestration.run,
    "server": server.run,
    "triton": triton.run,
}


def main() -> None:
    """Run the parts that are asked for; all by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*_PARTS, []], help="what to measure; default: all")
    for part in parser.parse_args().part or _PARTS:
        print(f"\n{part}", flush=True)
        uvloop.run(_PARTS[part]())  # the loop that the server runs on, for the load client too


if __name__ == "__main__":
    main()
