"""`llama-mapper catalogue`: the shipped taxonomy, vocabularies and crosswalk."""

from __future__ import annotations

import typer

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
