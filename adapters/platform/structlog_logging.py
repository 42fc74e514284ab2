"""Structured logs: one JSON object a line on standard error, with the trace id; never content.

Other people's libraries may log what they were given, so that they are heard from WARNING upwards only, whatever
level is set, and their lines lose the arguments that were interpolated into the message.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from llama_mapper.domain.kernel.trace import CURRENT_TRACE

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def configure_logging(level: LogLevel, style: Literal["json", "console"] = "json") -> None:
    """Set up logging for a process of our own: servers and commands call it, the embedded library never does."""
    import orjson
    import structlog

    shared: list[Any] = [
        structlog.processors.add_log_level,
        _add_trace_and_time,
    ]
    if style == "json":
        structlog.configure(
            processors=[*shared, structlog.processors.JSONRenderer(serializer=orjson.dumps)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
            logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[*shared, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
            logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
            cache_logger_on_first_use=True,
        )
    root = logging.getLogger()
    root.handlers = [_ForeignHandler()]
    root.setLevel(logging.WARNING)


class _ForeignHandler(logging.Handler):
    """Passes on that a library logged, and its message template, without the values put into it."""

    def emit(self, record: logging.LogRecord) -> None:
        import structlog

        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        template = record.msg if record.args and isinstance(record.msg, str) else type(record.msg).__name__
        structlog.get_logger("llama_mapper.foreign").log(
            record.levelno, "library_message", library=record.name, template=template, error=error
        )


def _add_trace_and_time(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    trace = CURRENT_TRACE.get()
    if trace is not None:
        event["trace_id"] = trace.trace_id
    event["at"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return event
