"""W3C Trace Context (w3.org/TR/trace-context, level 1): one trace id through every door and link."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

_FIELDS = r"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
# A later version may have more after a dash, of which this one knows nothing; version ff is never valid.
_TRACEPARENT = re.compile(rf"00{_FIELDS}|(?!00|ff)[0-9a-f]{{2}}{_FIELDS}(?:-.*)?")
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS = 32
_STATE_LIMIT = 512

Attribute = str | bool | int | float


class SpanKind(Enum):
    """What a span stands for, as in OpenTelemetry."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()


class Span(Protocol):
    """A step of a trace that is being recorded. No method waits or raises.

    Nothing that is told to it is content, a finding's label, a tenant, an exception's text, or anything else that a
    caller wrote.
    """

    @property
    def trace(self) -> TraceContext:
        """Where it stands; `trace.span` is this span."""
        ...

    def begin(self, name: str, kind: SpanKind) -> Span:
        """Begin a step within this one."""
        ...

    def rename(self, name: str) -> None:
        """Give it another name: of few that there are."""
        ...

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Say more about it. Names are OpenTelemetry's semantic conventions, or begin with `llama_mapper.`."""
        ...

    def end(self, error: str | None = None) -> None:
        """End it; `error` is a stable code or the name of a class."""
        ...


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where in a distributed trace this work stands: 16-byte trace id and 8-byte span id, in hexadecimal.

    `state` is the callers' `tracestate`, passed on as it came. `span` records this very place; None where nobody
    records.
    """

    trace_id: str
    span_id: str
    flags: str = "00"
    state: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def traceparent(self) -> str:
        """The header that carries it to the next service."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def headers(self) -> dict[str, str]:
        """All headers that carry it to the next service."""
        headers = {"traceparent": self.traceparent}
        if self.state:
            headers["tracestate"] = self.state
        return headers


def caller_from(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """Where the caller stands; None where its header is absent or malformed."""
    if traceparent and (match := _TRACEPARENT.fullmatch(traceparent)):
        return TraceContext(
            match[1] or match[4],
            match[2] or match[5],
            match[3] or match[6],
            state_from(tracestate) if tracestate else "",
        )
    return None


def trace_from(traceparent: str | None, tracestate: str | None = None) -> TraceContext:
    """A span of this process in the caller's trace; a fresh trace where the header is absent or malformed."""
    caller = caller_from(traceparent, tracestate)
    if caller is not None:
        return TraceContext(caller.trace_id, secrets.token_hex(8), caller.flags, caller.state)
    fresh = secrets.token_hex(24)
    return TraceContext(fresh[:32], fresh[32:])


def state_from(tracestate: str) -> str:
    """A `tracestate` fit to be passed on: its first members, up to 512 characters; empty if it is malformed."""
    members = [member for part in tracestate.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > _MOST_MEMBERS or len(keys) < len(members) or not all(map(_MEMBER.fullmatch, members)):
        return ""
    while members and sum(map(len, members)) + len(members) - 1 > _STATE_LIMIT:
        members.pop()
    return ",".join(members)


CURRENT_TRACE: ContextVar[TraceContext | None] = ContextVar("llama_mapper_trace", default=None)
"""The trace of the request being served; logs and links read it."""
