"""Canonical JSON for values without floats."""

from __future__ import annotations

from json import JSONEncoder
from typing import Any

_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


def canonical_json(value: Any) -> bytes:
    """RFC 8785 form of `value`, UTF-8.

    Equal to it for objects with ASCII keys, arrays, strings, booleans, null and integers of at most 2^53 - 1: the
    standard library escapes strings as RFC 8785 does, and sorting by code point or by UTF-16 unit is the same for
    ASCII. A float is the caller's mistake. Raise ValueError for a lone surrogate.
    """
    return _encode(value).encode()
