"""Errors as RFC 9457 problem details: the one table from error codes to status codes."""

from __future__ import annotations

import math
from typing import Annotated, Any

import orjson
import structlog
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.refusals import FieldFault
from llama_mapper.domain.kernel.errors import DocumentError, ErrorCode, ServiceError
from llama_mapper.domain.kernel.trace import CURRENT_TRACE

PROBLEM_TYPE = "application/problem+json"
UNEXPECTED = "an unexpected error; the trace id finds it in the logs"

STATUS: dict[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.POLICY_NOT_FOUND: 400,
    ErrorCode.POLICY_SCHEMA_UNSUPPORTED: 400,
    ErrorCode.FRAMEWORK_NOT_FOUND: 400,
    ErrorCode.EDITION_NOT_FOUND: 400,
    ErrorCode.SCHEMA_UNKNOWN: 400,
    ErrorCode.CATEGORY_NOT_FOUND: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.INSUFFICIENT_RBAC: 403,
    ErrorCode.TENANT_MISMATCH: 403,
    ErrorCode.FOUR_EYES: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.DETECTOR_NOT_FOUND: 404,
    ErrorCode.MODEL_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.CONFLICT: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.POLICY_STATE: 409,
    ErrorCode.MODEL_STATE: 409,
    ErrorCode.MODEL_INCOMPATIBLE: 409,
    ErrorCode.MODEL_BELOW_GATE: 409,
    ErrorCode.RELEASE_STATE: 409,
    ErrorCode.ACCURACY_TOO_LOW: 409,
    ErrorCode.CONTENT_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.UNPROCESSABLE_CONTENT: 422,
    ErrorCode.DETECTOR_INVALID: 422,
    ErrorCode.DETECTOR_PROBE_FAILED: 422,
    ErrorCode.EVIDENCE_INVALID: 422,
    ErrorCode.ARTIFACT_CORRUPTED: 422,
    ErrorCode.MODEL_INVALID: 422,
    ErrorCode.RELEASE_GATE_FAILED: 422,
    ErrorCode.DOCUMENT_INVALID: 422,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.JOB_QUEUE_FULL: 429,
    ErrorCode.DETECTOR_OVERLOADED: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.POLICY_INVALID: 500,
    ErrorCode.CATALOGUE_INVALID: 500,
    ErrorCode.CONFIGURATION_INVALID: 500,
    ErrorCode.TRAINING_FAILED: 500,
    ErrorCode.ALL_DETECTORS_UNAVAILABLE: 502,
    ErrorCode.UPSTREAM_INVALID_RESPONSE: 502,
    ErrorCode.JOB_INTERRUPTED: 503,
    ErrorCode.SERVICE_UNAVAILABLE: 503,
    ErrorCode.STORE_UNAVAILABLE: 503,
    ErrorCode.REQUEST_TIMEOUT: 504,
}

_TITLES: dict[int, str] = {
    400: "The request is not valid",
    401: "A valid credential is needed",
    403: "The credential does not permit this",
    404: "There is no such thing",
    405: "The method is not allowed here",
    409: "The request conflicts with what is stored",
    413: "The content is too large",
    415: "The media type is not supported",
    422: "The content cannot be processed",
    429: "Too many requests",
    500: "Something went wrong on our side",
    502: "Nothing behind this service answered",
    503: "The service cannot answer now",
    504: "The deadline passed",
}


class ProblemDetail(BaseModel):
    """One thing that is wrong with a request body."""

    model_config = ConfigDict(frozen=True)

    field: Annotated[str, Field(max_length=512)]
    """Where, dotted: `labels.3.vendor`; empty for the body as a whole."""
    message: Annotated[str, Field(max_length=512)]


class Problem(BaseModel):
    """An RFC 9457 problem document, with the stable code and whether the same request may be sent again."""

    model_config = ConfigDict(frozen=True)

    type: str
    """`urn:llama-mapper:error:` + the code in lower case."""
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: ErrorCode
    retryable: bool
    retry_after_s: Annotated[float, Field(ge=0)] | None = None
    """Seconds to wait before sending again, where they are known; `Retry-After` has them in whole seconds."""
    trace_id: str | None = None
    """The W3C trace id under which the logs name this request."""
    errors: tuple[ProblemDetail, ...] = ()


def problem_response(error: ServiceError, faults: tuple[FieldFault, ...] = ()) -> Response:
    """The answer for an error."""
    status = STATUS[error.error_code]
    trace = CURRENT_TRACE.get()
    if trace is not None and trace.span is not None:
        trace.span.set({"llama_mapper.error.code": error.error_code.value})
    body: dict[str, Any] = {
        "type": f"urn:llama-mapper:error:{error.error_code.value.lower()}",
        "title": _TITLES[status],
        "status": status,
        "detail": error.message,
        "code": error.error_code.value,
        "retryable": error.retryable,
        "retry_after_s": error.retry_after_s,
        "trace_id": trace.trace_id if trace else None,
        "errors": [{"field": fault.field, "message": fault.message} for fault in faults],
    }
    headers = {}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="llama-mapper"'
    if error.retry_after_s is not None or status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s or 1.0)))
    return Response(orjson.dumps(body), status, headers, PROBLEM_TYPE)


def refusal(error: ServiceError) -> Response:
    """Answer for an error raised on purpose; faults on our side are logged with the class of their cause."""
    if STATUS[error.error_code] >= 500:
        cause = type(error.__cause__).__name__ if error.__cause__ else None
        structlog.get_logger("llama_mapper.http").warning("request_failed", code=error.error_code.value, cause=cause)
    if isinstance(error, DocumentError):
        faults = tuple(FieldFault(where[:512], what[:512]) for where, what in error.problems)
        return problem_response(error, faults)
    return problem_response(error)


def failure(error: Exception) -> Response:
    """Answer for an error nobody foresaw. Only its class is logged: its message could quote content."""
    structlog.get_logger("llama_mapper.http").error("unexpected_error", error=type(error).__name__, at=_place(error))
    return problem_response(ServiceError(UNEXPECTED))


async def on_http_exception(_: Request, error: Exception) -> Response:
    """Answer for what the router refuses."""
    if not isinstance(error, HTTPException):
        raise error
    code = {
        404: ErrorCode.NOT_FOUND,
        405: ErrorCode.METHOD_NOT_ALLOWED,
        413: ErrorCode.CONTENT_TOO_LARGE,
        415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    }.get(error.status_code, ErrorCode.INVALID_REQUEST)
    response = problem_response(ServiceError(_TITLES[STATUS[code]], code))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _place(error: BaseException) -> str:
    """File and line where the error was raised, without any value."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
