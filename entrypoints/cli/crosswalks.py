"""`llama-mapper crosswalks`: versions of the links from canonical labels to controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.curation import (
    Json,
    NoteText,
    Person,
    Tenant,
    file_as,
    given,
    run,
    tell_difference,
)
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner, signed
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.crosswalks import CrosswalkInfo, CrosswalkList
    from llama_mapper.entrypoints.containers.curation import Curation

app = typer.Typer(help="Versions of the crosswalk: tried on test cases, deployed to a share of the traffic.")

Version = Annotated[str, typer.Argument(help="The version; the shipped one by its number.")]
Everyone = Annotated[bool, typer.Option("--global", help="For all tenants that deploy nothing of their own.")]


@app.callback()
def _group() -> None:
    """The commands about the crosswalk."""


@app.command("list")
def list_crosswalks(
    tenant: Tenant = "local", everyone: Everyone = False, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """List the versions and the share of the traffic that each answers."""
    _tell(run(lambda curation: curation.desks.crosswalks.list(owner(tenant, everyone)), None, data_dir), as_json)


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(help="YAML or JSON: version, crosswalk, cases.")],
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Store a version; its content never changes."""
    from llama_mapper.domain.contracts.crosswalks import CrosswalkUpload

    asked = file_as(CrosswalkUpload, file)

    async def use(curation: Curation) -> CrosswalkInfo:
        return await curation.desks.crosswalks.upload(owner(tenant, everyone), asked, curation.curator)

    stored = run(use, person, data_dir)
    typer.echo(stored.model_dump_json()) if as_json else print_lines(f"{stored.version} {stored.digest}")


@app.command()
def evaluate(
    version: Version,
    framework: Annotated[str | None, typer.Option(help="Only this framework, or FRAMEWORK:EDITION.")] = None,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Try a version on the test cases; exit status 1 if it may not be deployed."""
    found = run(
        lambda curation: curation.desks.crosswalks.accuracy(owner(tenant, everyone), version, framework),
        None,
        data_dir,
    )
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        for failure in found.failures:
            lacks = f" lacks {', '.join(failure.missing)}" if failure.missing else ""
            wrong = f" wrongly has {', '.join(failure.wrong)}" if failure.wrong else ""
            print_lines(f"{failure.label} {failure.edition}{lacks}{wrong}: {failure.why}")
        rows = ((each.edition, str(each.cases), str(each.passed), f"{each.accuracy:.1%}") for each in found.editions)
        print_table(("edition", "cases", "passed", "accuracy"), rows)
        verdict = "may be deployed" if found.passes else f"may not be deployed: each edition needs {found.gate:.0%}"
        print_lines(f"{found.version} passes {found.passed} of {found.cases} and {verdict}")
    raise typer.Exit(0 if found.passes else 1)


@app.command()
def deploy(
    version: Version,
    percent: Annotated[int, typer.Option(min=1, max=100, help="For this share of the traffic.")] = 100,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Let a version answer, if it passes its test cases; running servers follow within two seconds."""
    from llama_mapper.domain.contracts.crosswalks import CrosswalkDeployment

    asked = given(CrosswalkDeployment, percent=percent, note=note)

    async def use(curation: Curation) -> CrosswalkList:
        return await curation.desks.crosswalks.deploy(owner(tenant, everyone), version, asked, curation.curator)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def rollback(
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Return to what was deployed before the last change."""
    from llama_mapper.domain.contracts.crosswalks import CrosswalkRollback

    asked = given(CrosswalkRollback, note=note)

    async def use(curation: Curation) -> CrosswalkList:
        return await curation.desks.crosswalks.rollback(owner(tenant, everyone), asked, curation.curator)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def history(
    tenant: Tenant = "local", everyone: Everyone = False, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Print the changes of what is deployed, newest first."""
    found = run(lambda curation: curation.desks.crosswalks.history(owner(tenant, everyone)), None, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = (
        (
            str(each.number),
            each.at.isoformat(timespec="seconds"),
            each.step,
            each.version or "(shipped)",
            "" if each.percent is None else f"{each.percent} %",
            "" if each.accuracy is None else f"{each.accuracy:.1%}",
            signed(each),
            each.note,
        )
        for each in found.items
    )
    print_table(("step", "at", "what", "version", "share", "accuracy", "who", "note"), rows)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="The earlier version.")],
    after: Annotated[str, typer.Argument(help="The later version.")],
    tenant: Tenant = "local",
    everyone: Everyone = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print the links that were added, removed, or have another reason."""
    found = run(
        lambda curation: curation.desks.crosswalks.difference(owner(tenant, everyone), before, after), None, data_dir
    )
    tell_difference(found, as_json)


def _tell(listed: CrosswalkList, as_json: bool) -> None:
    if as_json:
        typer.echo(listed.model_dump_json())
        return
    rows = (
        (each.version, f"{each.percent} %", "shipped" if each.shipped else each.who or "", each.note)
        for each in listed.items
    )
    print_table(("version", "share", "from", "note"), rows)
