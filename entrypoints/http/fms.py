"""Our own detectors under the FMS detector API, so that FMS Guardrails Orchestrator and others can call them.

The contract: github.com/foundation-model-stack/fms-guardrails-orchestrator, docs/api/openapi_detector_api.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.base import CONTENT_LIMIT
from llama_mapper.domain.contracts.detectors import DetectorDeskApi
from llama_mapper.domain.contracts.orchestration import Finding, Message, Role
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.fms_contracts import (
    FmsChatRequest,
    FmsContentsRequest,
    FmsContentsResponse,
    FmsContextRequest,
    FmsContextType,
    FmsDetection,
    FmsDetectionsResponse,
    FmsError,
    FmsEvidence,
    FmsGenerationRequest,
    FmsMessage,
    FmsRole,
    FmsSpan,
)
from llama_mapper.entrypoints.http.operations import ErrorForm, Handler, Operation, QueryParameter
from llama_mapper.entrypoints.http.problems import STATUS

UNMAPPED = "unmapped"
"""The detection type of a label whose risk category nobody knows."""


def _status(code: ErrorCode) -> int:
    return 422 if STATUS[code] == 400 else STATUS[code]


def _answer(error: ServiceError) -> Response:
    status = _status(error.error_code)
    body = FmsError(code=status, message=error.message).model_dump_json()
    headers = {"www-authenticate": 'Bearer realm="llama-mapper"'} if status == 401 else {}
    return Response(body, status, headers, "application/json")


FMS_ERRORS = ErrorForm(FmsError, _status, _answer)
_DETECTOR_ID = QueryParameter(
    "detector-id",
    "Which detector: its name in `/v1/detectors`.",
    {"type": "string", "minLength": 1, "maxLength": 128},
    required=True,
)


def spans_of(text: str, findings: Iterable[Finding], threshold: float) -> list[FmsSpan]:
    """The findings of one text, as the detector gave them, from `threshold` on."""
    spans = []
    for finding in findings:
        if finding.score >= threshold:
            start, end = (finding.span.start, finding.span.end) if finding.span else (0, len(text))
            spans.append(
                FmsSpan(
                    start=start,
                    end=end,
                    text=text[start:end],
                    detection=finding.label,
                    detection_type=finding.category or UNMAPPED,
                    score=finding.score,
                )
            )
    return spans


def detections_of(parts: Sequence[str], findings: Iterable[Finding], threshold: float) -> list[FmsDetection]:
    """The labels found, each once with its highest score; `parts` names the messages that findings count."""
    best: dict[str, Finding] = {}
    places: dict[str, dict[str, float]] = {}
    for finding in findings:
        if finding.score < threshold:
            continue
        known = best.get(finding.label)
        if known is None or finding.score > known.score:
            best[finding.label] = finding
        if finding.message is not None:
            found = places.setdefault(finding.label, {})
            part = parts[finding.message]
            found[part] = max(finding.score, found.get(part, 0.0))
    return [
        FmsDetection(
            detection=label,
            detection_type=finding.category or UNMAPPED,
            score=finding.score,
            evidence=[FmsEvidence(name=part, score=score) for part, score in places.get(label, {}).items()],
        )
        for label, finding in sorted(best.items(), key=lambda entry: -entry[1].score)
    ]


def fms_operations(api: DetectorDeskApi, body_limit: int) -> list[Operation]:
    """`/api/v1/text/…`."""

    async def contents(request: Request, principal: Principal) -> Response:
        detector = _detector(request)
        asked = await read_model(request, FmsContentsRequest, body_limit)
        threshold = _threshold(asked.detector_params)
        found = await api.inspect(principal.tenant_for(None), detector, asked.contents)
        pairs = zip(asked.contents, found, strict=True)
        return json_answer(FmsContentsResponse([spans_of(text, findings, threshold) for text, findings in pairs]))

    async def chat(request: Request, principal: Principal) -> Response:
        detector = _detector(request)
        asked = await read_model(request, FmsChatRequest, body_limit)
        parts = [(f"messages[{at}]", _ROLES[one.role], _text_of(one)) for at, one in enumerate(asked.messages)]
        return await judged(detector, principal, parts, asked.detector_params)

    async def context(request: Request, principal: Principal) -> Response:
        detector = _detector(request)
        asked = await read_model(request, FmsContextRequest, body_limit)
        if asked.context_type is FmsContextType.URL:
            raise ValidationError("context_type url is not served: send the documents themselves")
        parts = [(f"context[{at}]", Role.DOCUMENT, text) for at, text in enumerate(asked.context)]
        parts.append(("content", Role.ASSISTANT, asked.content))
        return await judged(detector, principal, parts, asked.detector_params)

    async def generation(request: Request, principal: Principal) -> Response:
        detector = _detector(request)
        asked = await read_model(request, FmsGenerationRequest, body_limit)
        parts = [("prompt", Role.USER, asked.prompt), ("generated_text", Role.ASSISTANT, asked.generated_text)]
        return await judged(detector, principal, parts, asked.detector_params)

    async def judged(
        detector: str, principal: Principal, parts: Sequence[tuple[str, Role, str]], params: dict[str, JsonValue]
    ) -> Response:
        threshold = _threshold(params)
        filled = [part for part in parts if part[2]]
        if sum(len(text) + 2 for _, _, text in filled) > CONTENT_LIMIT:
            raise ValidationError("the request has too much text", ErrorCode.CONTENT_TOO_LARGE)
        messages = [Message(role=role, content=text) for _, role, text in filled]
        found = await api.inspect_messages(principal.tenant_for(None), detector, messages)
        return json_answer(FmsDetectionsResponse(detections_of([name for name, _, _ in filled], found, threshold)))

    def operation(
        id: str,
        path: str,
        summary: str,
        handler: Handler,
        request: type[BaseModel],
        response: type[BaseModel],
        example: dict[str, object],
    ) -> Operation:
        return Operation(
            id=id,
            method="POST",
            path=f"/api/v1/text/{path}",
            tag="drop-in",
            summary=summary,
            scope=Scope.ASSESS,
            handler=handler,
            requests=(request,),
            responses={200: (response,)},
            errors=(
                ErrorCode.DETECTOR_NOT_FOUND,
                ErrorCode.SERVICE_UNAVAILABLE,
                ErrorCode.UPSTREAM_INVALID_RESPONSE,
                ErrorCode.INVALID_REQUEST,
            ),
            headers=(_DETECTOR_ID,),
            error_form=FMS_ERRORS,
            example=example,
        )

    return [
        operation(
            "fmsTextContents",
            "contents",
            "FMS detector API: what one detector finds in each text.",
            contents,
            FmsContentsRequest,
            FmsContentsResponse,
            {"contents": ["Write to anna@example.com"], "detector_params": {"threshold": 0.5}},
        ),
        operation(
            "fmsTextChat",
            "chat",
            "FMS detector API: what one detector finds in a conversation.",
            chat,
            FmsChatRequest,
            FmsDetectionsResponse,
            {"messages": [{"role": "user", "content": "Write to anna@example.com"}]},
        ),
        operation(
            "fmsTextContextDoc",
            "context/doc",
            "FMS detector API: what one detector finds in a text and the documents behind it.",
            context,
            FmsContextRequest,
            FmsDetectionsResponse,
            {"content": "Write to her.", "context_type": "docs", "context": ["anna@example.com"]},
        ),
        operation(
            "fmsTextGeneration",
            "generation",
            "FMS detector API: what one detector finds in a prompt and the text generated from it.",
            generation,
            FmsGenerationRequest,
            FmsDetectionsResponse,
            {"prompt": "Her address?", "generated_text": "anna@example.com"},
        ),
    ]


_ROLES = {role: Role.TOOL if role is FmsRole.FUNCTION else Role(role.value) for role in FmsRole}


def _detector(request: Request) -> str:
    name = request.headers.get("detector-id", "")
    if not 1 <= len(name) <= 128:
        raise ValidationError("the header detector-id names a detector in 1 to 128 characters")
    return name


def _threshold(params: dict[str, JsonValue]) -> float:
    threshold = params.get("threshold")
    if threshold is None:
        return 0.0
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ValidationError("detector_params.threshold is a number from 0 to 1")
    return float(threshold)


def _text_of(message: FmsMessage) -> str:
    """All that a detector can read of a message: its text, and what it calls tools with."""
    content = message.content
    texts = [content] if isinstance(content, str) else [part.text for part in content or ()]
    texts += [call.function.arguments for call in message.tool_calls or ()]
    return "\n".join(text for text in texts if text)
