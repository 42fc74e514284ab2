"""What every request leaves behind: a trace id, a log line, three metrics and a span; never anything of its body."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mapper.domain.kernel.trace import CURRENT_TRACE, Span, SpanKind, TraceContext, caller_from, trace_from
from llama_mapper.domain.kernel.tracing import Tracing
from llama_mapper.entrypoints.http.headers import header_of, list_of

OnRequest = Callable[[str, str, int, float], None]
"""Told of each request: method, route template, status, seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask every few seconds."""


class TelemetryMiddleware:
    """Takes up or starts a W3C trace, answers with its `traceparent`, logs one line and counts the request.

    The route's template is logged, counted and traced, not the path: a path is the caller's text.
    """

    def __init__(self, app: ASGIApp, on_request: OnRequest, tracing: Tracing | None = None) -> None:
        self._app = app
        self._on_request = on_request
        self._tracing = tracing
        self._log = structlog.get_logger("llama_mapper.http").bind()  # once, not at every line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = self._trace(scope)
        token = CURRENT_TRACE.set(trace)
        traceparent = trace.traceparent.encode()
        status = 500
        started = perf_counter()

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"traceparent", traceparent)]
            await send(message)

        try:
            await self._app(scope, receive, send_traced)
        finally:
            seconds = perf_counter() - started
            route = scope.get("route")
            template = getattr(route, "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._on_request(method, template, status, seconds)
            self._log.info("request", method=method, route=template, status=status, ms=round(seconds * 1000, 3))
            CURRENT_TRACE.reset(token)
            if trace.span is not None:
                _end(trace.span, method, None if route is None else template, status, scope["scheme"])

    def _trace(self, scope: Scope) -> TraceContext:
        traceparent = header_of(scope, b"traceparent")
        tracestate = None if traceparent is None else list_of(scope, b"tracestate")
        if self._tracing is None or scope["path"] in _UNTRACED:
            return trace_from(traceparent, tracestate)
        return self._tracing.take_up("request", SpanKind.SERVER, caller_from(traceparent, tracestate))


def _end(span: Span, method: str, template: str | None, status: int, scheme: str) -> None:
    known = method in _METHODS
    span.rename(" ".join(filter(None, (method if known else "HTTP", template))))
    span.set(
        {
            "http.request.method": method if known else "_OTHER",
            "http.response.status_code": status,
            "url.scheme": scheme,
        }
    )
    if template is not None:
        span.set({"http.route": template})
    span.end(str(status) if status >= 500 else None)
