"""A collector of traces on loopback: it takes OTLP over HTTP, as Jaeger does, and gives back what it was sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.receivers import Receiver, receiving


@dataclass(frozen=True, slots=True)
class Recorded:
    """A span as it was exported; ids in hexadecimal, `parent` empty for the first of a trace."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    state: str
    error: bool
    told: Mapping[str, Any]


class Collector:
    """What came, read anew at every question."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    @property
    def url(self) -> str:
        """The base address, for `tracing_endpoint`."""
        return self.receiver.url

    @property
    def bodies(self) -> list[bytes]:
        """Every export as it came."""
        return [body for _, _, body in self.receiver.got]

    def spans(self) -> list[Recorded]:
        """Every span, in the order in which they came."""
        return [span for body in self.bodies for span in spans_of(body)]

    def trace(self, trace_id: str) -> list[Recorded]:
        """The spans of a trace."""
        return [span for span in self.spans() if span.trace_id == trace_id]

    def until(self, enough: Callable[[list[Recorded]], bool], trace_id: str | None = None) -> list[Recorded]:
        """The spans (of a trace), once there are enough of them: they are exported in the background."""
        until = time.monotonic() + 30
        while not enough(spans := self.spans() if trace_id is None else self.trace(trace_id)):
            assert time.monotonic() < until, f"there are only {sorted(span.name for span in spans)}"
            time.sleep(0.05)
        return spans


@contextmanager
def collecting(answers: Sequence[int] = (200,)) -> Iterator[Collector]:
    """A collector that answers with these statuses, the last one for ever."""
    with receiving(answers) as receiver:
        yield Collector(receiver)


def spans_of(body: bytes) -> list[Recorded]:
    """The spans of one export."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

    request = ExportTraceServiceRequest.FromString(body)
    return [
        Recorded(
            service=str(_attributes(exported.resource.attributes)["service.name"]),
            name=span.name,
            kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            state=span.trace_state,
            error=span.status.code == Status.STATUS_CODE_ERROR,
            told=_attributes(span.attributes),
        )
        for exported in request.resource_spans
        for scope in exported.scope_spans
        for span in scope.spans
    ]


def tree_of(spans: Sequence[Recorded]) -> list[str]:
    """The names of a whole trace, each after its parent's and a slash, sorted; fails if a parent is not there."""
    by_id = {span.span_id: span for span in spans}
    own = {span.trace_id for span in spans}
    assert len(own) == 1, f"these are {len(own)} traces"
    outside = {span.parent for span in spans} - by_id.keys()
    assert len(outside) == 1, f"{len(outside)} parents are not of this trace"

    def path(span: Recorded) -> str:
        above = by_id.get(span.parent)
        return span.name if above is None else f"{path(above)}/{span.name}"

    return sorted(map(path, spans))


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
