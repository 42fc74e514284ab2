"""What the commands about a tenant's own catalogue share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.persons import signed, user
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llama_mapper.domain.contracts.curation import DocumentDifference, DocumentHistory
    from llama_mapper.entrypoints.containers.curation import Curation

Result = TypeVar("Result")
Model = TypeVar("Model", bound="BaseModel")

Tenant = Annotated[str, typer.Option(help="Whose.")]
Person = Annotated[str | None, typer.Option("--as", help="Who does this; default: this machine's user.")]
NoteText = Annotated[str, typer.Option("--note", help="Why, for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Expected = Annotated[
    int | None, typer.Option("--if-version", min=0, help="Only if this is the version that stands; 0: if none does.")
]
To = Annotated[int, typer.Argument(min=1, help="The version whose content is to stand again.")]
Before = Annotated[int, typer.Argument(min=0, help="The earlier version; 0: nothing.")]
After = Annotated[int, typer.Argument(min=0, help="The later version.")]


def run(use: Callable[[Curation], Awaitable[Result]], person: str | None, data_dir: Path | None) -> Result:
    """What `use` gives, with the mapping database open."""
    from llama_mapper.entrypoints.containers.curation import open_curation
    from llama_mapper.entrypoints.settings import Settings

    async def running() -> Result:
        async with open_curation(Settings.load(data_dir=data_dir), person or user()) as curation:
            return await use(curation)

    return asyncio.run(running())


def given(model: type[Model], **fields: object) -> Model:
    """What was given as options, with contract errors in the kernel's words."""
    return from_document(model, fields)


def from_document(model: type[Model], document: object) -> Model:
    """The document as `model`; raise `DOCUMENT_INVALID` or `INVALID_REQUEST` with what is wrong."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.refusals import refusal_of

    try:
        return model.model_validate_json(json.dumps(document))
    except PydanticError as error:
        refusal, faults = refusal_of(error)
        for fault in faults[1:]:
            print_error(f"{fault.field}: {fault.message}")
        raise refusal from None
    except TypeError:
        from llama_mapper.domain.kernel.errors import DocumentError

        raise DocumentError("the document holds values that JSON has not; write dates and numbers as text") from None


def file_as(model: type[Model], file: Path) -> Model:
    """The YAML or JSON document in `file` as `model`."""
    from llama_mapper.entrypoints.containers.curation import read_document

    return from_document(model, read_document(file))


def print_error(text: str) -> None:
    """A line on standard error."""
    from llama_mapper.entrypoints.cli.printing import plain

    typer.echo(plain(text), err=True)


def tell_history(history: DocumentHistory, as_json: bool) -> None:
    """A document's versions."""
    if as_json:
        typer.echo(history.model_dump_json())
        return
    rows = (
        (
            str(each.number),
            each.at.isoformat(timespec="seconds"),
            each.step if each.restores is None else f"{each.step} to {each.restores}",
            each.digest or "",
            signed(each),
            each.note,
        )
        for each in history.items
    )
    print_table(("version", "at", "what", "digest", "who", "note"), rows)


def tell_difference(difference: DocumentDifference, as_json: bool) -> None:
    """How two versions differ, one entry a line."""
    if as_json:
        typer.echo(difference.model_dump_json())
        return
    signs = {"added": "+", "removed": "-", "changed": "~"}
    for entry in difference.entries:
        text = f"{entry.before} -> {entry.after}" if entry.change == "changed" else entry.after or entry.before or ""
        print_lines(f"{signs[entry.change]} {entry.where}: {text}")
    typer.echo(f"{difference.added} added, {difference.removed} removed, {difference.changed} changed")
