"""Canonical JSON for values without floats."""

from __future__ import annotations

from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:
    """RFC 8785 form of `value`, UTF-8.

    Equal to it for objects with ASCII keys, arrays, strings, booleans, null and integers of at most 2^53 - 1: orjson
    escapes strings as RFC 8785 does, and sorting by UTF-8 bytes or by UTF-16 unit is the same for ASCII. A float is
    the caller's mistake. Raise ValueError for a lone surrogate, an integer beyond 64 bits and nesting beyond 254.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(str(error)) from None
