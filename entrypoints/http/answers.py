"""Answers in JSON."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from llama_mapper.domain.contracts.orchestration import Redacted


def with_redacted(body: bytes, redacted: Redacted | None) -> bytes:
    """A JSON object with the redacted content as one more member; the body itself where there is none."""
    if redacted is None:
        return body
    return body[:-1] + b',"redacted":' + redacted.__pydantic_serializer__.to_json(redacted) + b"}"


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON, serialised once."""
    return Response(model.__pydantic_serializer__.to_json(model), status, media_type="application/json")
