"""A file of JSON lines that a kill at any moment leaves usable: what was finished is in it, and nothing twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, StoreError, ValidationError


class JsonLines:
    """An open file. Lines are appended and synced."""

    def __init__(self, file: FileIO, what: str) -> None:
        self._file = file
        self._what = what

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a line and sync; raise `STORE_UNAVAILABLE` if that fails, with the file as it was."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            _append(self._file, row)
        except OSError as error:
            _cut(self._file, end)
            raise StoreError(f"cannot write {self._what}: {error.strerror}") from error


@contextmanager
def open_json_lines(
    path: Path, header: Mapping[str, str], read: Callable[[dict[str, Any]], None], *, what: str, who: str
) -> Iterator[JsonLines]:
    """The file `path`, made if it is missing; `read` is given each line after the first, which is `header`.

    A last line that a kill cut short is dropped. `read` may raise ValueError, KeyError or TypeError. Raises `CONFLICT`
    if the header differs in anything but its `format`, or if another process has the file open, and
    `CONFIGURATION_INVALID` if it cannot be opened or is no such file. `what` and `who` are for the messages.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigurationError(f"cannot open {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValidationError(f"{path} is in use by another {who}", ErrorCode.CONFLICT) from error
        _recover(file, path, header, read, what, who)
        yield JsonLines(file, what)


def _recover(
    file: FileIO,
    path: Path,
    header: Mapping[str, str],
    read: Callable[[dict[str, Any]], None],
    what: str,
    who: str,
) -> None:
    whole = 0
    for number, line in enumerate(file.readall().splitlines(keepends=True)):
        if not line.endswith(b"\n"):
            if not number and not orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE).startswith(line):
                raise ConfigurationError(f"{path} is not of {what}")
            break
        try:
            row = orjson.loads(line)
            if number:
                read(row)
            elif row["format"] != header["format"]:
                raise ValueError("another format")
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path}: line {number + 1} is not of {what}") from error
        if not number and row != header:
            raise ValidationError(
                f"{path} is the state of another {who}: other labels, folds, seed or versions", ErrorCode.CONFLICT
            )
        whole += len(line)
    _cut(file, whole)
    if not whole:
        _append(file, header)


def _append(file: FileIO, row: Mapping[str, Any]) -> None:
    file.seek(0, os.SEEK_END)
    rest = memoryview(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _cut(file: FileIO, size: int) -> None:
    file.truncate(size)
    file.seek(size)
