"""Reconciles detectors that judge the same risk category.

Each category is resolved on its own: what a detector says about personal data has no say about toxicity. A
succeeding detector votes in a category if it found something there, or if its silence speaks for it: it declares the
category, gave no label that is unknown or says `ambiguous`, and is made for the content's language as far as that is
known. A vote
*flags* if its strongest finding reaches the category's lowest action threshold, and *clears* otherwise.

How votes are resolved (ties always flag, and the order of votes never matters):

- `most_restrictive`: flagged if any vote flags; the score is the strongest finding's.
- `majority_vote`: one detector, one vote; flagged if at least half of the votes flag; the score is that of the
  strongest flagging vote, or of the strongest finding below the threshold.
- `highest_confidence`: the most confident vote decides. A flagging vote is as confident as its strongest finding, a
  silent one as its `clean_confidence`, a weaker finding as 1 minus its score. The score is that of the strongest vote
  on the winning side.
- `weighted_average`: the score is the mean of the votes' strongest findings (0 for silence), each with its detector's
  weight, silence further multiplied by its `clean_confidence`; flagged if the mean reaches the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CategoryOutcome,
    ConflictMethod,
    DetectorResult,
    DetectorStatus,
)
from llama_mapper.domain.orchestration.model import DetectorTerms, Plan

NO_FINDING = "meta.outcome"
"""The category of labels that say `safe`, `ambiguous` or `unmapped`: kept on the finding, never flagged."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one detector says in one category: its strongest score there, or None for silence."""

    detector: str
    score: float | None
    weight: float = 1.0
    clean_confidence: float = 0.5


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the votes of one category amount to."""

    flagged: bool
    score: float
    flagged_by: tuple[str, ...]
    cleared_by: tuple[str, ...]


def resolve(method: ConflictMethod, votes: Iterable[Vote], threshold: float) -> Resolution:
    """Resolve the votes of one category; a vote flags from `threshold` upwards."""
    flags: list[Vote] = []
    clears: list[Vote] = []
    for vote in votes:
        (flags if vote.score is not None and vote.score >= threshold else clears).append(vote)
    high = max((vote.score or 0.0 for vote in flags), default=0.0)
    low = max((vote.score or 0.0 for vote in clears), default=0.0)
    score: float | None = None
    if not flags:
        flagged = False
        if method is ConflictMethod.WEIGHTED_AVERAGE:
            score = _weighted_average(clears)
    elif method is ConflictMethod.MOST_RESTRICTIVE:
        flagged = True
    elif method is ConflictMethod.MAJORITY_VOTE:
        flagged = len(flags) >= len(clears)
    elif method is ConflictMethod.HIGHEST_CONFIDENCE:
        flagged = high >= max(map(_clear_confidence, clears), default=0.0)
    else:
        score = _weighted_average([*flags, *clears])
        flagged = score >= threshold
    if score is None:
        score = high if flagged else low
    return Resolution(
        flagged,
        score,
        tuple(sorted(vote.detector for vote in flags)),
        tuple(sorted(vote.detector for vote in clears)),
    )


def _clear_confidence(vote: Vote) -> float:
    return vote.clean_confidence if vote.score is None else 1.0 - vote.score


def _weighted_average(votes: Sequence[Vote]) -> float:
    """The mean; where no vote carries weight, all found scores weigh the same."""
    pairs = [
        (vote.weight * vote.clean_confidence, 0.0) if vote.score is None else (vote.weight, vote.score)
        for vote in votes
    ]
    total = math.fsum(weight for weight, _ in pairs)
    if total <= 0.0:
        pairs = [(1.0, vote.score) for vote in votes if vote.score is not None]
        total = float(len(pairs))
    if not pairs or total <= 0.0:
        return 0.0
    mean = math.fsum(weight * score for weight, score in pairs) / total
    # Rounding must not push a mean of equal scores below (or above) that score and so past a threshold.
    found = [score for weight, score in pairs if weight > 0.0]
    return min(max(mean, min(found)), max(found))


def aggregate(
    results: Sequence[DetectorResult],
    plan: Plan,
    severities: Mapping[str, Severity],
    *,
    only: frozenset[str] | None = None,
    undecided: Collection[str] = (),
) -> AggregationSummary:
    """Resolve every category that a succeeding detector voted in, the flagged first, then by severity and name.

    With `only`, other categories are left out of the summary (their findings stay on the results). `undecided` names
    the detectors whose silence says nothing this time.
    """
    votes: dict[str, list[Vote]] = {}
    succeeded = found = 0
    for result in results:
        if result.status is not DetectorStatus.SUCCESS:
            continue
        succeeded += 1
        found += len(result.findings)
        for vote, category in _votes(result, plan.terms[result.detector], result.detector not in undecided):
            if only is None or category in only:
                votes.setdefault(category, []).append(vote)
    outcomes = [_outcome(category, cast, plan, severities) for category, cast in votes.items()]
    outcomes.sort(key=_order)
    return AggregationSummary(
        categories=tuple(outcomes),
        detectors_selected=len(results),
        detectors_succeeded=succeeded,
        findings=found,
        conflicts=sum(outcome.conflict for outcome in outcomes),
    )


def _votes(result: DetectorResult, terms: DetectorTerms, decided: bool) -> Iterable[tuple[Vote, str]]:
    strongest: dict[str, float] = {}
    for finding in result.findings:
        if finding.category is not None and finding.category != NO_FINDING and not finding.below_threshold:
            strongest[finding.category] = max(finding.score, strongest.get(finding.category, 0.0))
    for category, score in strongest.items():
        yield Vote(result.detector, score, terms.weight, terms.clean_confidence), category
    if decided and result.language_supported is not False:
        silent = Vote(result.detector, None, terms.weight, terms.clean_confidence)
        for category in result.categories:
            if category not in strongest:
                yield silent, category


def _outcome(category: str, votes: Sequence[Vote], plan: Plan, severities: Mapping[str, Severity]) -> CategoryOutcome:
    method = plan.conflicts.of(category)
    resolved = resolve(method, votes, plan.flag_threshold(category))
    return CategoryOutcome(
        category=category,
        flagged=resolved.flagged,
        score=resolved.score,
        severity=severities.get(category, Severity.INFO),
        method=method,
        conflict=bool(resolved.flagged_by and resolved.cleared_by),
        flagged_by=resolved.flagged_by,
        cleared_by=resolved.cleared_by,
    )


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def _order(outcome: CategoryOutcome) -> tuple[bool, int, str]:
    return not outcome.flagged, _RANK[outcome.severity], outcome.category
