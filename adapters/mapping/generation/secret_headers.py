"""Headers whose values are in files, such as a token that somebody else renews."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from llama_mapper.domain.kernel.errors import ConfigurationError

_LIMIT = 16_384
_LOOK_EVERY_S = 1.0
_VALUE = re.compile(r"[\x20-\x7e]{1,16384}")


class HeaderFiles:
    """Reads each header's value from its file, again at most once a second and when the file has changed.

    A file that cannot be read any more leaves the value as it was: it may be about to be replaced.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)
        self._values: dict[str, str] = {}
        self._changed: dict[str, tuple[int, int]] = {}
        self._looked = -_LOOK_EVERY_S

    def values(self) -> Mapping[str, str]:
        """Header → value, of those that could ever be read."""
        now = monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            for name, path in self._files.items():
                self._look(name, path)
        return self._values

    def _look(self, name: str, path: Path) -> None:
        try:
            state = path.stat()
            changed = (state.st_mtime_ns, state.st_ino)
            if self._changed.get(name) != changed:
                self._values[name] = header_value(path)
                self._changed[name] = changed
        except (OSError, ConfigurationError):
            return


def header_value(path: Path) -> str:
    """A file's text as a header's value, without white space around it.

    Raises `CONFIGURATION_INVALID`, which never quotes it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT + 1).decode("ascii").strip()
    except OSError as error:
        raise ConfigurationError(f"the header's file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"the header's file {path} is not ASCII") from None
    if not _VALUE.fullmatch(text):
        raise ConfigurationError(f"the header's file {path} must have 1 to 16,384 printable characters on one line")
    return text
