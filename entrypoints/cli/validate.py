"""`llama-mapper validate`: documents against their schema and the catalogue."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.validation import ValidationQuery, ValidationReport


def validate(
    file: Annotated[str, typer.Argument(help="A JSON document, or one a line; - for standard input.")],
    schema: Annotated[str, typer.Option(help="Published model, optionally with its major version: MappingRequest:1.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one report a document as JSON.")] = False,
    tenant: Annotated[
        str | None, typer.Option(help="Check with this tenant's words, frameworks and crosswalk; default: as shipped.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Check the documents in FILE. The exit status is 1 if one of them has an error."""
    from llama_mapper.domain.contracts.json_form import json_form
    from llama_mapper.domain.contracts.validation import ValidationQuery
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.entrypoints.containers.schemas import document_validator

    model, _, major = schema.partition(":")
    validator = document_validator()
    name = f"urn:llama-mapper:schema:{model}:{major or validator.newest_major(model)}"
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    failed = False
    queries = [ValidationQuery(schema_id=name, document=document) for document in _documents(text)]
    reports = map(validator.validate, queries) if tenant is None else _as_seen_by(tenant, queries, data_dir)
    for number, report in enumerate(reports, 1):
        failed |= not report.valid
        if as_json:
            typer.echo(json_form(report).decode())
        else:
            rows = [(str(number), each.severity, each.code, each.place, each.message) for each in report.faults]
            print_table(
                ("document", "severity", "code", "place", "message"), rows or [(str(number), "valid", "", "", "")]
            )
    if failed:
        raise typer.Exit(1)


def _as_seen_by(tenant: str, queries: Sequence[ValidationQuery], data_dir: Path | None) -> list[ValidationReport]:
    from llama_mapper.entrypoints.cli.persons import owner
    from llama_mapper.entrypoints.containers.mapping import running_mapping
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> list[ValidationReport]:
        async with running_mapping(PlatformContainer(settings=Settings.load(data_dir=data_dir))) as container:
            return [await container.validator().validate(owner(tenant), query) for query in queries]

    return asyncio.run(run())


def _documents(text: str) -> list[Any]:
    """One document, or one a line; raise `INVALID_REQUEST`, naming the line, for what is neither."""
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        found: list[Any] = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValidationError(f"line {number} is not JSON") from error
        return found
