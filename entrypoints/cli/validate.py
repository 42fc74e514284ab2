"""`llama-mapper validate`: documents against their schema and the catalogue."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_mapper.entrypoints.cli.printing import print_table


def validate(
    file: Annotated[str, typer.Argument(help="A JSON document, or one a line; - for standard input.")],
    schema: Annotated[str, typer.Option(help="Published model, optionally with its major version: MappingRequest:1.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one report a document as JSON.")] = False,
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
    for number, document in enumerate(_documents(text), 1):
        report = validator.validate(ValidationQuery(schema_id=name, document=document))
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
