"""The tables of a report: by vendor, by stage, by pair of categories, and the curves as points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from llama_mapper.domain.contracts.evaluation import (
    ConfusionRow,
    ReliabilityRow,
    RiskCoverageRow,
    StageRow,
    SubjectAnswers,
    VendorRow,
)
from llama_mapper.domain.mapping.evaluation.items import category_of
from llama_mapper.domain.mapping.evaluation.measures import Judged
from llama_mapper.domain.mapping.evaluation.metrics.calibration import reliability
from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Outcomes
from llama_mapper.domain.mapping.evaluation.metrics.selective import risk_coverage

_POINTS = 100
_DIGITS = 6


def reliability_rows(outcomes: Outcomes) -> tuple[ReliabilityRow, ...]:
    """The bins of the reliability diagram that hold answers."""
    return tuple(
        ReliabilityRow(
            low=round(one.low, _DIGITS),
            high=round(one.high, _DIGITS),
            labels=one.labels,
            confidence=round(one.confidence, _DIGITS),
            accuracy=round(one.accuracy, _DIGITS),
        )
        for one in reliability(outcomes)
    )


def risk_coverage_rows(outcomes: Outcomes) -> tuple[RiskCoverageRow, ...]:
    """At most a hundred points of the risk-coverage curve, spread evenly, the last always among them."""
    points = risk_coverage(outcomes)
    step = max(1, -(-len(points) // _POINTS))
    kept = points[::-1][::step][::-1]
    return tuple(
        RiskCoverageRow(
            threshold=round(one.threshold, _DIGITS),
            coverage=round(one.coverage, _DIGITS),
            risk=round(one.risk, _DIGITS),
        )
        for one in kept
    )


def stage_rows(judged: Sequence[Judged]) -> tuple[StageRow, ...]:
    """What each stage answered, most labels first."""
    counts = Counter(one.answer.stage for one in judged)
    return tuple(
        StageRow(
            stage=stage,
            labels=labels,
            level2_right=sum(one.level2 for one in judged if one.answer.stage is stage),
            level3_right=sum(one.level3 for one in judged if one.answer.stage is stage),
        )
        for stage, labels in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    )


def vendor_rows(judged: Sequence[Judged], accepted: Sequence[bool]) -> tuple[VendorRow, ...]:
    """Each vendor's labels, by vendor."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(judged):
        places.setdefault(one.item.key.vendor, []).append(place)
    return tuple(
        VendorRow(
            vendor=vendor,
            family=judged[own[0]].item.family,
            labels=len(own),
            answered=sum(judged[place].answer.canonical is not None for place in own),
            level2_right=sum(judged[place].level2 for place in own),
            level3_right=sum(judged[place].level3 for place in own),
            accepted=sum(accepted[place] for place in own),
            accepted_right=sum(accepted[place] and judged[place].level2 for place in own),
        )
        for vendor, own in sorted(places.items())
    )


def confusion_rows(judged: Sequence[Judged], taxonomy: Collection[str]) -> tuple[ConfusionRow, ...]:
    """Pairs of right category and another answered; an id off the taxonomy counts as none."""
    counts = Counter(
        (category_of(one.item.gold), None if (known := _known(one, taxonomy)) is None else category_of(known))
        for one in judged
        if not one.level2
    )
    return tuple(
        ConfusionRow(gold=gold, answered=answered, labels=labels)
        for (gold, answered), labels in sorted(
            counts.items(), key=lambda entry: (-entry[1], entry[0][0], entry[0][1] or "")
        )
    )


def answer_columns(judged: Sequence[Judged], taxonomy: Collection[str]) -> SubjectAnswers:
    """The answers as columns; an id off the taxonomy stands as none, with its stage and confidence."""
    prompt = tuple(one.answer.prompt_tokens for one in judged)
    completion = tuple(one.answer.completion_tokens for one in judged)
    return SubjectAnswers(
        canonical=tuple(_known(one, taxonomy) for one in judged),
        confidence=tuple(round(one.answer.confidence, _DIGITS) for one in judged),
        stage=tuple(one.answer.stage for one in judged),
        prompt_tokens=prompt if any(prompt) else (),
        completion_tokens=completion if any(completion) else (),
    )


def _known(one: Judged, taxonomy: Collection[str]) -> str | None:
    canonical = one.answer.canonical
    return canonical if canonical in taxonomy else None
