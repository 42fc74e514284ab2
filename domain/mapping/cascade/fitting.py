"""Learning a calibration from known labels, each judged as if its vendor's whole family were unknown."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Protocol, runtime_checkable

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration, Combination, Identities, Weighing
from llama_mapper.domain.mapping.cascade.decision import Judgement, company_of
from llama_mapper.domain.mapping.cascade.evidence import (
    NO_CONTEXT,
    Context,
    Rankings,
    category_options,
    subcategory_options,
)
from llama_mapper.domain.mapping.cascade.families import VendorFamilies
from llama_mapper.domain.mapping.cascade.hints import hint_of
from llama_mapper.domain.mapping.cascade.logistic import fit_logistic, log_odds, probability
from llama_mapper.domain.mapping.cascade.ports import Apart, CandidateStage, HintedStage, Ranking
from llama_mapper.domain.mapping.isotonic import Isotonic, fit_isotonic
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

LABELS_A_FAMILY = 60
"""Of a family with more labels so many are drawn: six hundred kinds of keys shall not decide how all is weighed."""

_FOLDS = 5
_RIDGE = 1.0
_PSEUDO_OBSERVATIONS = 1.0
_ASKING_S = 600.0
_UNRELATED_VENDORS = 10
_NO_ANSWER = "none.none"
"""Is off the taxonomy, so that whatever is chosen is wrong."""


@runtime_checkable
class KnowsApart(Protocol):
    """A stage that learnt from the labels themselves, and can rank as if some vendors were unknown."""

    async def rank_apart(self, labels: Sequence[LabelKey], apart: Apart) -> Sequence[Ranking]:
        """The rankings as they would be without what only the vendors of `apart` say."""
        ...


@runtime_checkable
class AskedToLearn(HintedStage, Protocol):
    """A stage that knows nothing of the labels, costs much for each, and is not always the same model."""

    async def rank_to_learn(self, labels: Sequence[LabelKey], hints: Sequence[Ranking]) -> Sequence[Ranking]:
        """One ranking a label, in order, with its identity; an earlier answer to the same question will do.

        Raises `ModelServingError` where the model cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A known label and what each stage ranked for it; `identities` as in `Ranking`."""

    known: KnownLabel
    rankings: Rankings
    identities: Identities = field(default_factory=dict)


async def fit_calibration(
    stages: Sequence[CandidateStage],
    known: Sequence[KnownLabel],
    families: VendorFamilies,
    number_of_categories: int,
    *,
    seed: int,
    version: str,
    fitted_on: Mapping[str, str],
    every_combination: bool = True,
    unrelated: Sequence[str] = (),
    models_asked: int | None = None,
    weighed: Collection[MappingStage] | None = None,
) -> Calibration:
    """Weights and curves for these stages together and, if asked, for every choice of some of them.

    `unrelated` are labels for which no answer is right. Stages that ask a model are measured one by one beside the
    others, each about `models_asked` drawn labels (all without it), among what the others rank. Of stages that are not
    `weighed` nothing is learnt: they give hints. The same stages, labels and seed give the same calibration.
    Raises ValueError if too few families are known.
    """
    sample = [*drawn(known, families, seed), *_without_answer(unrelated)]
    models = [stage for stage in stages if isinstance(stage, AskedToLearn)]
    others = [stage for stage in stages if stage not in models]
    judged = await judged_apart(others, sample, families)
    names = [stage.stage for stage in others if weighed is None or stage.stage in weighed]
    chosen = _chosen_of(names, every=every_combination)
    fitted = [fit_combination(judged, some, families, number_of_categories, seed=seed) for some in chosen]
    hints = [hint_of([Ranking(tuple(each)) for each in one.rankings.values()]) for one in judged]
    asked = _some(range(len(sample)), models_asked, seed)
    for model in models:
        labels = [sample[number].key for number in asked]
        answers = await model.rank_to_learn(labels, [hints[number] for number in asked] if others else [])
        beside = _with_model([judged[number] for number in asked], model.stage, answers)
        for some in [(), *chosen] if every_combination else [tuple(names)]:
            if any(one.rankings[model.stage] for one in beside):
                together = (*some, model.stage)
                fitted.append(fit_combination(beside, together, families, number_of_categories, seed=seed))
    return Calibration(
        version=version,
        fitted_on=dict(fitted_on),
        number_of_categories=number_of_categories,
        combinations=tuple(fitted),
    )


def _chosen_of(names: Sequence[MappingStage], *, every: bool) -> list[tuple[MappingStage, ...]]:
    sizes = range(1, len(names) + 1) if every else [len(names)] if names else []
    return [some for size in sizes for some in combinations(names, size)]


def _some(numbers: Sequence[int], limit: int | None, seed: int) -> Sequence[int]:
    if limit is None or limit >= len(numbers):
        return numbers
    return sorted(random.Random(seed).sample(numbers, limit))  # noqa: S311 - a reproducible sample, nothing secret


def _with_model(judged: Sequence[Judged], stage: MappingStage, answers: Iterable[Ranking]) -> list[Judged]:
    """The labels about which the model answered as most often: another version, or a question among other candidates,
    is not what is measured."""
    told = [(one, answer) for one, answer in zip(judged, answers, strict=True) if answer.fault is None]
    counted = Counter([answer.identity for _, answer in told]).most_common(1)
    return [
        replace(one, rankings={**one.rankings, stage: answer.candidates}, identities={stage: answer.identity})
        for one, answer in told
        if answer.identity == counted[0][0]
    ]


def drawn(known: Sequence[KnownLabel], families: VendorFamilies, seed: int) -> list[KnownLabel]:
    """Each vendor's label once, at most `LABELS_A_FAMILY` of a family, in the order given."""
    distinct = {(label.key.vendor, label.key.label, label.canonical): label for label in reversed(known)}
    by_family: dict[str, list[KnownLabel]] = {}
    for label in reversed(distinct.values()):
        by_family.setdefault(families.name_of(label.key.vendor), []).append(label)
    chance = random.Random(seed)  # noqa: S311 - a reproducible sample, nothing secret
    sample: list[KnownLabel] = []
    for family in sorted(by_family):
        labels = by_family[family]
        if len(labels) > LABELS_A_FAMILY:
            places = sorted(chance.sample(range(len(labels)), LABELS_A_FAMILY))
            labels = [labels[place] for place in places]
        sample += labels
    return sample


def _without_answer(labels: Sequence[str]) -> list[KnownLabel]:
    """The labels as those of some vendors: each vendor falls into a fold of its own and keeps company with its like."""
    return [
        KnownLabel(LabelKey(f"unrelated_{number % _UNRELATED_VENDORS}", None, label), _NO_ANSWER)
        for number, label in enumerate(labels)
    ]


async def judged_apart(
    stages: Sequence[CandidateStage], sample: Sequence[KnownLabel], families: VendorFamilies
) -> list[Judged]:
    """What each stage ranks for each label without its family; a stage that learnt nothing from labels just ranks."""
    keys = [label.key for label in sample]
    columns: list[tuple[MappingStage, Sequence[Ranking]]] = []
    for stage in stages:
        if isinstance(stage, KnowsApart):
            columns.append((stage.stage, await stage.rank_apart(keys, families.of)))
        else:
            columns.append((stage.stage, await stage.rank(keys, within_s=_ASKING_S)))
    return [
        Judged(label, {name: column[number].candidates for name, column in columns if column[number].fault is None})
        for number, label in enumerate(sample)
    ]


def fit_combination(
    judged: Sequence[Judged],
    stages: Sequence[MappingStage],
    families: VendorFamilies,
    number_of_categories: int,
    *,
    seed: int,
) -> Combination:
    """Weights learnt from all labels; curves from answers for families that the weights had not seen."""
    fitter = _Fitter(tuple(stages), number_of_categories)
    folds = _folds(judged, families, seed)
    seen: dict[str, list[tuple[float, float, float]]] = {"alone": [], "company": [], "subcategory": []}
    for held_out in folds:
        rest = [one for fold in folds if fold is not held_out for one in fold]
        weights = fitter.weights(rest)
        for mode, points in fitter.outcomes(held_out, weights).items():
            seen[mode] += points
    weights = fitter.weights(judged)
    curves = {mode: _from_nothing(fit_isotonic(points, _PSEUDO_OBSERVATIONS)) for mode, points in seen.items()}
    return Combination(
        tuple(stages),
        Weighing(weights.alone, curves["alone"]),
        Weighing(weights.company, curves["company"]),
        Weighing(weights.subcategory, curves["subcategory"]),
        {stage: identity for one in judged[:1] for stage, identity in one.identities.items() if stage in stages},
    )


def _from_nothing(curve: Isotonic) -> Isotonic:
    """The curve, begun at 0: what has no evidence at all is not as good as the worst that was seen."""
    if curve.scores[0] <= 0.0:
        return curve
    return Isotonic((0.0, *curve.scores), (0.0, *curve.shares))


def _folds(judged: Sequence[Judged], families: VendorFamilies, seed: int) -> list[list[Judged]]:
    by_family: dict[str, list[Judged]] = {}
    for one in judged:
        by_family.setdefault(families.name_of(one.known.key.vendor), []).append(one)
    if len(by_family) < _FOLDS:
        raise ValueError(f"a calibration needs labels of {_FOLDS} families of vendors at least")
    names = sorted(by_family)
    random.Random(seed).shuffle(names)  # noqa: S311 - reproducible folds, nothing secret
    folds: list[list[Judged]] = [[] for _ in range(_FOLDS)]
    for name in sorted(names, key=lambda family: -len(by_family[family])):
        min(folds, key=len).extend(by_family[name])
    return folds


@dataclass(frozen=True, slots=True)
class _Weights:
    alone: tuple[float, ...]
    company: tuple[float, ...]
    subcategory: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Fitter:
    stages: tuple[MappingStage, ...]
    number_of_categories: int

    def weights(self, judged: Sequence[Judged]) -> _Weights:
        alone = self._category_weights(judged, [NO_CONTEXT] * len(judged))
        company = self._category_weights(judged, self._contexts(judged, alone))
        rows: list[tuple[float, ...]] = []
        hits: list[bool] = []
        for one in judged:
            for option in subcategory_options(one.rankings, self.stages, category_of(one.known.canonical)):
                rows.append(option.features)
                hits.append(option.canonical == one.known.canonical)
        return _Weights(alone, company, fit_logistic(rows, hits, _RIDGE))

    def outcomes(self, judged: Sequence[Judged], weights: _Weights) -> dict[str, list[tuple[float, float, float]]]:
        """(probability, whether right, 1) of the first choices, by what was chosen with which weights."""
        found: dict[str, list[tuple[float, float, float]]] = {"alone": [], "company": [], "subcategory": []}
        contexts = self._contexts(judged, weights.alone)
        modes = (("alone", weights.alone, [NO_CONTEXT] * len(judged)), ("company", weights.company, contexts))
        for mode, coefficients, beside in modes:
            for one, context in zip(judged, beside, strict=True):
                category, raw = self._first(one, coefficients, context)
                if category is None:
                    continue
                found[mode].append((raw, float(category == category_of(one.known.canonical)), 1.0))
                options = subcategory_options(one.rankings, self.stages, category)
                joint, label = max(
                    (raw * probability(log_odds(weights.subcategory, option.features)), option.canonical)
                    for option in options
                )
                # Half the weight: each label is there in both modes.
                found["subcategory"].append((joint, float(label == one.known.canonical), 0.5))
        return found

    def _category_weights(self, judged: Sequence[Judged], contexts: Sequence[Context]) -> tuple[float, ...]:
        rows: list[tuple[float, ...]] = []
        hits: list[bool] = []
        for one, context in zip(judged, contexts, strict=True):
            truth = category_of(one.known.canonical)
            for option in category_options(one.rankings, self.stages, context, self.number_of_categories):
                rows.append(option.features)
                hits.append(option.canonical == truth)
        return fit_logistic(rows, hits, _RIDGE)

    def _contexts(self, judged: Sequence[Judged], alone: tuple[float, ...]) -> list[Context]:
        by_vendor: dict[str, list[tuple[int, Judgement]]] = {}
        for number, one in enumerate(judged):
            category, raw = self._first(one, alone, NO_CONTEXT)
            judgement = Judgement(category, raw, category, raw, MappingStage.ABSTAINED)
            by_vendor.setdefault(one.known.key.vendor, []).append((number, judgement))
        contexts: dict[int, Context] = {}
        for numbered in by_vendor.values():
            contexts |= dict(company_of(numbered, {}))
        return [contexts[number] for number in range(len(judged))]

    def _first(self, one: Judged, coefficients: tuple[float, ...], context: Context) -> tuple[str | None, float]:
        options = category_options(one.rankings, self.stages, context, self.number_of_categories)
        best = max(
            [(probability(log_odds(coefficients, option.features)), option.canonical) for option in options],
            default=None,
        )
        return (None, 0.0) if best is None else (best[1], best[0])
