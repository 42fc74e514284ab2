"""`llama-mapper mapping-settings`: how a tenant's labels are mapped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.curation import (
    After,
    Before,
    Expected,
    Json,
    NoteText,
    Person,
    Tenant,
    To,
    file_as,
    run,
    tell_difference,
    tell_history,
)
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner
from llama_mapper.entrypoints.cli.printing import print_lines

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.mapping_settings import OwnMappingSettings
    from llama_mapper.entrypoints.containers.curation import Curation

app = typer.Typer(help="A tenant's own settings of the mapping: strategy, thresholds, offline, what may be optimised.")


@app.callback()
def _group() -> None:
    """The commands about mapping settings."""


@app.command()
def show(
    version: Annotated[int | None, typer.Option(min=1, help="A version; default: the newest.")] = None,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show the settings, as JSON that `set` takes again unless --json asks for all."""
    found = run(lambda curation: curation.desks.settings.get(owner(tenant), version), None, data_dir)
    if as_json or found.settings is None:
        _tell(found, as_json)
    else:
        typer.echo(found.settings.model_dump_json(indent=2, exclude_defaults=True))


@app.command("set")
def put(
    file: Annotated[
        Path, typer.Argument(help="YAML or JSON: strategy, min_confidence, stage_confidence, offline, optimisation.")
    ],
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Set or replace the settings as a whole; running servers take them within two seconds."""
    from llama_mapper.domain.contracts.mapping_settings import MappingSettings

    settings = file_as(MappingSettings, file)

    async def use(curation: Curation) -> OwnMappingSettings:
        return await curation.desks.settings.put(
            owner(tenant), settings, curation.curator, expected=expected, note=note
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def remove(
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Go back to what the installation says; the versions stay."""

    async def use(curation: Curation) -> OwnMappingSettings:
        return await curation.desks.settings.remove(owner(tenant), curation.curator, expected=expected)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def rollback(
    to: To,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make the content of an earlier version stand again, as a new version."""

    async def use(curation: Curation) -> OwnMappingSettings:
        return await curation.desks.settings.rollback(owner(tenant), to, curation.curator, expected=expected)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def history(tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the versions: who changed the settings, when and why."""
    tell_history(run(lambda curation: curation.desks.settings.history(owner(tenant)), None, data_dir), as_json)


@app.command()
def diff(
    before: Before,
    after: After,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print how two versions differ."""
    found = run(lambda curation: curation.desks.settings.difference(owner(tenant), before, after), None, data_dir)
    tell_difference(found, as_json)


def _tell(own: OwnMappingSettings, as_json: bool) -> None:
    if as_json:
        typer.echo(own.model_dump_json())
    elif own.version is None:
        typer.echo("no settings: everything is as the installation is set")
    else:
        print_lines(f"version {own.version.number} {own.version.step}")
