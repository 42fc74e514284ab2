"""What an evaluation asks of a method under test, and where it keeps what is finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

Progress = Callable[[int, int, str], None]
"""Told how many folds are done, of how many, and what is done now."""


@dataclass(frozen=True, slots=True)
class SubjectAnswer:
    """What a method says of one label. `canonical` is None for an abstention; `confidence` is between 0 and 1.

    The confidence is that the category is right; `id_confidence`, where the method tells the two apart, that the very
    id is. `suggestions` are further canonical labels it thought of, best first; they count among the first three alone.
    """

    canonical: str | None
    confidence: float
    stage: MappingStage
    prompt_tokens: int = 0
    completion_tokens: int = 0
    suggestions: tuple[str, ...] = ()
    id_confidence: float | None = None

    def __post_init__(self) -> None:
        sure = self.confidence if self.id_confidence is None else self.id_confidence
        if not (0.0 <= self.confidence <= 1.0 and 0.0 <= sure <= 1.0):  # also refuses NaN
            raise ValidationError("a confidence lies between 0 and 1")
        if self.prompt_tokens < 0 or self.completion_tokens < 0:
            raise ValidationError("tokens are counted from 0")


class Subject(Protocol):
    """A method under test. It knows nothing but what `fit` was given last."""

    @property
    def name(self) -> str:
        """The method's name in reports: small letters, digits, `-`, `_`, `.`."""
        ...

    async def fit(self, known: Sequence[KnownLabel], seed: int) -> None:
        """Forget everything; know these labels. The same labels and seed give the same answers."""
        ...

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
        """One answer a label, in order."""
        ...


@dataclass(frozen=True, slots=True)
class BatchTime:
    """How many labels one call answered, and how many seconds it took."""

    labels: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one method did in one fold. `answers` stand in the order of the fold's items.

    `singles` are calls with one label each, as the item's place in the fold and seconds; their answers are not counted.
    """

    subject: str
    fold: str
    answers: tuple[SubjectAnswer, ...]
    fit_s: float
    batches: tuple[BatchTime, ...] = ()
    singles: tuple[tuple[int, float], ...] = ()


class FoldJournal(Protocol):
    """Keeps finished folds, so that an evaluation that was killed goes on where it stood."""

    def finished(self) -> Sequence[FoldResult]:
        """Every fold kept so far, each once, in the order kept."""
        ...

    def keep(self, result: FoldResult) -> None:
        """Keep a fold durably: after the return it survives a kill. Raises `CONFLICT` if that fold is kept already."""
        ...
