"""What every stage after the catalogue keeps, whether it compares words, compares vectors or asks a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.labels import LabelKey

Apart = Callable[[str], Collection[str]]
"""Vendor → the vendors whose labels must not be looked at for its own: how a stage is put to the test."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A canonical label (level 2 or 3) and how well it fits: higher is better, comparable within one stage alone.

    `support`, 0 to 1, is the share of what the stage looked at that means this label, where the stage looks at several
    things.
    """

    canonical: str
    score: float
    support: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one stage thinks of one label, best first; empty where it has no idea.

    `fault` says in a few words why a stage could not try at all (`triton_unavailable`); it never quotes a label.
    """

    candidates: tuple[Candidate, ...] = ()
    fault: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    answered_by: str = ""
    """The model that answered, where one was asked: `vllm/llama3`."""
    microdollars: Decimal = Decimal(0)
    """What asking cost, in millionths of a US dollar."""
    identity: str = ""
    """Of a stage that is not always the same: model, version, adapter weights and question. How far such a ranking can
    be trusted was measured for this identity or not at all."""
    lasting: bool = True
    """Whether it may be remembered for the label and the version that was to answer it."""


class CandidateStage(Protocol):
    """Ranks canonical labels for vendor labels that the catalogue does not know."""

    @property
    def stage(self) -> MappingStage:
        """The stage's name on answers and in metrics."""
        ...

    @property
    def version(self) -> str:
        """What the ranking depends on: method and data, model and adapter weights."""
        ...

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """One ranking a label, in the order given, after at most about `within_s` seconds.

        All labels of a call are tried together. Nothing is raised for a server that is away, slow or wrong: the
        rankings name the fault.
        """
        ...


@runtime_checkable
class HintedStage(CandidateStage, Protocol):
    """A stage that can choose among what earlier stages think; it says so by `takes_hints`."""

    takes_hints: Literal[True]

    async def rank(
        self, labels: Sequence[LabelKey], *, within_s: float, hints: Sequence[Ranking] = ()
    ) -> Sequence[Ranking]:
        """As in `CandidateStage`; `hints` has a ranking a label, in their order, or is empty."""
        ...


@runtime_checkable
class SharedStage(CandidateStage, Protocol):
    """A stage that several versions share: which of them answers depends on the label, and on whom it is mapped for."""

    @property
    def epoch(self) -> str:
        """Rankings are remembered for as long as this stays the same."""
        ...

    def versions(self, labels: Sequence[LabelKey]) -> Sequence[str]:
        """The version that `rank` would ask about each label, if it were called now."""
        ...

    def recall(self, labels: Sequence[LabelKey], rankings: Sequence[Ranking]) -> None:
        """Learn that these labels were answered by rankings that were remembered."""
        ...
