"""The FMS detector API, as published with fms-guardrails-orchestrator (docs/api/openapi_detector_api.yaml).

`/text/contents` takes a list of texts and answers, for each in order, a list of detections with a span. `/text/chat`,
`/text/context/doc` and `/text/generation` answer one list of detections without spans. The document does not say what
`start` and `end` count. The orchestrator cuts Rust `char`s by them and the detectors published for it are Python code
that slices `str`: both are Unicode code points, and so are ours.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llama_mapper.adapters.orchestration.remote.answers import finding, malformed, objects_in, score_of
from llama_mapper.adapters.orchestration.remote.dialect import Dialect, Probe, Question, below, messages_of
from llama_mapper.domain.contracts.detectors import DetectorDefinition, FmsDetector, FmsEndpoint
from llama_mapper.domain.contracts.orchestration import Role
from llama_mapper.domain.orchestration.ports import DetectorFailed, Inquiry, RawFinding

NOT_APPLICABLE = "DETECTOR_NOT_APPLICABLE"


def dialect(definition: DetectorDefinition, protocol: FmsDetector) -> Dialect:
    """`definition.url` is what comes before `/api/v1`."""

    def ask(inquiry: Inquiry) -> tuple[Question, ...]:
        return (Question(request_of(inquiry, protocol), partial(read, inquiry=inquiry, protocol=protocol)),)

    return Dialect(
        below(definition.url, f"/api/v1/text/{protocol.endpoint}"),
        Probe(below(definition.url, "/health")),
        ask,
        {"detector-id": protocol.detector_id},
    )


def request_of(inquiry: Inquiry, protocol: FmsDetector) -> dict[str, Any]:
    """The body for the protocol's endpoint.

    Raises `DetectorFailed` (`DETECTOR_NOT_APPLICABLE`) where the endpoint needs a document or an answer that the
    conversation does not have.
    """
    params = {"detector_params": protocol.params}
    match protocol.endpoint:
        case FmsEndpoint.CONTENTS:
            return {"contents": [inquiry.text], **params}
        case FmsEndpoint.CHAT:
            return {"messages": messages_of(inquiry), **params}
        case FmsEndpoint.CONTEXT_DOC:
            documents = _said_by(inquiry, Role.DOCUMENT)
            said = _said_by(inquiry, Role.ASSISTANT) or _said_by(inquiry, Role.USER)
            if not documents or not said:
                raise DetectorFailed("the content has no document with a message to hold against it", NOT_APPLICABLE)
            return {
                "content": said[-1],
                "context_type": protocol.context_type,
                "context": documents,
                **params,
            }
        case FmsEndpoint.GENERATION:
            prompts, answers = _said_by(inquiry, Role.USER), _said_by(inquiry, Role.ASSISTANT)
            if not prompts or not answers:
                raise DetectorFailed("the content has no prompt with an answer to it", NOT_APPLICABLE)
            return {"prompt": prompts[-1], "generated_text": answers[-1], **params}


def read(answer: Any, inquiry: Inquiry, protocol: FmsDetector) -> tuple[RawFinding, ...]:
    """The findings of an endpoint's answer, without those whose label says that nothing was found."""
    spans = protocol.endpoint is FmsEndpoint.CONTENTS
    if spans:
        if not isinstance(answer, list) or len(answer) != 1:
            raise malformed("it is not a list with one list of detections for one text")
        answer = answer[0]
    label = protocol.label_field
    return tuple(
        [
            finding(
                one.get(label),
                score_of(one.get("score")),
                one.get("start") if spans else None,
                one.get("end") if spans else None,
                len(inquiry.text),
            )
            for one in objects_in(answer, "the detections")
            if one.get(label) not in protocol.clean_labels
        ]
    )


def _said_by(inquiry: Inquiry, role: Role) -> list[str]:
    return [inquiry.text[turn.start : turn.end] for turn in inquiry.turns if turn.role is role]
