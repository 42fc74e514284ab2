"""What the stages' rankings say about a canonical label, as numbers that a logistic regression weighs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.ports import Candidate

Rankings = Mapping[MappingStage, Sequence[Candidate]]
"""What each stage that could try ranked for one label."""

CONSIDERED = 6
"""Categories, and subcategories of the chosen category, that are weighed."""

_PRIOR_STRENGTH = 2.0
_FEATURES_A_STAGE = 3


@dataclass(frozen=True, slots=True)
class Context:
    """How much of what one vendor says falls into each category: sums of probabilities, of labels that stand beside."""

    categories: Mapping[str, float] = field(default_factory=dict)

    def features(self, category: str, number_of_categories: int) -> tuple[float, float]:
        """Log of how much likelier the category, and its domain, is in this company than among all; 0 without any."""
        total = sum(self.categories.values())
        if not total:
            return 0.0, 0.0
        domain = category.partition(".")[0] + "."
        in_domain = sum([mass for name, mass in self.categories.items() if name.startswith(domain)])
        return (
            _lift(self.categories.get(category, 0.0), total, 1 / number_of_categories),
            _lift(in_domain, total, _DOMAIN_PRIOR),
        )


_DOMAIN_PRIOR = 1 / 8
NO_CONTEXT = Context()


def _lift(mass: float, total: float, prior: float) -> float:
    return math.log((mass + _PRIOR_STRENGTH * prior) / (total + _PRIOR_STRENGTH) / prior)


def category_features(stages: int) -> int:
    """How many numbers the evidence for a category is, with so many stages."""
    return stages * _FEATURES_A_STAGE + (stages > 1) + 2


def subcategory_features(stages: int) -> int:
    """How many numbers the evidence for a label within a category is, with so many stages."""
    return stages * _FEATURES_A_STAGE + (stages > 1) + 1


@dataclass(frozen=True, slots=True)
class Option:
    """A category or a subcategory that might be right, and its evidence."""

    canonical: str
    features: tuple[float, ...]


def category_options(
    rankings: Rankings, stages: Sequence[MappingStage], context: Context, number_of_categories: int
) -> list[Option]:
    """Every category that a stage ranks among its first, with the evidence for it."""
    by_stage = [_scores(rankings.get(stage, ()), category_of) for stage in stages]
    options: dict[str, None] = {}
    for best in by_stage:
        for category in sorted(best, key=lambda name: (-best[name][0], name))[:CONSIDERED]:
            options[category] = None
    return [
        Option(category, (*_stage_features(by_stage, category), *context.features(category, number_of_categories)))
        for category in options
    ]


def subcategory_options(rankings: Rankings, stages: Sequence[MappingStage], category: str) -> list[Option]:
    """Every label of the category that a stage ranks, the category itself included, with the evidence for it."""
    by_stage = [
        _scores([one for one in rankings.get(stage, ()) if category_of(one.canonical) == category], str)
        for stage in stages
    ]
    options: dict[str, None] = {}
    for best in by_stage:
        options |= dict.fromkeys(sorted(best, key=lambda name: (-best[name][0], name))[:CONSIDERED])
    return [Option(label, (*_stage_features(by_stage, label), float(label == category))) for label in options]


_Scores = Mapping[str, tuple[float, float]]
_ABSENT = (0.0, 0.0)


def _stage_features(by_stage: Sequence[_Scores], name: str) -> list[float]:
    features: list[float] = []
    firsts = 0
    for scores in by_stage:
        own, support = scores.get(name, _ABSENT)
        rival = max([score for other, (score, _) in scores.items() if other != name], default=0.0)
        features += (own, own - rival, support)
        firsts += own > rival
    if len(by_stage) > 1:
        features.append(float(firsts == len(by_stage)))
    return features


def _scores(candidates: Sequence[Candidate], name_of: Callable[[str], str]) -> _Scores:
    """The greatest score and the whole support of each name that `name_of` makes of the candidates."""
    found: dict[str, tuple[float, float]] = {}
    for candidate in candidates:
        name = name_of(candidate.canonical)
        score, support = found.get(name, _ABSENT)
        found[name] = max(score, candidate.score), support + candidate.support
    return found
