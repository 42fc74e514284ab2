"""Identifiers that sort by time, so that stores append to the end of their indexes."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


def new_id(prefix: str) -> str:
    """A fresh identifier `prefix_` + 26 characters: 48 bits of Unix milliseconds, then 80 random bits.

    The layout is that of ULID (github.com/ulid/spec): unique without coordination, sortable as text to the
    millisecond, safe in URLs and file names.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return f"{prefix}_" + "".join([_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5)])
