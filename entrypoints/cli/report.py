"""`llama-mapper report`: reports of records and of mapped labels, and controls as their readers group them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from llama_mapper.entrypoints.cli.curation import Json, Tenant, from_document, given
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.reports import ReportApi

Result = TypeVar("Result")

app = typer.Typer(help="Reports, by templates (`llama-mapper templates`), and frameworks as their readers know them.")

Framework = Annotated[list[str] | None, typer.Option(help="Framework to report, as ID or ID:EDITION; may be repeated.")]


@app.callback()
def _group() -> None:
    """The commands about reports."""


@app.command()
def render(
    template: Annotated[str, typer.Argument(help="A template's name: see `llama-mapper templates list`.")],
    assessment: Annotated[str | None, typer.Option(help="Id of a stored record.")] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="An answer of /v1/map or /v1/map:batch, a record, or what `llama-mapper map` wrote; - for standard "
            "input.",
        ),
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Of a template of your own; default: the newest.")] = None,
    title: Annotated[str | None, typer.Option(help="Default: the template's own.")] = None,
    framework: Framework = None,
    output: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Render a stored record or an answer of the mapping. The report is kept nowhere but in --output."""
    from llama_mapper.domain.contracts.reports import ReportRequest
    from llama_mapper.domain.kernel.errors import ConfigurationError, ValidationError

    if (assessment is None) is (answer is None):
        raise ValidationError("give one of --assessment and --answer")
    terms = {
        "template": template,
        "template_version": version,
        "title": title,
        "frameworks": framework or [],
        "tenant_id": owner(tenant),
    }
    source = {"assessment_id": assessment} if answer is None else _source(_read(answer))
    request = given(ReportRequest, **{name: value for name, value in terms.items() if value is not None}, **source)
    rendered = _run(lambda reports: reports.render(request), data_dir, records=assessment is not None)
    if as_json:
        typer.echo(rendered.model_dump_json())
    elif output is None:
        print_lines(rendered.text)
    else:
        try:
            output.write_text(rendered.text, "utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot write {output}: {error.strerror}") from error


@app.command()
def controls(
    canonical: Annotated[str, typer.Argument(help="An id of the taxonomy, as in pii.financial_data.")],
    framework: Framework = None,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the controls that a canonical label touches, edition by edition as their readers group them."""
    views = _run(
        lambda reports: reports.controls(owner(tenant), canonical, tuple(framework or ())),
        data_dir,
        records=False,
    )
    if as_json:
        typer.echo(views.model_dump_json())
        return
    rows = (
        (view.ref, " ".join(filter(None, (group.part, group.id, group.title))), control.id, control.title)
        for view in views.items
        for group in view.groups
        for control in group.controls
    )
    print_table(("edition", "group", "control", "title"), rows)


def _run(use: Callable[[ReportApi], Awaitable[Result]], data_dir: Path | None, *, records: bool) -> Result:
    from llama_mapper.entrypoints.containers.report_commands import open_reports
    from llama_mapper.entrypoints.settings import Settings

    async def running() -> Result:
        async with open_reports(Settings.load(data_dir=data_dir), records=records) as reports:
            return await use(reports)

    return asyncio.run(running())


def _read(file: str) -> str:
    from llama_mapper.domain.kernel.errors import ConfigurationError, DocumentError

    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise DocumentError(f"{file} is not UTF-8") from None


def _source(text: str) -> dict[str, Any]:
    """What kind of answer it is, told by a property that only it has."""
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        document = None
    if isinstance(document, dict):
        for property_name, source in (("evidence", "assessment"), ("taxonomy", "mapping"), ("mappings", "labels")):
            if property_name in document:
                document.pop("redacted", None)
                return {source: document}
    if document is not None and not _is_label(document):
        raise ValidationError("this is no answer of the mapping, and no record")
    return {"labels": _labels([document] if document is not None else _lines(text))}


def _lines(text: str) -> list[Any]:
    from llama_mapper.domain.kernel.errors import ValidationError

    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                raise ValidationError(f"line {number} is not JSON") from None
    return found


def _is_label(document: object) -> bool:
    return isinstance(document, dict) and "canonical" in document


def _labels(labels: list[Any]) -> dict[str, Any]:
    """Lines of `llama-mapper map` as one answer; the versions that gave them stand nowhere in them."""
    from llama_mapper.domain.contracts.mapping import MappedLabel
    from llama_mapper.entrypoints.version import service_version

    for label in labels:
        from_document(MappedLabel, label)
    return {
        "mappings": labels,
        "version_info": {"service_version": service_version()},
        "processing_time_ms": 0.0,
    }
