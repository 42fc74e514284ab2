"""The risk formula: factors by category, a noisy-or a dimension, a noisy-or over the dimensions.

Monotonic by construction: every factor is built from maxima, sums and unions over findings, so a further finding
can only raise one or add one, and `1 - product of (1 - contribution)` never falls when a term rises or joins. The
product runs in one fixed order, because rounding keeps the order of two products only if their terms line up.
Formula, tables and a worked example: `docs/risk.md`. Noisy-or: Pearl, Probabilistic Reasoning in Intelligent
Systems (1988), section 4.3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum

from llama_mapper.domain.analysis.findings import Reading, worst
from llama_mapper.domain.analysis.risk import weights as w
from llama_mapper.domain.analysis.risk.recurrence import Recurrence
from llama_mapper.domain.contracts.analysis import RiskDimension, RiskFactor, RiskScoringResult
from llama_mapper.domain.contracts.base import Severity

FACTOR_LIMIT = 512
_DIMENSION_LIMIT = FACTOR_LIMIT // len(RiskDimension)

Exposure = Callable[[frozenset[str]], float]
"""Canonical labels → weighted number of controls that they touch, 0 or more, never less for more labels."""


def noisy_or(contributions: Iterable[float]) -> float:
    """`1 - product of (1 - c)`: the chance that at least one of independent causes acts; 0 for none."""
    spared = 1.0
    for contribution in contributions:
        spared *= 1.0 - contribution
    return 1.0 - spared


def score_risk(
    readings: Sequence[Reading], exposure: Exposure, past: Mapping[str, Recurrence] | None = None
) -> RiskScoringResult:
    """Score upheld findings in four dimensions, with every factor; no findings, no risk.

    `past` holds what is known of the categories' history; a category without an entry has no temporal factors.
    """
    if not readings:
        return NO_RISK
    groups: dict[str, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.meaning.category or "", []).append(reading)
    terms: dict[RiskDimension, list[RiskFactor]] = {dimension: [] for dimension in RiskDimension}
    for category in sorted(groups):
        for factor in _factors(category or None, groups[category], exposure, (past or {}).get(category)):
            terms[factor.dimension].append(factor)
    scores = {dimension: noisy_or([f.contribution for f in factors]) for dimension, factors in terms.items()}
    overall = noisy_or([weight * scores[RiskDimension(name)] for name, weight in w.OVERALL])
    if sum(map(len, terms.values())) > FACTOR_LIMIT:
        terms = {dimension: _fold(dimension, factors) for dimension, factors in terms.items()}
    return RiskScoringResult(
        overall_risk_score=overall,
        level=w.level(overall),
        technical_risk=scores[RiskDimension.TECHNICAL],
        business_risk=scores[RiskDimension.BUSINESS],
        regulatory_risk=scores[RiskDimension.REGULATORY],
        temporal_risk=scores[RiskDimension.TEMPORAL],
        risk_factors=tuple([factor for factors in terms.values() for factor in factors]),
        formula_version=w.FORMULA_VERSION,
    )


def _factors(
    category: str | None, readings: Sequence[Reading], exposure: Exposure, past: Recurrence | None
) -> Iterable[RiskFactor]:
    """The factors of one category that contribute anything."""
    strongest = round(max(reading.score for reading in readings), 4)
    severity = worst(reading.meaning.severity for reading in readings)
    harm = w.SEVERITY[severity]
    yield from _factor(
        RiskDimension.TECHNICAL,
        "severity",
        category,
        strongest,
        harm * w.exploitability(category),
        f"strongest score; severity {severity} x exploitability {w.exploitability(category):g}",
    )
    sensitivity = w.sensitivity(category)
    yield from _factor(
        RiskDimension.BUSINESS, "sensitivity", category, strongest, sensitivity, "strongest score; data sensitivity"
    )
    items = _expected_items(readings)
    yield from _factor(
        RiskDimension.BUSINESS,
        "volume",
        category,
        round(1.0 - w.VOLUME_HALF / (items + w.VOLUME_HALF), 4),
        w.VOLUME_WEIGHT * sensitivity,
        f"{items:.4g} distinct items expected",
    )
    reach = exposure(frozenset(label for reading in readings for label in reading.meaning.labels))
    yield from _factor(
        RiskDimension.REGULATORY,
        "controls",
        category,
        strongest,
        harm * round(1.0 - w.CONTROLS_HALF / (reach + w.CONTROLS_HALF), 4),
        f"strongest score; severity {severity} x reach of {reach:g} weighted controls",
    )
    if past is not None:
        for name, value, weight, explanation in (
            ("recurrence", past.days_share, w.RECURRENCE_WEIGHT, "strongest score x share of days it was found on"),
            ("trend", past.rising, w.TREND_WEIGHT, "strongest score x confidence that the daily count rises"),
            ("surge", past.surge, w.SURGE_WEIGHT, "strongest score x how far today is out of line"),
        ):
            yield from _factor(
                RiskDimension.TEMPORAL, name, category, round(strongest * value, 4), weight * harm, explanation
            )


def _factor(
    dimension: RiskDimension, name: str, category: str | None, value: float, weight: float, explanation: str
) -> Iterable[RiskFactor]:
    """The factor, unless it contributes nothing."""
    contribution = value * weight
    if contribution > 0.0:
        yield RiskFactor(
            dimension=dimension,
            name=name,
            category=category,
            value=value,
            weight=weight,
            contribution=contribution,
            explanation=explanation,
        )


def _expected_items(readings: Sequence[Reading]) -> float:
    """Sum over distinct texts of their best score: three detectors that see one address see one item."""
    best: dict[str, float] = {}
    unnamed = []
    for reading in readings:
        if reading.identity is None:
            unnamed.append(reading.score)
        elif reading.score > best.get(reading.identity, 0.0):
            best[reading.identity] = reading.score
    return fsum([*best.values(), *unnamed])


def _fold(dimension: RiskDimension, factors: Sequence[RiskFactor]) -> list[RiskFactor]:
    """The strongest factors in their order, and the rest as one that contributes what they did together."""
    if len(factors) <= _DIMENSION_LIMIT:
        return list(factors)
    ranked = sorted(range(len(factors)), key=lambda i: (-factors[i].contribution, i))
    kept = set(ranked[: _DIMENSION_LIMIT - 1])
    rest = noisy_or([factor.contribution for i, factor in enumerate(factors) if i not in kept])
    folded = RiskFactor(
        dimension=dimension,
        name="others",
        value=rest,
        weight=1.0,
        contribution=rest,
        explanation=f"{len(factors) - len(kept)} weaker factors together",
    )
    return [*(factor for i, factor in enumerate(factors) if i in kept), folded]


NO_RISK = RiskScoringResult(
    overall_risk_score=0.0,
    level=Severity.INFO,
    technical_risk=0.0,
    business_risk=0.0,
    regulatory_risk=0.0,
    temporal_risk=0.0,
    formula_version=w.FORMULA_VERSION,
)
"""The answer where nothing was found."""
