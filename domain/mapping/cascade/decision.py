"""From rankings to one answer: pure functions over what was learnt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration, Combination, Identities
from llama_mapper.domain.mapping.cascade.evidence import (
    NO_CONTEXT,
    Context,
    Rankings,
    category_options,
    subcategory_options,
)
from llama_mapper.domain.mapping.cascade.logistic import log_odds, probability

UNMEASURED = 0.5
"""At most so far is the first choice of a stage trusted that nobody has measured: it can confirm, not decide."""

SUGGESTIONS = 3
_HAIR = 1e-6
_ORDER = {stage: place for place, stage in enumerate(MappingStage)}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A canonical label that might be right, and the probability that it is."""

    canonical: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The likeliest category and the likeliest label within it, each with its calibrated probability.

    `subcategory` is the category itself where no stage ranks anything finer. `others` are further labels that might be
    right, likeliest first. Everything is None and 0 where no stage has an idea.
    """

    category: str | None
    category_confidence: float
    subcategory: str | None
    subcategory_confidence: float
    stage: MappingStage
    others: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one label: `canonical` is None for an abstention; `suggestions` then say what might be right."""

    canonical: str | None
    confidence: float
    stage: MappingStage
    suggestions: tuple[Suggestion, ...] = ()


_NO_IDENTITIES: Identities = {}
NO_IDEA = Judgement(None, 0.0, None, 0.0, MappingStage.ABSTAINED)


def decide(judgement: Judgement, threshold: float) -> Decision:
    """The finest answer that is sure enough: the label, else its category, else an abstention with suggestions."""
    if judgement.subcategory is not None and judgement.subcategory_confidence >= threshold:
        return Decision(judgement.subcategory, judgement.subcategory_confidence, judgement.stage)
    if judgement.category is not None and judgement.category_confidence >= threshold:
        return Decision(judgement.category, judgement.category_confidence, judgement.stage)
    if judgement.category is None or judgement.subcategory is None:
        return Decision(None, 0.0, MappingStage.ABSTAINED)
    first = Suggestion(judgement.subcategory, judgement.subcategory_confidence)
    return Decision(None, 0.0, MappingStage.ABSTAINED, (first, *judgement.others)[:SUGGESTIONS])


def sureness(judgement: Judgement) -> float:
    """The highest threshold at which `decide` gives an answer."""
    return max(judgement.subcategory_confidence, judgement.category_confidence)


def judge(
    rankings: Rankings,
    calibration: Calibration,
    context: Context = NO_CONTEXT,
    identities: Identities = _NO_IDENTITIES,
) -> Judgement:
    """Weigh what the stages rank, each a label's ranking by a stage that could try.

    Stages that were measured together are weighed as measured. A stage beside them that nobody has measured counts as
    independent evidence of at most `UNMEASURED` for its candidates (noisy or). `identities` says what exactly ranked.
    """
    measured = calibration.measured(rankings.keys(), identities)
    raw = _raw_categories(rankings, measured, calibration, context)
    categories = _calibrated(raw, measured, context)
    beside = [stage for stage in rankings if measured is None or stage not in measured.stages]
    for category, trust in _unmeasured(rankings, beside, by_category=True).items():
        known = categories.get(category, 0.0)
        categories[category] = 1.0 - (1.0 - known) * (1.0 - trust)
    if not categories:
        return NO_IDEA
    ordered = sorted(categories, key=lambda name: (-categories[name], name))[:SUGGESTIONS]
    within = [
        _within(rankings, measured, raw.get(category, 0.0), category, categories[category], beside)
        for category in ordered
    ]
    best, *others = within[0]
    runners_up = sorted(
        [*others, *(labels[0] for labels in within[1:])], key=lambda one: (-one.confidence, one.canonical)
    )
    return Judgement(
        category=ordered[0],
        category_confidence=categories[ordered[0]],
        subcategory=best.canonical,
        subcategory_confidence=best.confidence,
        stage=_credited(rankings, best.canonical),
        others=tuple(runners_up[: SUGGESTIONS - 1]),
    )


def company_of(
    judgements: Sequence[tuple[int, Judgement]], known: Mapping[str, float]
) -> Iterator[tuple[int, Context]]:
    """For each numbered label of one vendor, the context that the others make, together with the `known` ones.

    A label counts for its likeliest category as much as that is sure. Sums are over values in ascending order, so that
    the order of the labels does not change a digit.
    """
    shares: dict[str, list[float]] = {name: [mass] for name, mass in known.items()}
    for _, judgement in judgements:
        if judgement.category is not None:
            shares.setdefault(judgement.category, []).append(judgement.category_confidence)
    sums = {name: sum(sorted(masses)) for name, masses in sorted(shares.items())}
    for number, judgement in judgements:
        if judgement.category is None:
            yield number, Context(sums)
            continue
        own = max(0.0, sums[judgement.category] - judgement.category_confidence)
        others = {**sums, judgement.category: own if own > _HAIR else 0.0}
        yield number, Context(others) if any(others.values()) else NO_CONTEXT


def _raw_categories(
    rankings: Rankings, measured: Combination | None, calibration: Calibration, context: Context
) -> dict[str, float]:
    if measured is None:
        return {}
    coefficients = (measured.company if context.categories else measured.alone).coefficients
    options = category_options(rankings, measured.stages, context, calibration.number_of_categories)
    return {one.canonical: probability(log_odds(coefficients, one.features)) for one in options}


def _calibrated(raw: Mapping[str, float], measured: Combination | None, context: Context) -> dict[str, float]:
    if measured is None:
        return {}
    curve = (measured.company if context.categories else measured.alone).curve
    # The curve has steps; what lies on one step keeps the order of the raw probabilities by a hair.
    return {name: min(1.0, curve(value) + _HAIR * value) for name, value in raw.items()}


def _within(
    rankings: Rankings,
    measured: Combination | None,
    raw: float,
    category: str,
    confidence: float,
    beside: Sequence[MappingStage],
) -> list[Suggestion]:
    """The labels of a category, likeliest first; none is likelier than the category. Never empty."""
    found: dict[str, float] = {}
    if measured is not None:
        weighing = measured.subcategory
        for option in subcategory_options(rankings, measured.stages, category):
            joint = raw * probability(log_odds(weighing.coefficients, option.features))
            found[option.canonical] = weighing.curve(joint) + _HAIR * joint
    for label, trust in _unmeasured(rankings, beside, by_category=False).items():
        if category_of(label) == category:
            found[label] = 1.0 - (1.0 - found.get(label, 0.0)) * (1.0 - trust)
    if not found:
        found[category] = confidence
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Suggestion(label, min(value, confidence)) for label, value in ordered]


def _unmeasured(rankings: Rankings, beside: Iterable[MappingStage], *, by_category: bool) -> dict[str, float]:
    trusts: dict[str, float] = {}
    for stage in beside:
        own: dict[str, float] = {}
        for candidate in rankings[stage]:
            name = category_of(candidate.canonical) if by_category else candidate.canonical
            own[name] = max(own.get(name, 0.0), UNMEASURED * max(0.0, min(1.0, candidate.score)))
        for name, trust in own.items():
            trusts[name] = 1.0 - (1.0 - trusts.get(name, 0.0)) * (1.0 - trust)
    return trusts


def _credited(rankings: Rankings, canonical: str) -> MappingStage:
    """The cheapest stage whose first choice is the answer; else the first choice of whose category it is; else any."""
    stages = sorted(rankings, key=_ORDER.__getitem__)
    category = category_of(canonical)
    for stage in stages:
        if rankings[stage] and rankings[stage][0].canonical == canonical:
            return stage
    for stage in stages:
        if rankings[stage] and category_of(rankings[stage][0].canonical) == category:
            return stage
    return next((stage for stage in stages if rankings[stage]), MappingStage.ABSTAINED)
