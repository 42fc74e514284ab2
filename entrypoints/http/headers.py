"""Request headers, without decoding those that nobody asked for."""

from __future__ import annotations

from starlette.types import Scope


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header called `name`, which is in lower case; None if there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


def list_of(scope: Scope, name: bytes) -> str | None:
    """All headers called `name`, which is in lower case, as one list separated by commas; None if there is none."""
    found = [bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(found) if found else None
