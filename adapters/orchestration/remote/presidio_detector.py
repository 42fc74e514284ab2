"""Presidio's analyzer service: `POST /analyze`, `GET /health`. Its offsets count code points."""

from __future__ import annotations

from functools import partial
from typing import Any

from llama_mapper.adapters.orchestration.remote.answers import finding, objects_in, score_of
from llama_mapper.adapters.orchestration.remote.dialect import Dialect, Probe, Question, below
from llama_mapper.domain.contracts.detectors import DetectorDefinition, PresidioDetector
from llama_mapper.domain.orchestration.ports import Inquiry, RawFinding


def dialect(definition: DetectorDefinition, protocol: PresidioDetector) -> Dialect:
    """`definition.url` is what comes before `/analyze`."""

    def ask(inquiry: Inquiry) -> tuple[Question, ...]:
        return (Question(request_of(inquiry, protocol), partial(read, inquiry=inquiry)),)

    return Dialect(below(definition.url, "/analyze"), Probe(below(definition.url, "/health")), ask)


def request_of(inquiry: Inquiry, protocol: PresidioDetector) -> dict[str, Any]:
    """The body of `POST /analyze`."""
    body: dict[str, Any] = {
        "text": inquiry.text,
        "language": protocol.language,
        "score_threshold": protocol.score_threshold,
    }
    if protocol.entities:
        body["entities"] = list(protocol.entities)
    return body


def read(answer: Any, inquiry: Inquiry) -> tuple[RawFinding, ...]:
    """The entities found."""
    return tuple(
        [
            finding(
                one.get("entity_type"), score_of(one.get("score")), one.get("start"), one.get("end"), len(inquiry.text)
            )
            for one in objects_in(answer, "the result")
        ]
    )
