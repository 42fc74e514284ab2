"""How labels are to be mapped, as a request, a policy, a tenant or the installation says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, Score


class MappingStage(StrEnum):
    """Which stage answered for a label."""

    CATALOGUE_EXACT = "catalogue_exact"
    CATALOGUE_NORMALISED = "catalogue_normalised"
    DECLARED = "declared"
    """By what the detector's registration says of its own label."""
    OVERLAY = "overlay"
    """By what the tenant's reviewers or the tenant's own vocabulary say."""
    LEXICAL = "lexical"
    """By likeness of words to known labels, names and definitions."""
    EMBEDDING = "embedding"
    """By likeness of meaning, as an embedding model sees it."""
    MODEL = "model"
    """By a language model bound to the taxonomy."""
    ABSTAINED = "abstained"


class MappingStrategy(StrEnum):
    """Who is asked about labels that the catalogue does not know. What it knows is always answered by it."""

    CASCADE = "cascade"
    """The likeness of words and meanings first; a model only for what that leaves unsure."""
    MODEL_FIRST = "model-first"
    """A model first; likeness for what it leaves unsure."""
    CATALOGUE_ONLY = "catalogue-only"
    """Nobody: such labels abstain."""


StageConfidences = Annotated[dict[MappingStage, Score], Field(max_length=8)]
"""Stage → the least confidence of an answer of it; what is less sure abstains."""


class MappingTerms(Contract):
    """How labels are to be mapped, as far as somebody says so; what is left out is for the next to say."""

    strategy: MappingStrategy | None = None
    min_confidence: Score | None = None
    """Answers with less confidence abstain, of whatever stage, the catalogue included."""
    stage_confidence: StageConfidences = Field(default_factory=dict)
    """The same for single stages; it stands over `min_confidence`."""
    offline: bool | None = None
    """True: no stage that leaves the process is asked. False changes nothing where the installation is offline."""

    @property
    def says_nothing(self) -> bool:
        """Whether all is left to the next."""
        return (
            self.strategy is None and self.min_confidence is None and not self.stage_confidence and self.offline is None
        )


class TermSource(StrEnum):
    """Who said it, first who stands over the others."""

    REQUEST = "request"
    POLICY = "policy"
    TENANT = "tenant"
    OPERATOR = "operator"


class AppliedTerms(Contract):
    """How the labels of an answer were mapped, and who said so."""

    strategy: MappingStrategy
    strategy_from: TermSource
    thresholds: StageConfidences
    """For each stage that request, policy or tenant set one for; the others have the installation's."""
    thresholds_from: Annotated[dict[MappingStage, TermSource], Field(max_length=8)]
    offline: bool
    offline_from: TermSource
    settings_version: Count | None = None
    """Which version of the tenant's mapping settings stood; null where it has none."""
