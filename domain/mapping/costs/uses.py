"""How labels were answered, as counts by day, strategy, stage and confidence: nothing in them is a label."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy

BUCKETS = 100
"""Confidences from 0 to 1 in steps of a hundredth; the last bucket holds 1 alone."""


class UseKind(StrEnum):
    """What was counted."""

    ANSWERED = "answered"
    """Labels by the stage that answered and its confidence; of an abstention how sure it would have been."""
    ASKED = "asked"
    """Labels that a stage ranked anew; bucket 0."""
    REMEMBERED = "remembered"
    """Labels whose ranking a stage remembered; bucket 0."""
    PASSED_ON = "passed_on"
    """Labels that early stages left to a late one, by the stage that answered in the end and by how sure the early
    ones had been."""


class Use(NamedTuple):
    """What is counted together on one day. A tuple: every request makes some."""

    strategy: MappingStrategy
    kind: UseKind
    stage: MappingStage
    bucket: int = 0


class UseKey(NamedTuple):
    """A use on a day (days since 1970-01-01, UTC)."""

    day: int
    use: Use


def bucket_of(confidence: float) -> int:
    """The bucket of a confidence; its lower edge belongs to it."""
    return min(BUCKETS, round(confidence * 10_000) // 100)


def confidence_of(bucket: int) -> float:
    """What the confidences of a bucket are taken for: its middle."""
    return 1.0 if bucket >= BUCKETS else (bucket + 0.5) / BUCKETS
