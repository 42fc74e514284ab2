"""Steps of a request as spans of a trace, for whoever records them.

The trace of the request knows whether it is recorded: a step asks it, and is nothing where it is not. So nobody is
handed a tracer, and what is switched off, or not sampled, costs a look at a context variable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import Token
from typing import Protocol

from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.trace import CURRENT_TRACE, Attribute, Span, SpanKind, TraceContext


class Tracing(Protocol):
    """Takes up traces and records what is sampled of them. An installation without has None in its place."""

    def take_up(self, name: str, kind: SpanKind, caller: TraceContext | None) -> TraceContext:
        """A new span in the caller's trace, or of a new trace where there is no caller.

        Its `span` is None if it is not sampled: for a caller's trace the caller decides that. Ids and flags are then
        still those to be passed on. Never waits or raises.
        """
        ...

    def close(self) -> None:
        """Hand over what is not handed over yet, within a limit of time; called in a thread. Later spans are lost."""
        ...


class Step:
    """A step as a block: `with step("detect") as at: …; if at: at.set({…})`. This one is where nobody records.

    It is false, and all that is told to it is lost.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """See `Span.set`."""

    def fail(self, error: str) -> None:
        """Make it an error, by a stable code, whether an exception leaves the block or not."""

    def __enter__(self) -> Step:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        return None


class RecordedStep(Step):
    """A step that a span records. Within the block the current trace stands at the span.

    An exception that leaves the block makes it an error, named by its stable code or by its class, never by its text.
    """

    __slots__ = ("_error", "_span", "_token")

    def __init__(self, span: Span) -> None:
        """Use `step` instead."""
        self._span = span
        self._error: str | None = None
        self._token: Token[TraceContext | None] | None = None

    def __bool__(self) -> bool:
        return True

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """See `Span.set`."""
        self._span.set(attributes)

    def fail(self, error: str) -> None:
        """See `Step.fail`; the last one counts."""
        self._error = error

    def __enter__(self) -> Step:
        self._token = CURRENT_TRACE.set(self._span.trace)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and self._error is None:
            self._error = error_name(error)
        if self._token is not None:
            CURRENT_TRACE.reset(self._token)
        self._span.end(self._error)


NO_STEP = Step()


def step(name: str, subject: str | None = None, kind: SpanKind = SpanKind.INTERNAL) -> Step:
    """A step of the current trace, called `name` or `name subject`."""
    trace = CURRENT_TRACE.get()
    if trace is None or trace.span is None:
        return NO_STEP
    return RecordedStep(trace.span.begin(name if subject is None else f"{name} {subject}", kind))


def first_step(tracing: Tracing | None, name: str) -> Step:
    """The same where there may be no trace yet: one is begun, if anybody records."""
    if tracing is None or CURRENT_TRACE.get() is not None:
        return step(name)
    span = tracing.take_up(name, SpanKind.INTERNAL, None).span
    return NO_STEP if span is None else RecordedStep(span)


def error_name(error: BaseException) -> str:
    """What an exception is called in a trace: by its stable code if it has one."""
    if isinstance(error, ServiceError):
        return error.error_code.value
    return "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
