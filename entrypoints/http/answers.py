"""Answers in JSON."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON, serialised once."""
    return Response(model.__pydantic_serializer__.to_json(model), status, media_type="application/json")
