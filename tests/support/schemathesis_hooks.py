"""Tells schemathesis how a body of JSON lines is written: one value, one line."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def json_lines(context: object, value: Any) -> bytes:
    """The value as one line; bytes as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
