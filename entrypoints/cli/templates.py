"""`llama-mapper templates`: the templates that reports may name, and a tenant's own."""

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
    given,
    run,
    tell_difference,
    tell_history,
)
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.reports import OwnTemplate, TemplateUpload
    from llama_mapper.entrypoints.containers.curation import Curation

app = typer.Typer(help="Report templates: those that are shipped, and those that a tenant uploads.")

Name = Annotated[str, typer.Argument(help="The template's name, as in board-summary.")]
File = Annotated[Path, typer.Argument(help="The template, in Jinja2's language.")]
Form = Annotated[str | None, typer.Option("--format", help="markdown, html or text; default: by the file's extension.")]
Title = Annotated[str | None, typer.Option(help="Of reports that are given no other; default: the template's name.")]
Framework = Annotated[
    list[str] | None, typer.Option(help="Edition that it is for, as ID or ID:EDITION; may be repeated.")
]
_BY_EXTENSION = {".md": "markdown", ".html": "html", ".htm": "html", ".txt": "text"}
_ENDINGS = (".j2", ".jinja", ".jinja2")


@app.callback()
def _group() -> None:
    """The commands about report templates."""


@app.command("list")
def list_templates(tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List every template that the tenant's reports may name."""
    listed = run(lambda curation: curation.desks.templates.list(owner(tenant)), None, data_dir)
    if as_json:
        typer.echo(listed.model_dump_json())
        return
    rows = (
        (
            each.name,
            "shipped" if not each.own else f"own, version {each.version}",
            each.format,
            ", ".join(each.frameworks),
            each.title,
        )
        for each in listed.items
    )
    print_table(("name", "from", "format", "for", "title"), rows)


@app.command()
def put(
    name: Name,
    file: File,
    form: Form = None,
    title: Title = None,
    framework: Framework = None,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Upload a template, or a new version of one. It is tried first."""
    upload = _upload(file, form, title or name, framework)

    async def use(curation: Curation) -> OwnTemplate:
        return await curation.desks.templates.put(
            owner(tenant), _named(name), upload, curation.curator, expected=expected, note=note
        )

    _tell(run(use, person, data_dir), as_json)


@app.command("try")
def try_out(
    file: File,
    form: Form = None,
    framework: Framework = None,
    tenant: Tenant = "local",
    data_dir: DataDir = None,
) -> None:
    """Print what a template makes of invented data in which everything is there, or everything that is wrong with it.

    Nothing is stored.
    """
    upload = _upload(file, form, "A report", framework)
    tried = run(lambda curation: curation.desks.templates.preview(owner(tenant), upload), None, data_dir)
    print_lines(tried.text)


@app.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Option(min=1, help="A version; default: the newest.")] = None,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show a template of the tenant, as text that `put` takes again unless --json asks for all."""
    found = run(lambda curation: curation.desks.templates.get(owner(tenant), _named(name), version), None, data_dir)
    if as_json or found.document is None:
        _tell(found, as_json)
    else:
        print_lines(found.document.text)


@app.command()
def remove(
    name: Name,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a template away; its versions stay."""

    async def use(curation: Curation) -> OwnTemplate:
        return await curation.desks.templates.remove(owner(tenant), _named(name), curation.curator, expected=expected)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def rollback(
    name: Name,
    to: To,
    expected: Expected = None,
    tenant: Tenant = "local",
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make the content of an earlier version stand again, as a new version."""

    async def use(curation: Curation) -> OwnTemplate:
        return await curation.desks.templates.rollback(
            owner(tenant), _named(name), to, curation.curator, expected=expected
        )

    _tell(run(use, person, data_dir), as_json)


@app.command()
def history(name: Name, tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """List a template's versions."""
    found = run(lambda curation: curation.desks.templates.history(owner(tenant), _named(name)), None, data_dir)
    tell_history(found, as_json)


@app.command()
def diff(
    name: Name,
    before: Before,
    after: After,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print how two versions of a template differ, line by line."""
    found = run(
        lambda curation: curation.desks.templates.difference(owner(tenant), _named(name), before, after),
        None,
        data_dir,
    )
    tell_difference(found, as_json)


def _upload(file: Path, form: str | None, title: str, frameworks: list[str] | None) -> TemplateUpload:
    from llama_mapper.domain.contracts.reports import TemplateUpload
    from llama_mapper.domain.kernel.errors import ConfigurationError, DocumentError, ValidationError

    if form is None:
        plain = file.with_suffix("") if file.suffix in _ENDINGS else file
        form = _BY_EXTENSION.get(plain.suffix)
    if form is None:
        raise ValidationError("say what the template writes: --format markdown, html or text")
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise DocumentError(f"{file} is not UTF-8") from None
    return given(TemplateUpload, format=form, title=title, frameworks=frameworks or [], text=text)


def _named(name: str) -> str:
    import re

    from llama_mapper.domain.kernel.errors import ValidationError

    if not re.fullmatch("[a-z][a-z0-9_-]{0,47}", name):
        raise ValidationError("a template's name has 1 to 48 small letters, digits, '_' and '-', as in board-summary")
    return name


def _tell(template: OwnTemplate, as_json: bool) -> None:
    if as_json:
        typer.echo(template.model_dump_json())
        return
    version, document = template.version, template.document
    held = "" if document is None else f": {document.format}, {len(document.text)} characters"
    print_lines(f"{template.name} version {version.number} {version.step}{held}")
