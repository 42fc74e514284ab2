"""Answers in JSON."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from llama_mapper.domain.contracts.json_form import json_form


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON, serialised once."""
    return Response(json_form(model), status, media_type="application/json")
