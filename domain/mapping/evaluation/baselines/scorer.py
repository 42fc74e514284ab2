"""A baseline ranks by a score of its own kind; wrapped here, its score becomes a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.evaluation.folds import grouped_folds
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem, category_of, evaluation_items
from llama_mapper.domain.mapping.evaluation.ports import SubjectAnswer
from llama_mapper.domain.mapping.isotonic import Isotonic, fit_isotonic
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

_CALIBRATION_FOLDS = 10
_PSEUDO_OBSERVATIONS = 2.0
"""One right and one wrong for each pool: Laplace's rule."""

_NEVER = Isotonic((0.0,), (0.0,))


@dataclass(frozen=True, slots=True)
class Scored:
    """A canonical label and how sure the scorer is, on its own rising scale; further ones, best first."""

    canonical: str
    score: float
    others: tuple[str, ...] = ()


class Scorer(Protocol):
    """Knows labels, and says for another what it thinks, or None."""

    def score(self, label: LabelKey) -> Scored | None:
        """What it thinks of one label."""
        ...


class ScorerKind(Protocol):
    """Makes a scorer that knows these labels."""

    def __call__(self, known: Sequence[KnownLabel]) -> Scorer:
        """A scorer that knows these labels and no others."""
        ...


class CalibratedBaseline:
    """A scorer as a method under test; keeps what `Subject` promises.

    `fit` leaves families out once more, among the labels it was given: each is answered by a scorer that does not know
    its family, and an isotonic regression learns from these answers how often a score is right at level 2. So the
    confidence knows nothing of the family that the evaluation left out.
    """

    def __init__(self, name: str, kind: ScorerKind, stage: MappingStage, families: Mapping[str, str]) -> None:
        self._name = name
        self._kind = kind
        self._stage = stage
        self._families = families
        self._scorer: Scorer | None = None
        self._confidence = _NEVER

    @property
    def name(self) -> str:
        """The method's name in reports."""
        return self._name

    async def fit(self, known: Sequence[KnownLabel], seed: int) -> None:
        """Know these labels, and learn from them how far a score can be trusted."""
        self._confidence = self._calibrated(known, seed)
        self._scorer = self._kind(known)

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
        """One answer a label; an abstention where the scorer has none."""
        return [self._answer(label) for label in labels]

    def _answer(self, label: LabelKey) -> SubjectAnswer:
        scored = self._scorer.score(label) if self._scorer else None
        if scored is None:
            return SubjectAnswer(None, 0.0, MappingStage.ABSTAINED)
        return SubjectAnswer(scored.canonical, self._confidence(scored.score), self._stage, suggestions=scored.others)

    def _calibrated(self, known: Sequence[KnownLabel], seed: int) -> Isotonic:
        items = evaluation_items(known, self._families)
        seen: list[tuple[float, float, float]] = []
        for fold in grouped_folds(items, _CALIBRATION_FOLDS, seed) if items else ():
            scorer = self._kind(fold.known(known, self._families))
            for item in fold.items(items):
                self._judge(scorer, item, seen)
        return fit_isotonic(seen, _PSEUDO_OBSERVATIONS) if seen else _NEVER

    @staticmethod
    def _judge(scorer: Scorer, item: EvaluationItem, seen: list[tuple[float, float, float]]) -> None:
        scored = scorer.score(item.key)
        if scored is not None:
            seen.append((scored.score, float(category_of(scored.canonical) == category_of(item.gold)), 1.0))
