"""OpenAI's moderation contract (platform.openai.com/docs/api-reference/moderations), answered by the whole chain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.assessment import Assessment, AssessmentApi, AssessmentRecord, AssessmentRequest
from llama_mapper.domain.contracts.base import CONTENT_LIMIT
from llama_mapper.domain.contracts.mapping import OutputFormat
from llama_mapper.domain.contracts.orchestration import CONTENT_PATTERN
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.assessments import CHAIN_ERRORS
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.idempotency import Idempotent
from llama_mapper.entrypoints.http.operations import Operation

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "harassment": ("content.harassment", "content.toxic_language.insult", "content.toxic_language.severe"),
    "harassment/threatening": ("content.harassment.threatening",),
    "hate": ("content.hate_speech",),
    "hate/threatening": ("content.hate_speech.threatening",),
    "illicit": ("illicit",),
    "illicit/violent": ("content.violence.violent_crime", "illicit.weapons"),
    "self-harm": ("content.self_harm",),
    "self-harm/intent": ("content.self_harm.intent",),
    "self-harm/instructions": ("content.self_harm.instructions",),
    "sexual": ("content.sexual",),
    "sexual/minors": ("content.child_safety",),
    "violence": ("content.violence",),
    "violence/graphic": ("content.violence.graphic",),
}
"""OpenAI's category → canonical ids whose subtree it covers."""

_Text = Annotated[str, Field(min_length=1, max_length=CONTENT_LIMIT, pattern=CONTENT_PATTERN)]


class _Moderation(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class ModerationText(_Moderation):
    """A text part of a multi-modal input."""

    type: Literal["text"]
    text: _Text


class ModerationRequest(_Moderation):
    """What `client.moderations.create()` sends. Images are refused: no detector here judges them."""

    input: (
        _Text
        | Annotated[list[_Text], Field(min_length=1, max_length=32)]
        | Annotated[list[ModerationText], Field(min_length=1, max_length=32)]
    )
    model: Annotated[str, Field(max_length=128)] | None = None
    """Accepted and ignored: the policy chooses the detectors."""


class ModerationResult(_Moderation):
    """The verdict on one input."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text"]]]


class ModerationResponse(_Moderation):
    """One result an input, in order."""

    id: str
    model: str
    results: tuple[ModerationResult, ...]


def moderation_result(assessment: Assessment) -> ModerationResult:
    """An assessment in OpenAI's thirteen categories.

    A category is true where the policy flagged a risk category under it; its score is the highest score of an upheld
    finding there. `flagged` is true where any of the thirteen is: findings of other kinds are not in this contract.
    """
    flagged = {
        outcome.category for outcome in assessment.orchestration.aggregation_summary.categories if outcome.flagged
    }
    scores = dict.fromkeys(CATEGORIES, 0.0)
    categories = dict.fromkeys(CATEGORIES, False)
    for canonical, score in assessment.mapping.scores.items():
        category = ".".join(canonical.split(".")[:2])
        for name, subtrees in CATEGORIES.items():
            if any(canonical == tree or canonical.startswith(tree + ".") for tree in subtrees):
                scores[name] = max(scores[name], score)
                categories[name] = categories[name] or category in flagged
    return ModerationResult(
        flagged=any(categories.values()),
        categories=categories,
        category_scores=scores,
        category_applied_input_types={name: ["text"] for name in CATEGORIES},
    )


async def _all(assessing: Sequence[Coroutine[Any, Any, AssessmentRecord]]) -> list[AssessmentRecord]:
    """All at once; if one fails the others are stopped, and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in assessing]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def moderation_operations(api: AssessmentApi, service_version: str, body_limit: int) -> list[Operation]:
    """`/v1/moderations`."""

    async def moderate(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, ModerationRequest, body_limit)
        parts = [asked.input] if isinstance(asked.input, str) else asked.input
        texts = [part if isinstance(part, str) else part.text for part in parts]
        records = await _all(
            [
                api.assess(
                    AssessmentRequest(
                        content=text, tenant_id=principal.tenant_id, output_format=OutputFormat.TAXONOMY_ONLY
                    )
                )
                for text in texts
            ]
        )
        return json_answer(
            ModerationResponse(
                id=f"modr-{records[0].assessment.id.removeprefix('asm_')}",
                model=f"llama-mapper-{service_version}",
                results=tuple(moderation_result(record.assessment) for record in records),
            )
        )

    return [
        Operation(
            id="createModeration",
            method="POST",
            path="/v1/moderations",
            tag="drop-in",
            summary="OpenAI's moderation contract, so that its clients work unchanged.",
            idempotent=Idempotent(body_limit),
            scope=Scope.ASSESS,
            handler=moderate,
            requests=(ModerationRequest,),
            responses={200: (ModerationResponse,)},
            errors=CHAIN_ERRORS,
            example={"input": "I will find you and hurt you."},
        )
    ]
