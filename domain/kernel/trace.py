"""W3C Trace Context (w3.org/TR/trace-context, level 1): one trace id through every door and link."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

_FIELDS = r"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
# A later version may have more after a dash, of which this one knows nothing; version ff is never valid.
_TRACEPARENT = re.compile(rf"00{_FIELDS}|(?!00|ff)[0-9a-f]{{2}}{_FIELDS}(?:-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where in a distributed trace this work stands: 16-byte trace id and 8-byte span id, in hexadecimal."""

    trace_id: str
    span_id: str
    flags: str = "00"

    @property
    def traceparent(self) -> str:
        """The header that carries it to the next service."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def trace_from(traceparent: str | None) -> TraceContext:
    """A span of this process in the caller's trace; a fresh trace where the header is absent or malformed."""
    if traceparent and (match := _TRACEPARENT.fullmatch(traceparent)):
        return TraceContext(match[1] or match[4], secrets.token_hex(8), match[3] or match[6])
    fresh = secrets.token_hex(24)
    return TraceContext(fresh[:32], fresh[32:])


CURRENT_TRACE: ContextVar[TraceContext | None] = ContextVar("llama_mapper_trace", default=None)
"""The trace of the request being served; logs and links read it."""
