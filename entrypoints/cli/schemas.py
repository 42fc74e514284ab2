"""`llama-mapper schemas`: the contracts as JSON Schema files, their versions, and whom a change breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_table
from llama_mapper.entrypoints.cli.releases import Json, NoteText, Person, given, run

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.releases import Release
    from llama_mapper.entrypoints.containers.open_releases import OpenReleases

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


@app.command("defaults")
def list_defaults(
    tenant: Annotated[str, typer.Option(help="Whose traffic.")] = LOCAL_TENANT,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """What share of a tenant's callers gets which version, of those who name none."""
    found = run(lambda opened: _shares(opened, tenant), None, data_dir)
    if as_json:
        typer.echo(json.dumps(found))
        return
    print_table(
        ("schema", "version", "share", "release"),
        [(one["model"], str(one["major"]), f"{one['percent']:g} %", one["release"] or "") for one in found],
    )


@app.command()
def deploy(
    model: Annotated[str, typer.Argument(help="The schema, such as MappingResponse.")],
    major: Annotated[int, typer.Argument(min=1, max=9999, help="The major version.")],
    stages: Annotated[list[float] | None, typer.Option("--stage", help="A share in percent; may be repeated.")] = None,
    min_requests: Annotated[int, typer.Option(min=1, help="Requests before the next stage.")] = 200,
    min_seconds: Annotated[float, typer.Option(min=0.0, help="Seconds before the next stage.")] = 600.0,
    by_hand: Annotated[bool, typer.Option("--by-hand", help="Do not advance by itself.")] = False,
    tenants: Annotated[list[str] | None, typer.Option("--tenant", help="Only this tenant; may be repeated.")] = None,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make a version the one that callers get who name none: for 5, 25, 50 and 100 % of them, behind gates.

    What follows is a release: `llama-mapper releases show`, `hold`, `advance`, `rollback`. The last stage is 100 in any
    case.
    """
    from llama_mapper.domain.contracts.schema_defaults import SchemaDeployment
    from llama_mapper.domain.kernel.errors import NotFoundError
    from llama_mapper.domain.mapping.releases.schemas import canary_of

    document: dict[str, Any] = {
        "min_requests": min_requests,
        "min_seconds": min_seconds,
        "automatic": not by_hand,
        "tenants": tenants or [],
        "note": note,
    }
    if stages:
        document["stages"] = sorted({*stages, 100.0})
    asked = given(SchemaDeployment, document)

    async def start(found: OpenReleases) -> Release:
        if model not in found.schemas.newest:
            raise NotFoundError(f"no schema {model} is published")
        return await found.releases.start(canary_of(model, major, found.schemas.in_force(model), asked), found.actor)

    release = run(start, person, data_dir)
    typer.echo(release.model_dump_json() if as_json else f"{release.id}: {release.percent:g} %")


async def _shares(found: OpenReleases, tenant: str) -> list[dict[str, Any]]:
    now = found.schemas
    return [
        {"model": model, "major": major, "percent": percent, "release": now.release_of(model, tenant)}
        for model in sorted(now.newest)
        for major, percent in sorted(now.shares(model, tenant).items())
    ]


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
