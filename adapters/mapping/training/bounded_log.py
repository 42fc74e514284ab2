"""A log file that never outgrows its bound: what is oldest goes."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Self

HALF_BYTES = 524_288
"""A file is put aside at this size, and the one put aside before is dropped: at most twice as much is kept."""


class BoundedLog:
    """Appends to `path`; what was before is in `path` with the ending `.1`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, text: bytes) -> None:
        """Append, as far as there is room on the disk: a log that cannot be kept never ends what it is about."""
        if self._file is None:
            return
        try:
            self._file.write(text)
            self._file.flush()
            if self._file.tell() >= HALF_BYTES:
                self._file.close()
                self._path.replace(_older(self._path))
                self._file = self._path.open("ab")
        except OSError:
            return


def last_lines(path: Path, count: int) -> tuple[list[str], bool]:
    """The last lines of a log, and whether there were more; nothing where there is no log. Not printable signs go."""
    text = b"".join(file.read_bytes() for file in (_older(path), path) if file.is_file())
    lines = [_printable(line) for line in text.decode("utf-8", "replace").replace("\r", "\n").splitlines()]
    return lines[-count:], len(lines) > count


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in line)


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
