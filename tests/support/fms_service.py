"""A detector service written from the published OpenAPI document of the FMS detector API and nothing else.

`python fms_service.py PORT`. It knows what the document says: four routes and `/health`, the header `detector-id`, the
bodies' required fields, their types and the values of `context_type`, detections by their required fields, errors of
`code` and `message`. It is as strict as the document allows.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DETECTOR_ID = "dummy-en-pii-v1"
_MAIL = re.compile(r"[\w.]+@[\w.]+")


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    detector_params: dict[str, Any] = Field(default_factory=dict)


class _Contents(_Body):
    contents: list[str]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)
    role: Literal["system", "user", "assistant"]
    content: str


class _Chat(_Body):
    messages: list[_Message]


class _Context(_Body):
    content: str
    context_type: Literal["url", "chunks", "document"]
    context: list[str]


class _Generation(_Body):
    prompt: str
    generated_text: str


def _contents(body: _Contents) -> list[list[dict[str, object]]]:
    return [
        [
            {
                "start": found.start(),
                "end": found.end(),
                "text": found.group(),
                "detection": "EmailAddress",
                "detection_type": "pii",
                "score": 0.99,
                "evidence": [{"name": "pattern", "value": "mail", "score": 0.99}],
            }
            for found in _MAIL.finditer(text)
        ]
        for text in body.contents
    ]


def _detection(detection: str, detection_type: str, score: float) -> list[dict[str, object]]:
    return [{"detection": detection, "detection_type": detection_type, "score": score}]


def _chat(body: _Chat) -> list[dict[str, object]]:
    mails = sum(bool(_MAIL.search(message.content)) for message in body.messages)
    return _detection(f"mails_{mails}", "pii", 0.68)


def _context(body: _Context) -> list[dict[str, object]]:
    supported = any(body.content in document for document in body.context)
    return _detection("relevant" if supported else "ungrounded", "relevance", 0.9)


def _generation(body: _Generation) -> list[dict[str, object]]:
    return _detection("echo" if body.prompt in body.generated_text else "own", "originality", 0.5)


def _route(path: str, model: type[_Body], answer: Any) -> Route:
    async def handle(request: Request) -> Response:
        if request.headers.get("detector-id") != DETECTOR_ID:
            return JSONResponse({"code": 404, "message": "no such detector"}, 404)
        try:
            body = model.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"code": 422, "message": "not by the document"}, 422)
        return JSONResponse(answer(body))

    return Route(path, handle, methods=["POST"])


async def _health(_: Request) -> Response:
    return Response()


APP = Starlette(
    routes=[
        _route("/api/v1/text/contents", _Contents, _contents),
        _route("/api/v1/text/chat", _Chat, _chat),
        _route("/api/v1/text/context/doc", _Context, _context),
        _route("/api/v1/text/generation", _Generation, _generation),
        Route("/health", _health),
    ]
)

if __name__ == "__main__":
    uvicorn.run(APP, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
