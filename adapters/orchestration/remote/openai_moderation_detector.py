"""OpenAI's moderation API and those that keep its contract: `POST /v1/moderations`, `GET /v1/models`.

Which categories there are depends on the model; all that the answer has are read. A category may be null for a model
that does not judge it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llama_mapper.adapters.orchestration.remote.answers import label_of, malformed, objects_in, score_of
from llama_mapper.adapters.orchestration.remote.dialect import Dialect, Probe, Question
from llama_mapper.adapters.platform.http_calls import openai_url
from llama_mapper.domain.contracts.detectors import DetectorDefinition, OpenAiModerationDetector
from llama_mapper.domain.orchestration.ports import Inquiry, RawFinding

FLAGGED = "flagged"
"""Label of content that the service flags without naming a category."""


def dialect(definition: DetectorDefinition, protocol: OpenAiModerationDetector) -> Dialect:
    """`definition.url` is the service's base address, with or without `/v1`."""

    def ask(inquiry: Inquiry) -> tuple[Question, ...]:
        return (Question(request_of(inquiry, protocol), partial(read, protocol=protocol)),)

    probe = Probe(openai_url(definition.url, "/models"), also_alive=(404, 405))
    return Dialect(openai_url(definition.url, "/moderations"), probe, ask)


def request_of(inquiry: Inquiry, protocol: OpenAiModerationDetector) -> dict[str, Any]:
    """The body of `POST /v1/moderations`."""
    return {"model": protocol.model, "input": inquiry.text}


def read(answer: Any, protocol: OpenAiModerationDetector) -> tuple[RawFinding, ...]:
    """A finding for each category that is flagged or, with a threshold, scored that high."""
    results = objects_in(answer.get("results") if isinstance(answer, dict) else None, "results")
    if len(results) != 1:
        raise malformed("it has not one result for one input")
    (result,) = results
    flags, scores = result.get("categories"), result.get("category_scores")
    if not isinstance(flags, dict) or not isinstance(scores, dict):
        raise malformed("a result lacks its categories or their scores")
    if any(flag is not None and not isinstance(flag, bool) for flag in flags.values()):
        raise malformed("a category is neither flagged nor unflagged")
    judged = {label_of(label): score_of(score) for label, score in scores.items() if score is not None}
    if protocol.flag_threshold is not None:
        at_least = protocol.flag_threshold
        return tuple([RawFinding(label, score) for label, score in judged.items() if score >= at_least])
    flagged = [label for label, flag in flags.items() if flag]
    if any(label not in judged for label in flagged):
        raise malformed("a flagged category has no score")
    if not flagged and result.get("flagged") is True:
        return (RawFinding(FLAGGED, 1.0),)
    return tuple([RawFinding(label, judged[label]) for label in flagged])
