"""`llama-mapper vocabularies`: what vendors' labels mean to a tenant."""

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
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.own_catalogue import OwnVocabulary
    from llama_mapper.entrypoints.containers.curation import Curation

app = typer.Typer(help="A tenant's own vocabularies, which stand over the shipped ones.")

Vendor = Annotated[str, typer.Argument(help="The vendor, as findings name it.")]


@app.callback()
def _group() -> None:
    """The commands about vocabularies."""


@app.command("list")
def list_vocabularies(tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the tenant's vocabularies."""
    listed = run(lambda curation: curation.desks.vocabularies.list(owner(tenant)), None, data_dir)
    if as_json:
        typer.echo(listed.model_dump_json())
        return
    rows = (
        (each.vendor, str(each.version.number), str(each.labels), str(len(each.overrides)), each.version.who)
        for each in listed.items
    )
    print_table(("vendor", "version", "labels", "over ours", "who"), rows)


@app.command()
def put(
    vendor: Vendor,
    file: Annotated[Path, typer.Argument(help="YAML or JSON in the shape of a shipped vocabulary.")],
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make FILE the vendor's vocabulary, in running servers within two seconds."""
    from llama_mapper.domain.contracts.own_catalogue import VocabularyUpload

    upload = file_as(VocabularyUpload, file)

    async def use(curation: Curation) -> OwnVocabulary:
        return await curation.desks.vocabularies.put(
            owner(tenant), vendor, upload, curation.curator, expected=expected, note=note
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def show(
    vendor: Vendor,
    version: Annotated[int | None, typer.Option(min=1, help="A version; default: the newest.")] = None,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show a vocabulary, as JSON that `put` takes again unless --json asks for all."""
    found = run(lambda curation: curation.desks.vocabularies.get(owner(tenant), vendor, version), None, data_dir)
    if as_json or found.document is None:
        _tell(found, as_json)
    else:
        typer.echo(found.document.model_dump_json(indent=2, exclude_defaults=True))


@app.command()
def remove(
    vendor: Vendor,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a vocabulary away; its versions stay."""

    async def use(curation: Curation) -> OwnVocabulary:
        return await curation.desks.vocabularies.remove(owner(tenant), vendor, curation.curator, expected=expected)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def rollback(
    vendor: Vendor,
    to: To,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make the content of an earlier version stand again, as a new version."""

    async def use(curation: Curation) -> OwnVocabulary:
        return await curation.desks.vocabularies.rollback(
            owner(tenant), vendor, to, curation.curator, expected=expected
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def history(vendor: Vendor, tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List a vocabulary's versions."""
    tell_history(
        run(lambda curation: curation.desks.vocabularies.history(owner(tenant), vendor), None, data_dir), as_json
    )


@app.command()
def diff(
    vendor: Vendor,
    before: Before,
    after: After,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print how two versions differ."""
    found = run(
        lambda curation: curation.desks.vocabularies.difference(owner(tenant), vendor, before, after), None, data_dir
    )
    tell_difference(found, as_json)


def _tell(vocabulary: OwnVocabulary, as_json: bool) -> None:
    if as_json:
        typer.echo(vocabulary.model_dump_json())
        return
    version = vocabulary.version
    print_lines(f"{vocabulary.vendor} version {version.number} {version.step}: {vocabulary.labels} labels")
    for override in vocabulary.overrides:
        print_lines(f"over ours: {override}")
