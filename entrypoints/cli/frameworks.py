"""`llama-mapper frameworks`: the editions that requests may name, and a tenant's own."""

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
    print_error,
    run,
    tell_difference,
    tell_history,
)
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.own_catalogue import OwnFramework
    from llama_mapper.entrypoints.containers.curation import Curation

app = typer.Typer(help="Frameworks: those that are shipped, and those that a tenant uploads.")

Reference = Annotated[str, typer.Argument(metavar="FRAMEWORK:EDITION", help="As in acme_policy:2026.")]
File = Annotated[Path, typer.Argument(help="YAML or JSON: title, applies_when, controls, crosswalk.")]


@app.callback()
def _group() -> None:
    """The commands about frameworks."""


@app.command("list")
def list_frameworks(tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List every edition that the tenant's requests may name."""
    listed = run(lambda curation: curation.mapping.frameworks(owner(tenant)), None, data_dir)
    if as_json:
        typer.echo(listed.model_dump_json())
        return
    rows = ((each.ref, each.kind, "own" if each.own else "shipped", each.title) for each in listed.items)
    print_table(("edition", "kind", "from", "title"), rows)


@app.command()
def add(
    reference: Reference,
    file: File,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Upload an edition, or a new version of one; running servers take it within two seconds."""
    from llama_mapper.domain.contracts.own_catalogue import FrameworkUpload

    framework, edition = _parts(reference)
    upload = file_as(FrameworkUpload, file)

    async def use(curation: Curation) -> OwnFramework:
        return await curation.desks.frameworks.put(
            owner(tenant), framework, edition, upload, curation.curator, expected=expected, note=note
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def validate(reference: Reference, file: File) -> None:
    """Print everything that is wrong with an edition and store nothing; exit status 1 if anything is."""
    from llama_mapper.domain.contracts.own_catalogue import FrameworkUpload
    from llama_mapper.entrypoints.containers.commands import framework_problems

    framework, edition = _parts(reference)
    problems = framework_problems(framework, edition, file_as(FrameworkUpload, file))
    for where, what in problems:
        print_error(f"{where}: {what}")
    typer.echo("the edition may be uploaded" if not problems else f"{len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


@app.command()
def show(
    reference: Reference,
    version: Annotated[int | None, typer.Option(min=1, help="A version; default: the newest.")] = None,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show an edition, as JSON that `add` takes again unless --json asks for all."""
    framework, edition = _parts(reference)
    found = run(
        lambda curation: curation.desks.frameworks.get(owner(tenant), framework, edition, version), None, data_dir
    )
    if as_json or found.document is None:
        _tell(found, as_json)
    else:
        typer.echo(found.document.model_dump_json(indent=2, exclude_defaults=True))


@app.command()
def remove(
    reference: Reference,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Let no further request name an edition; records keep what they say, and its versions stay."""
    framework, edition = _parts(reference)

    async def use(curation: Curation) -> OwnFramework:
        return await curation.desks.frameworks.remove(
            owner(tenant), framework, edition, curation.curator, expected=expected
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def rollback(
    reference: Reference,
    to: To,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make the content of an earlier version stand again, as a new version."""
    framework, edition = _parts(reference)

    async def use(curation: Curation) -> OwnFramework:
        return await curation.desks.frameworks.rollback(
            owner(tenant), framework, edition, to, curation.curator, expected=expected
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def history(reference: Reference, tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List an edition's versions."""
    framework, edition = _parts(reference)
    found = run(lambda curation: curation.desks.frameworks.history(owner(tenant), framework, edition), None, data_dir)
    tell_history(found, as_json)


@app.command()
def diff(
    reference: Reference,
    before: Before,
    after: After,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print how two versions of an edition differ."""
    framework, edition = _parts(reference)
    found = run(
        lambda curation: curation.desks.frameworks.difference(owner(tenant), framework, edition, before, after),
        None,
        data_dir,
    )
    tell_difference(found, as_json)


def _parts(reference: str) -> tuple[str, str]:
    import re

    from llama_mapper.domain.kernel.errors import ValidationError

    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}:[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", reference):
        raise ValidationError("name the edition as FRAMEWORK:EDITION, as in acme_policy:2026")
    framework, _, edition = reference.partition(":")
    return framework, edition


def _tell(framework: OwnFramework, as_json: bool) -> None:
    if as_json:
        typer.echo(framework.model_dump_json())
        return
    version, document = framework.version, framework.document
    held = "" if document is None else f": {len(document.controls)} controls, {len(document.crosswalk)} linked labels"
    print_lines(f"{framework.framework}:{framework.edition} version {version.number} {version.step}{held}")
