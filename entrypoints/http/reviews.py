"""The review queue over HTTP: what waits, what was decided, and decisions."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.reviews import (
    EXPORT_LIMIT,
    ReviewAcceptance,
    ReviewCorrection,
    ReviewDecisionNote,
    ReviewDeskApi,
    ReviewDetail,
    ReviewedLabel,
)
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import curated, curator_of, named, whole_number
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

_TAG = "reviews"
NDJSON = "application/x-ndjson"
_BODY_LIMIT = 16_384
_ITEM = "/v1/reviews/{review_id}"


def review_operations(api: ReviewDeskApi) -> list[Operation]:
    """What hangs below `/v1/reviews`, but for the list."""

    async def detail(request: Request, principal: Principal) -> Response:
        return json_answer(await api.detail(*_item(request, principal)))

    async def accept(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, ReviewAcceptance, _BODY_LIMIT)
        return json_answer(await api.accept(*_item(request, principal), asked, curator_of(principal)))

    async def correct(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, ReviewCorrection, _BODY_LIMIT)
        return json_answer(await api.correct(*_item(request, principal), asked, curator_of(principal)))

    async def dismiss(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, ReviewDecisionNote, _BODY_LIMIT)
        return json_answer(await api.dismiss(*_item(request, principal), asked, curator_of(principal)))

    async def reopen(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, ReviewDecisionNote, _BODY_LIMIT)
        return json_answer(await api.reopen(*_item(request, principal), asked, curator_of(principal)))

    async def export(request: Request, principal: Principal) -> Response:
        query = request.query_params
        after = whole_number(query, "after") or 0
        limit = whole_number(query, "limit", least=1, most=EXPORT_LIMIT) or 1_000
        labels = await api.export(principal.tenant_for(None), after=after, limit=limit)
        return Response(b"".join([json_form(label) + b"\n" for label in labels]), 200, media_type=NDJSON)

    return [
        Operation(
            id="exportReviews",
            method="GET",
            path="/v1/reviews:export",
            tag=_TAG,
            summary="Decided labels as training data, one JSON object a line; no names of persons.",
            scope=Scope.READ,
            handler=export,
            responses={200: (ReviewedLabel,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter(
                    "after", "`position` of the last label read.", {"type": "integer", "minimum": 0, "default": 0}
                ),
                QueryParameter(
                    "limit",
                    "Lines at the most.",
                    {"type": "integer", "minimum": 1, "maximum": EXPORT_LIMIT, "default": 1_000},
                ),
            ),
            response_media_type=NDJSON,
        ),
        curated(
            _TAG,
            "getReview",
            "GET",
            _ITEM,
            "A label that nobody could map, with every decision about it.",
            detail,
            ReviewDetail,
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
        ),
        _decision(
            "acceptReview",
            "accept",
            "Take a suggestion: the label joins the tenant's overlay within two seconds.",
            accept,
            ReviewAcceptance,
            {"revision": 0},
        ),
        _decision(
            "correctReview",
            "correct",
            "Give the canonical id: the label joins the tenant's overlay within two seconds.",
            correct,
            ReviewCorrection,
            {"canonical": "pii.personal_identifiers.email", "revision": 0},
        ),
        _decision(
            "dismissReview",
            "dismiss",
            "Say that it is no label of a risk: it goes on abstaining, and waits for nobody.",
            dismiss,
            ReviewDecisionNote,
            {"note": "a debugging label"},
        ),
        _decision(
            "reopenReview",
            "reopen",
            "Take the decision back: the label leaves the overlay and waits again.",
            reopen,
            ReviewDecisionNote,
            {"note": "was a mistake"},
        ),
    ]


def _decision(
    name: str, verb: str, summary: str, handler: Handler, body: type[BaseModel], example: dict[str, object]
) -> Operation:
    path, errors = f"{_ITEM}:{verb}", (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)
    return curated(_TAG, name, "POST", path, summary, handler, ReviewDetail, body=body, errors=errors, example=example)


def _item(request: Request, principal: Principal) -> tuple[str, str]:
    return principal.tenant_for(None), named(request, "review_id")
