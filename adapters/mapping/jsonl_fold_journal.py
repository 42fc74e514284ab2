"""Finished folds of an evaluation in a file, one JSON line each."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, StoreError, ValidationError
from llama_mapper.domain.mapping.evaluation.journal import refuse_second
from llama_mapper.domain.mapping.evaluation.ports import BatchTime, FoldResult, SubjectAnswer

_FORMAT = "llama-mapper evaluation state 1"


class JsonlFoldJournal:
    """Keeps what `FoldJournal` promises. Lines are appended and synced; a line that a kill cut short is dropped."""

    def __init__(self, file: FileIO, kept: dict[tuple[str, str], FoldResult]) -> None:
        self._file = file
        self._kept = kept

    def finished(self) -> Sequence[FoldResult]:
        """Every fold in the file."""
        return tuple(self._kept.values())

    def keep(self, result: FoldResult) -> None:
        """Append a fold and sync; raise `STORE_UNAVAILABLE` if that fails, with the file as it was."""
        refuse_second(result, self._kept)
        end = self._file.seek(0, os.SEEK_END)
        try:
            _append(self._file, asdict(result))
        except OSError as error:
            _cut(self._file, end)
            raise StoreError(f"cannot write the evaluation's state: {error.strerror}") from error
        self._kept[result.subject, result.fold] = result


@contextmanager
def open_fold_journal(path: Path, plan: str) -> Iterator[JsonlFoldJournal]:
    """The journal in the file `path`, made if it is missing; `plan` is a digest of what is evaluated.

    Raises `CONFLICT` if the file is of another plan or in use by another process, `CONFIGURATION_INVALID` if it cannot
    be opened or is no such file.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigurationError(f"cannot open {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValidationError(f"{path} is in use by another evaluation", ErrorCode.CONFLICT) from error
        yield JsonlFoldJournal(file, _recovered(file, path, plan))


def _recovered(file: FileIO, path: Path, plan: str) -> dict[tuple[str, str], FoldResult]:
    header = {"format": _FORMAT, "plan": plan}
    kept: dict[tuple[str, str], FoldResult] = {}
    whole = 0
    for number, line in enumerate(file.readall().splitlines(keepends=True)):
        if not line.endswith(b"\n"):
            if not number and not orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE).startswith(line):
                raise ConfigurationError(f"{path} is not of an evaluation's state")
            break
        try:
            row = orjson.loads(line)
            if number:
                result = _result(row)
                kept[result.subject, result.fold] = result
            elif row["format"] != _FORMAT:
                raise ValueError("another format")
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path}: line {number + 1} is not of an evaluation's state") from error
        if not number and row["plan"] != plan:
            raise ValidationError(
                f"{path} is the state of another evaluation: other labels, folds, seed or versions", ErrorCode.CONFLICT
            )
        whole += len(line)
    _cut(file, whole)
    if not whole:
        _append(file, header)
    return kept


def _append(file: FileIO, row: dict[str, Any]) -> None:
    file.seek(0, os.SEEK_END)
    rest = memoryview(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _cut(file: FileIO, size: int) -> None:
    file.truncate(size)
    file.seek(size)


def _result(row: dict[str, Any]) -> FoldResult:
    return FoldResult(
        subject=row["subject"],
        fold=row["fold"],
        answers=tuple(
            SubjectAnswer(**{**one, "stage": MappingStage(one["stage"]), "suggestions": tuple(one["suggestions"])})
            for one in row["answers"]
        ),
        fit_s=row["fit_s"],
        batches=tuple(BatchTime(**one) for one in row["batches"]),
        singles=tuple((place, seconds) for place, seconds in row["singles"]),
    )
