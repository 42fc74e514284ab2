"""`llama-mapper schemas`: the contracts as JSON Schema files, their versions, and whom a change breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.printing import print_table

app = typer.Typer(name="schemas", help="The contracts as JSON Schema files, and their versions.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option(help="Where a checkout keeps the committed schemas.")]
_COMMITTED = Path("domain/contracts/schemas")


@app.command("export")
def export(folder: Annotated[Path, typer.Argument(help="Folder to write to; made if it is missing.")]) -> None:
    """Write one JSON Schema (draft 2020-12) a published request, response and evidence envelope."""
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.entrypoints.containers.schemas import schema_versions

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in schema_versions().all():
            name = f"{one.model}.{one.version.major}.schema.json"
            (folder / name).write_text(json.dumps(one.schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            typer.echo(name)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from error


@app.command("list")
def list_versions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Every schema that is served, and its versions."""
    from llama_mapper.domain.contracts.evolution.changes import Side
    from llama_mapper.entrypoints.containers.schemas import schema_versions

    served = schema_versions().all()
    if as_json:
        typer.echo(json.dumps([{"id": one.schema["$id"], "model": one.model, "side": one.side} for one in served]))
        return
    print_table(
        ("schema", "version", "must not break"),
        [
            (one.model, str(one.version), "those who write it" if one.side is Side.READER else "those who read it")
            for one in served
        ],
    )


@app.command("check")
def check(folder: Folder = _COMMITTED) -> None:
    """Say how the code's schemas stand to the committed ones; the exit status is 1 if something has to be committed."""
    from llama_mapper.domain.contracts.evolution.versions import State
    from llama_mapper.entrypoints.containers.schemas import checked, standings

    due = [each for each in standings(folder) if each.state is not State.SAME]
    for each in due:
        typer.echo(f"{each.model}: {each.state.value}, due is {each.due.version}")
        for change in each.comparison.changes:
            typer.echo(f"  {change}")
        for side in each.comparison.compatible if each.state in (State.MINOR, State.MAJOR) else ():
            typer.echo(f"  compatible for the {side.value}")
        if each.plan is not None:
            typer.echo("  " + json.dumps(each.plan.as_document()))
    checked(folder)
    if due:
        typer.echo("commit them: llama-mapper schemas publish")
        raise typer.Exit(1)
    typer.echo("every published schema is committed")


@app.command("publish")
def publish(folder: Folder = _COMMITTED) -> None:
    """Write what is due into the checkout: schemas in their new version, and plans for a person to complete."""
    from llama_mapper.entrypoints.containers.schemas import commit

    for path in commit(folder):
        typer.echo(path)
