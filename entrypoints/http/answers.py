"""Answers in JSON."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest, OrchestrationResponse, Redacted
from llama_mapper.domain.orchestration.redaction import redact
from llama_mapper.entrypoints.http.idempotency import PartlyKept


def with_redacted(
    asked: OrchestrationRequest,
    answer: OrchestrationResponse,
    body: bytes,
    status: int,
    headers: dict[str, str] | None = None,
) -> Response:
    """`body`, a JSON object, as the answer: with the redacted content as one more member where the verdict asks for it.

    The redacted content is content, so that it is no part of what may be kept of the answer.
    """
    redacted = redact(asked, answer)
    if redacted is None:
        return Response(body, status, headers, "application/json")
    return PartlyKept(_joined(body, redacted), body, status, headers)


def redacted_again(asked: OrchestrationRequest, answer: OrchestrationResponse, kept: bytes) -> bytes:
    """The whole body once more, of the request and what was kept of its answer."""
    redacted = redact(asked, answer)
    return kept if redacted is None else _joined(kept, redacted)


def _joined(body: bytes, redacted: Redacted) -> bytes:
    return body[:-1] + b',"redacted":' + json_form(redacted) + b"}"


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON, serialised once."""
    return Response(json_form(model), status, media_type="application/json")
