"""Today's distributions against a reference's. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

from llama_mapper.domain.contracts.monitoring import AbstentionChange, DriftElement, DriftFigure, DriftLevel
from llama_mapper.domain.mapping.monitoring.distances import (
    chance_psi,
    jensen_shannon_distance,
    psi_terms,
    shares_of,
)
from llama_mapper.domain.mapping.monitoring.tally import Dimension, Tally
from llama_mapper.domain.mapping.releases.sequential import Sample, difference_bounds, log_evidence

MODERATE, STRONG = 0.1, 0.25
ALPHA = 0.01
MARGIN = 0.02
"""By how much more may abstain before it counts as rising: less is no reason to get up for."""

_SUBJECTS = (Dimension.CATEGORY, Dimension.STAGE, Dimension.VENDOR, Dimension.CONFIDENCE)
_TOLD = 8
_LEVELS = tuple(DriftLevel)


def distributions(tally: Tally) -> dict[str, dict[str, int]]:
    """Labels by element, for each subject that is compared; `domain` is the first level of the canonical id."""
    found = {
        dimension.value: {element: counts.labels for element, counts in tally.of(dimension).items()}
        for dimension in _SUBJECTS
    }
    domains: dict[str, int] = {}
    for category, labels in found[Dimension.CATEGORY.value].items():
        name = category.partition(".")[0]
        domains[name] = domains.get(name, 0) + labels
    return {**found, "domain": domains}


def figures(reference: Tally, current: Tally, least: int) -> tuple[DriftFigure, ...]:
    """Every subject compared; with fewer than `least` labels on a side nothing is said of it."""
    before, now = distributions(reference), distributions(current)
    return tuple(_figure(subject, before[subject], now[subject], least) for subject in before)


def strongest(levels: tuple[DriftFigure, ...]) -> DriftLevel:
    """The strongest level."""
    return max((figure.level for figure in levels), key=_LEVELS.index, default=DriftLevel.TOO_FEW)


def abstention_change(reference: Tally, current: Tally) -> AbstentionChange:
    """Whether the share that abstains rises by more than `MARGIN`, by the test of `releases.sequential`.

    A call is one observation, the share of its labels that abstained: labels of one call are alike, so that to count
    each would see evidence that is not there. The error rate holds at every look at a current span that only grows.
    """
    before, now = _calls(reference), _calls(current)
    bounds = difference_bounds(now, before, ALPHA)
    evidence = log_evidence(now, before, MARGIN)
    return AbstentionChange(
        reference_share=before.mean,
        current_share=now.mean,
        low=bounds.low,
        high=bounds.high,
        reference_calls=before.count,
        current_calls=now.count,
        margin=MARGIN,
        log10_e_value=evidence / log(10.0),
        rising=evidence >= log(1.0 / ALPHA),
    )


def _calls(tally: Tally) -> Sample:
    every = tally.all
    return Sample(min(every.abstained_ppm / 1e6, float(every.calls)), every.calls)


def _figure(subject: str, before: Mapping[str, int], now: Mapping[str, int], least: int) -> DriftFigure:
    elements = tuple(sorted({*before, *now}))
    n, m = sum(before.values()), sum(now.values())
    p, q = shares_of(before, elements), shares_of(now, elements)
    terms = psi_terms(p, q)
    psi, chance = sum(terms), chance_psi(len(elements), n, m)
    changed = sorted(zip(terms, elements, p, q, strict=True), key=lambda each: (-each[0], each[1]))
    return DriftFigure(
        subject=subject,
        level=DriftLevel.TOO_FEW if min(n, m) < least else _level(psi, chance),
        psi=psi,
        chance_psi=chance,
        js_distance=jensen_shannon_distance(p, q),
        reference_labels=n,
        current_labels=m,
        elements=tuple(
            DriftElement(element=element, reference_share=share, current_share=share_now, contribution=term)
            for term, element, share, share_now in changed[:_TOLD]
        ),
    )


def _level(psi: float, chance: float) -> DriftLevel:
    if psi < max(MODERATE, chance):
        return DriftLevel.STABLE
    return DriftLevel.STRONG if psi >= STRONG else DriftLevel.MODERATE
