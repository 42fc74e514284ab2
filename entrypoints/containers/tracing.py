"""Wiring of traces: nothing of OpenTelemetry is loaded unless the settings name a collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.settings import Settings
from llama_mapper.entrypoints.version import service_version

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.otlp_tracing import OtlpTracing
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics

_SERVICE = "llama-mapper"


def tracing_of(settings: Settings, context: str) -> OtlpTracing | None:
    """What records traces; None if they are off. `context` is the one that runs here, empty for all.

    Raises `CONFIGURATION_INVALID` if the extra is not installed, or the headers cannot be read.
    """
    if settings.tracing_endpoint is None:
        return None
    from llama_mapper.adapters.platform.otlp_tracing import OtlpCollector, OtlpTracing

    if settings.tracing_ca_file is not None and not settings.tracing_ca_file.is_file():
        raise ConfigurationError(f"tracing_ca_file: there is no file {settings.tracing_ca_file}")
    return OtlpTracing(
        OtlpCollector(
            endpoint=str(settings.tracing_endpoint),
            headers=_headers(settings),
            timeout_s=settings.tracing_timeout_s,
            certificates=settings.tracing_ca_file,
        ),
        service=settings.tracing_service_name or (f"{_SERVICE}-{context}" if context else _SERVICE),
        version=service_version(),
        ratio=settings.tracing_ratio,
    )


@asynccontextmanager
async def running_tracing(tracing: OtlpTracing | None, metrics: PrometheusMetrics) -> AsyncIterator[None]:
    """Traces are recorded within the block; at its end the last ones are handed over. Enter it first."""
    if tracing is None:
        yield
        return
    metrics.gauge("llama_mapper_trace_spans_ended", "Spans that were recorded.", lambda: tracing.ended)
    metrics.gauge("llama_mapper_trace_spans_taken", "Spans that the collector took.", lambda: tracing.counted.taken)
    metrics.gauge("llama_mapper_trace_spans_refused", "Spans that it did not take.", lambda: tracing.counted.refused)
    try:
        yield
    finally:
        await asyncio.to_thread(tracing.close)


def _headers(settings: Settings) -> dict[str, str]:
    from llama_mapper.adapters.platform.otlp_tracing import collector_headers

    if settings.tracing_headers is not None:
        return collector_headers(settings.tracing_headers.get_secret_value(), "tracing_headers")
    if settings.tracing_headers_file is None:
        return {}
    try:
        text = settings.tracing_headers_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"tracing_headers_file cannot be read ({type(error).__name__})") from None
    return collector_headers(text, "tracing_headers_file")
