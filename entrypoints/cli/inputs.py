"""What the command line is asked to assess: files and standard input, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.entrypoints.cli.input_formats import (
    CountedStream,
    InputFormat,
    read_csv,
    read_jsonl,
    read_text,
)
from llama_mapper.entrypoints.cli.input_items import (
    CONTENT_CHARACTERS,
    Input,
    InputFault,
    InputItem,
    Place,
    RequestBuilder,
    RequestDefaults,
)

__all__ = [
    "STANDARD_INPUT",
    "Input",
    "InputFault",
    "InputFormat",
    "InputItem",
    "InputOptions",
    "RequestDefaults",
    "format_of",
    "read_inputs",
    "total_bytes",
]

STANDARD_INPUT = "-"
_BY_EXTENSION = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.CSV,
}


@dataclass(frozen=True, slots=True)
class InputOptions:
    """How to read. `format` null means: by extension, plain text where the extension (or `-`) says nothing.

    `column` is the CSV column with the content. `content_characters` is the longest content to accept.
    """

    format: InputFormat | None = None
    column: str | None = None
    content_characters: int = CONTENT_CHARACTERS


def format_of(source: str) -> InputFormat:
    """The format that a file's extension tells; plain text for any other, and for standard input."""
    return _BY_EXTENSION.get(Path(source).suffix.lower(), InputFormat.TEXT)


def total_bytes(sources: Sequence[str]) -> int | None:
    """Bytes to read in all, or None where a source does not tell (standard input, a pipe, a missing file)."""
    total = 0
    for source in sources:
        path = Path(source)
        try:
            if source == STANDARD_INPUT or not path.is_file():
                return None
            total += path.stat().st_size
        except OSError:
            return None
    return total


def read_inputs(
    sources: Sequence[str],
    stdin: BinaryIO,
    options: InputOptions | None = None,
    defaults: RequestDefaults | None = None,
) -> Iterator[Input]:
    """Every item and every fault of `sources` in order, reading as it goes; raises nothing for bad input.

    A source that cannot be read is one fault with number 0, and the next source goes on. `-` is `stdin`, once.
    """
    options = options or InputOptions()
    builder = RequestBuilder(defaults or RequestDefaults(), options.content_characters)
    done = 0
    stdin_read = False
    for source in sources:
        if source == STANDARD_INPUT and stdin_read:
            yield Place(source, 0, done).fault(ErrorCode.INVALID_REQUEST, "standard input can be read only once")
            continue
        stdin_read = stdin_read or source == STANDARD_INPUT
        counted: CountedStream | None = None
        try:
            with nullcontext(stdin) if source == STANDARD_INPUT else Path(source).open("rb") as stream:
                counted = CountedStream(stream, done)
                yield from _read(source, counted, builder, options)
        except OSError as error:
            done = counted.bytes_read if counted else done
            missing = isinstance(error, FileNotFoundError)
            yield Place(source, 0, done).fault(
                ErrorCode.NOT_FOUND if missing else ErrorCode.INVALID_REQUEST,
                "there is no such file" if missing else f"cannot be read: {error.strerror}",
            )
        else:
            done = counted.bytes_read


def _read(source: str, stream: CountedStream, builder: RequestBuilder, options: InputOptions) -> Iterator[Input]:
    match options.format or format_of(source):
        case InputFormat.JSONL:
            return read_jsonl(source, stream, builder)
        case InputFormat.CSV:
            return read_csv(source, stream, builder, options.column)
        case InputFormat.TEXT:
            return read_text(source, stream, builder)
