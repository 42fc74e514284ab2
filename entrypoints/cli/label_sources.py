"""Vendor labels from JSONL, CSV and Parquet files, read once, front to back, in batches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError as PydanticError

from llama_mapper.domain.contracts.mapping import LabelQuery
from llama_mapper.domain.contracts.refusals import refusal_of
from llama_mapper.domain.kernel.errors import ConfigurationError, ValidationError

_LINE_LIMIT = 65_536
_COLUMNS = ("vendor", "vendor_version", "label", "score")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that stand one after another; `read` counts rows from the start of the source, faulty ones included."""

    queries: tuple[tuple[int, LabelQuery], ...]
    faults: tuple[tuple[int, str], ...]
    read: int


def label_batches(source: BinaryIO, kind: str, size: int, skip: int = 0) -> Iterator[Batch]:
    """The rows after the first `skip`, `size` at a time. `kind` is jsonl, csv or parquet.

    Raise `INVALID_REQUEST` for a file that is not of its kind, `CONFIGURATION_INVALID` where the extra `parquet` is
    not installed.
    """
    rows = islice(_READERS[kind](source), skip, None)
    read = skip
    while chunk := list(islice(rows, size)):
        read += len(chunk)
        yield Batch(
            tuple((number, row) for number, row in chunk if not isinstance(row, str)),
            tuple((number, row) for number, row in chunk if isinstance(row, str)),
            read,
        )


def kind_of(name: str) -> str:
    """The kind that a file's name says; jsonl where it says nothing."""
    suffix = Path(name).suffix.lower()
    return {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}.get(suffix, "jsonl")


def parquet() -> Any:
    """The library for Parquet; raise `CONFIGURATION_INVALID` where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError("Parquet files need the extra 'parquet'") from error
    return pyarrow.parquet


def _jsonl(source: BinaryIO) -> Iterator[tuple[int, LabelQuery | str]]:
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        if len(line) > _LINE_LIMIT:
            yield number, f"CONTENT_TOO_LARGE: a line is at most {_LINE_LIMIT} bytes"
        else:
            yield number, _query(line)


def _csv(source: BinaryIO) -> Iterator[tuple[int, LabelQuery | str]]:
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        reader = csv.DictReader(text)
        missing = {"vendor", "label"} - set(reader.fieldnames or ())
        if missing:
            raise ValidationError(f"the CSV file has no column {', '.join(sorted(missing))}")
        for row in reader:
            yield reader.line_num, _query_of({name: row.get(name) or None for name in _COLUMNS})
    except UnicodeDecodeError as error:
        raise ValidationError("the CSV file is not UTF-8") from error
    except csv.Error as error:
        raise ValidationError(f"the CSV file cannot be read: {error}") from error
    finally:
        text.detach()  # or it closes what it does not own


def _parquet(source: BinaryIO) -> Iterator[tuple[int, LabelQuery | str]]:
    library = parquet()
    try:
        file = library.ParquetFile(source)
        names = set(file.schema_arrow.names)
        if missing := {"vendor", "label"} - names:
            raise ValidationError(f"the Parquet file has no column {', '.join(sorted(missing))}")
        columns = [name for name in _COLUMNS if name in names]
        number = 0
        for batch in file.iter_batches(batch_size=8_192, columns=columns):
            for values in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                number += 1
                yield number, _query_of(dict(zip(columns, values, strict=True)))
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        raise ValidationError(f"the Parquet file cannot be read: {type(error).__name__}") from error


_READERS = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}


def _query(line: bytes) -> LabelQuery | str:
    try:
        return LabelQuery.model_validate_json(line)
    except PydanticError as error:
        return _refused(error)


def _query_of(values: dict[str, Any]) -> LabelQuery | str:
    score = values.get("score")
    try:
        if isinstance(score, str):
            values["score"] = float(score)
        return LabelQuery.model_validate(values)
    except PydanticError as error:
        return _refused(error)
    except ValueError:
        return "INVALID_REQUEST: the score is no number"


def _refused(error: PydanticError) -> str:
    refusal, _ = refusal_of(error)
    return f"{refusal.error_code.value}: {refusal.message}"
