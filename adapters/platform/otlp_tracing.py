"""Traces by OpenTelemetry's SDK, sent over OTLP/HTTP to whatever collects them. ADR 96."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.kernel.trace import Attribute, SpanKind, TraceContext, trace_from

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import SpanKind as OtelKind

_PATH = "/v1/traces"
_QUEUE = 2048
_BATCH = 128  # encoding a larger one would hold up the event loop's thread for longer
_DELAY_MS = 1000
_LAST_S = 1.0
_VALUE_LIMIT = 256
_HEADER = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})\s*=\s*([\x20-\x7e]{0,4096}?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpCollector:
    """Where traces go. `endpoint` is the collector's base URL, or the whole one that ends in `/v1/traces`.

    `timeout_s` bounds one export with its repetitions, and the wait for the last one when tracing is closed.
    """

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 5.0
    certificates: Path | None = None

    @property
    def url(self) -> str:
        """Where spans are posted to."""
        base = self.endpoint.rstrip("/")
        return base if base.endswith(_PATH) else base + _PATH


class OtlpTracing:
    """Keeps `Tracing`: the parent decides whether a trace is sampled, and without one a share of `ratio` is.

    Spans are exported in the background by a thread of its own. At most 2,048 wait; then the oldest are dropped.
    `ended` counts the spans that were handed over to it; `counted`, what became of them.
    """

    def __init__(self, collector: OtlpCollector, *, service: str, version: str, ratio: float) -> None:
        """Raises `CONFIGURATION_INVALID` if the extra `tracing` is not installed."""
        try:
            import requests
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import SpanLimits, TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"tracing needs the package {error.name}: install 'llama-mapper[tracing]'"
            ) from error
        session = requests.Session()
        session.trust_env = False  # neither proxies nor credentials that were meant for others
        certificates = collector.certificates
        self.counted = CountedExporter(
            OTLPSpanExporter(
                collector.url,
                certificate_file=None if certificates is None else str(certificates),
                headers=dict(collector.headers),
                timeout=collector.timeout_s,
                session=session,
            )
        )
        self._limit_s = collector.timeout_s
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create({"service.name": service, "service.version": version}),
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attributes=32, max_attribute_length=_VALUE_LIMIT),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                cast("SpanExporter", self.counted),
                max_queue_size=_QUEUE,
                schedule_delay_millis=_DELAY_MS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("llama_mapper", version)
        self._closed = False
        self.ended = 0

    def take_up(self, name: str, kind: SpanKind, caller: TraceContext | None) -> TraceContext:
        """See `Tracing.take_up`. Without a caller the embedding application's current span, if any, is one."""
        from opentelemetry import trace

        context = None
        if caller is not None:
            place = trace.SpanContext(
                int(caller.trace_id, 16),
                int(caller.span_id, 16),
                True,
                trace.TraceFlags(int(caller.flags, 16)),
                trace.TraceState.from_header([caller.state]) if caller.state else None,
            )
            context = trace.set_span_in_context(trace.NonRecordingSpan(place))
        span = self._tracer.start_span(name, context, _kind_of(kind))
        if not span.get_span_context().is_valid:  # the SDK is switched off by its own environment variable
            return trace_from(None if caller is None else caller.traceparent, None if caller is None else caller.state)
        state = span.get_span_context().trace_state.to_header() if caller is None else caller.state
        recorded = RecordedSpan(self, span, state)
        return recorded.trace if span.is_recording() else recorded.unrecorded

    def within(self, span: OtelSpan, name: str, kind: SpanKind) -> OtelSpan:
        """A span of the SDK within another."""
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        return self._tracer.start_span(name, set_span_in_context(span, Context()), _kind_of(kind))

    def close(self) -> None:
        """See `Tracing.close`: after `timeout_s` seconds and one more, whatever the collector does."""
        if self._closed:
            return
        self._closed = True
        flushing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        flushing.start()
        flushing.join(self._limit_s)
        if flushing.is_alive():
            self.counted.shutdown()  # the wait between two attempts ends
            flushing.join(_LAST_S)


class RecordedSpan:
    """Keeps `Span` over one of OpenTelemetry's."""

    __slots__ = ("_span", "_state", "_tracing")

    def __init__(self, tracing: OtlpTracing, span: OtelSpan, state: str) -> None:
        self._tracing = tracing
        self._span = span
        self._state = state

    @property
    def trace(self) -> TraceContext:
        """Made when it is asked for, so that the two do not hold each other."""
        place = self._span.get_span_context()
        return TraceContext(
            f"{place.trace_id:032x}", f"{place.span_id:016x}", f"{place.trace_flags:02x}", self._state, self
        )

    @property
    def unrecorded(self) -> TraceContext:
        """The same place, where nothing is recorded."""
        trace = self.trace
        return TraceContext(trace.trace_id, trace.span_id, trace.flags, trace.state)

    def begin(self, name: str, kind: SpanKind) -> RecordedSpan:
        """See `Span.begin`."""
        return RecordedSpan(self._tracing, self._tracing.within(self._span, name, kind), self._state)

    def rename(self, name: str) -> None:
        """See `Span.rename`."""
        self._span.update_name(name)

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """See `Span.set`."""
        self._span.set_attributes(dict(attributes))

    def end(self, error: str | None = None) -> None:
        """See `Span.end`."""
        from opentelemetry.trace import StatusCode

        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()
        self._tracing.ended += 1


class CountedExporter:
    """Another exporter, with a count of the spans that were taken and of those that were not."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._closed = False
        self.taken = 0
        self.refused = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, and count."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        if self._closed:
            self.refused += len(spans)
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.taken += len(spans)
        else:
            self.refused += len(spans)
        return result

    def shutdown(self) -> None:
        """Shut the other one down, once."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return timeout_millis > 0


def collector_headers(text: str, where: str) -> dict[str, str]:
    """Headers of the form `name=value`, one a line or separated by commas; lines that begin with `#` are remarks.

    Raises `CONFIGURATION_INVALID`, which names `where` and shows no value.
    """
    lines = text.splitlines()
    parts = [line for line in lines if not line.lstrip().startswith("#")] if len(lines) > 1 else text.split(",")
    headers: dict[str, str] = {}
    for part in parts:
        if not part.strip():
            continue
        match = _HEADER.fullmatch(part)
        if match is None:
            raise ConfigurationError(f"{where} must have headers of the form name=value, in printable ASCII")
        headers[match[1]] = match[2]
    return headers


def _kind_of(kind: SpanKind) -> OtelKind:
    from opentelemetry.trace import SpanKind as Theirs

    return Theirs[kind.name]
