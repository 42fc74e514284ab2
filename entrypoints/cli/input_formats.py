"""Readers of the three input formats. Each reads a binary stream once, front to back, and holds one item at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.entrypoints.cli.input_items import Input, Place, RequestBuilder, shown_names

_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
_DELIMITERS = ",;\t|"
_CONTENT_COLUMNS = ("content", "text")


class InputFormat(StrEnum):
    """How a source is laid out."""

    JSONL = "jsonl"
    TEXT = "text"
    CSV = "csv"


class CountedStream:
    """A binary stream that knows how many bytes were read, `before` it was opened included."""

    def __init__(self, stream: BinaryIO, before: int) -> None:
        self._stream = stream
        self.bytes_read = before
        self._at_start = True

    def line(self, limit: int) -> bytes:
        """The next line with its end; at most `limit` bytes of it. A byte order mark at the start is left out."""
        line = self._stream.readline(limit)
        self.bytes_read += len(line)
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        return line

    def skip_line(self) -> None:
        """Read to the end of the present line without keeping it."""
        while (rest := self.line(_CHUNK)) and not rest.endswith(b"\n"):
            pass

    def all(self, limit: int) -> bytes:
        """Everything up to `limit` bytes, without a byte order mark."""
        parts: list[bytes] = []
        while limit > 0 and (part := self._stream.read(min(limit, _CHUNK))):
            parts.append(part)
            limit -= len(part)
            self.bytes_read += len(part)
        return b"".join(parts).removeprefix(_BOM)


def read_text(source: str, stream: CountedStream, builder: RequestBuilder) -> Iterator[Input]:
    """The whole stream as one item."""
    limit = 4 * builder.content_characters + len(_BOM)
    raw = stream.all(limit + 1)
    place = Place(source, 1, stream.bytes_read)
    if len(raw) > limit:
        yield place.fault(
            ErrorCode.CONTENT_TOO_LARGE, f"larger than {builder.content_characters} characters can be in UTF-8"
        )
        return
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        yield place.fault(ErrorCode.UNPROCESSABLE_CONTENT, f"not UTF-8 at byte {error.start + 1}")
        return
    yield builder.from_content(place, content)


def read_jsonl(source: str, stream: CountedStream, builder: RequestBuilder) -> Iterator[Input]:
    """One JSON value a line; empty lines are passed over, a broken line is a fault and the next one goes on."""
    import orjson

    limit = 12 * builder.content_characters + 65_536  # a character beyond the BMP takes 12 bytes as two \u escapes
    number = 0
    while line := stream.line(limit):
        number += 1
        if len(line) == limit and not line.endswith(b"\n"):
            stream.skip_line()
            place = Place(source, number, stream.bytes_read)
            yield place.fault(ErrorCode.CONTENT_TOO_LARGE, f"the line has more than {limit} bytes")
            continue
        if not line.strip():
            continue
        place = Place(source, number, stream.bytes_read)
        try:
            line.decode("utf-8")
            value = orjson.loads(line.rstrip())  # a cut-off value then ends on its own line
        except UnicodeDecodeError as error:
            yield place.fault(ErrorCode.UNPROCESSABLE_CONTENT, f"not UTF-8 at byte {error.start + 1} of the line")
            continue
        except orjson.JSONDecodeError as error:
            yield place.fault(ErrorCode.INVALID_REQUEST, f"not JSON at column {error.colno}")
            continue
        yield builder.from_value(place, value)


def read_csv(source: str, stream: CountedStream, builder: RequestBuilder, column: str | None) -> Iterator[Input]:
    """One item a row, its content in `column` (else in `content` or `text`), its id in `id` if there is one.

    The delimiter is whichever of comma, semicolon, tab and bar makes a header with the column. Quoting is that of
    RFC 4180; where it is broken the rest of the file cannot be trusted and is not read.
    """
    limit = max(8 * _CHUNK, 8 * builder.content_characters)
    if csv.field_size_limit() < limit:
        csv.field_size_limit(limit)  # the module's only way, and for the whole process
    head = stream.line(limit).decode("utf-8", "surrogateescape")
    whole = Place(source, 0, stream.bytes_read)
    if not head.strip():
        yield whole.fault(ErrorCode.INVALID_REQUEST, "no header: the first line must name the columns")
        return
    headers = {delimiter: _cells(head, delimiter) for delimiter in _DELIMITERS}
    wanted = _CONTENT_COLUMNS if column is None else (column,)
    chosen = [(delimiter, name) for name in wanted for delimiter, cells in headers.items() if name in cells]
    if not chosen:
        names = max(headers.values(), key=len)
        what = f"no column '{column}'" if column is not None else "no column 'content' or 'text', and none was named"
        yield whole.fault(ErrorCode.INVALID_REQUEST, f"{what}; the columns are {shown_names(names)}")
        return
    delimiter, name = chosen[0]
    yield from _rows(source, stream, builder, headers[delimiter], delimiter, name, limit)


def _rows(
    source: str,
    stream: CountedStream,
    builder: RequestBuilder,
    header: list[str],
    delimiter: str,
    column: str,
    limit: int,
) -> Iterator[Input]:
    content_at = header.index(column)
    id_at = header.index("id") if "id" in header and column != "id" else None
    rows = csv.reader(_lines(stream, limit), delimiter=delimiter, strict=True)
    number = 1
    try:
        for row in rows:
            place = Place(source, number + 1, stream.bytes_read)
            number = rows.line_num + 1  # the header is line 1, and was not read by `rows`
            if not row:
                continue
            if len(row) != len(header):
                yield place.fault(
                    ErrorCode.INVALID_REQUEST, f"the row has {len(row)} cells where the header has {len(header)}"
                )
                continue
            yield builder.from_content(place, row[content_at], item_id=row[id_at] if id_at is not None else None)
    except csv.Error:
        yield Place(source, number + 1, stream.bytes_read).fault(
            ErrorCode.INVALID_REQUEST,
            "the quoting is broken or a cell is too large; the rest of the file was not read",
        )


def _lines(stream: CountedStream, limit: int) -> Iterator[str]:
    """Lines as text; a byte that is not UTF-8 becomes a lone surrogate, which spoils its own row only."""
    while line := stream.line(limit):
        if len(line) == limit and not line.endswith(b"\n"):
            raise csv.Error("line too long")
        yield line.decode("utf-8", "surrogateescape")


def _cells(head: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([head], delimiter=delimiter, strict=True))
    except csv.Error:
        return []
