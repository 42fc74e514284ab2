"""What other ways of mapping would have cost a tenant and lost it, over what it really used."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, Identifier, Score, ShortText, TenantId
from llama_mapper.domain.contracts.costs import Dollars
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy

RECOMMENDATIONS_TOLD = 400

Difference = Annotated[float, Field(ge=-1e9, le=1e9)]


class Basis(StrEnum):
    """Where the figures of a forecast come from."""

    COUNTED = "counted"
    """It happened. What is expected to be right is still what the stages' confidences say."""
    DERIVED = "derived"
    """It follows from the counts alone: answers are only taken away."""
    ESTIMATED = "estimated"
    """Stages would have been asked, or trusted, that were not: what they would have said is inferred from others."""


class StageTally(Contract):
    """What one stage answered in the window."""

    stage: MappingStage
    labels: Count
    mean_confidence: Score
    """Of an abstention: how sure it would have been, 0 where nobody had an idea."""


class Forecast(Contract):
    """One way of mapping the window's labels."""

    name: Identifier
    """`as_it_was`, `catalogue-only`, `cascade@0.70`, `cascade-offline`, `model-first`, `price:` and a model's name."""
    basis: Basis
    strategy: MappingStrategy | None = None
    min_confidence: Score | None = None
    """What it is to be set to; null: as it is."""
    offline: bool | None = None
    model: Identifier | None = None
    answered: Count
    abstained: Count
    moved: Count
    """Labels that another stage would have answered, or none, or that would not have abstained."""
    model_asked: Count
    """Labels that a model would have been asked for, those it remembered left out."""
    right: Score | None
    """The share of all labels expected to be answered rightly; null where nothing here tells."""
    wrong: Score | None
    """The share expected to be answered wrongly."""
    loss: Difference | None
    """By how much `right` is lower than as it was, or `wrong` higher, whichever is more; below 0: better in both."""
    cost: Dollars | None
    """US dollars for models; null where nothing here tells."""
    saving: Difference | None
    """US dollars less than as it was."""
    note: ShortText = ""


class Recommendation(Contract):
    """What the optimiser would do."""

    forecast: Identifier
    """Of the forecasts above the one that it means; `as_it_was`: leave it."""
    change: bool
    strategy: MappingStrategy | None = None
    min_confidence: Score | None = None
    offline: bool | None = None
    saving: Dollars = 0.0
    loss: Difference = 0.0
    reason: ShortText


class CostOptimisation(Contract):
    """Forecasts over a window, and what follows from them."""

    tenant_id: TenantId
    since: date
    until: date
    labels: Count
    unknown_labels: Count
    """Labels that the catalogue, the tenant's words and registrations did not answer."""
    cost: Dollars
    max_loss: Score
    min_labels: Count
    stages: Annotated[tuple[StageTally, ...], Field(max_length=8)]
    forecasts: Annotated[tuple[Forecast, ...], Field(max_length=64)]
    recommendation: Recommendation
    estimates: Annotated[tuple[ShortText, ...], Field(max_length=16)]
    """What of all this is an estimate, and on what it rests."""


class StoredRecommendation(Contract):
    """A recommendation of a run, as it was announced."""

    at: datetime
    since: date
    until: date
    labels: Count
    cost: Dollars
    recommendation: Recommendation
    applied_version: Count | None = None
    """The version of the mapping settings that it became; null where it was only told."""


class RecommendationList(Contract):
    """Recommendations, newest first."""

    items: Annotated[tuple[StoredRecommendation, ...], Field(max_length=RECOMMENDATIONS_TOLD)]


class CostOptimiserApi(Protocol):
    """The optimiser over a tenant's own use. What was mapped in the last seconds may not be counted yet."""

    async def optimisation(
        self, tenant_id: str, since: date, until: date, *, max_loss: float | None = None
    ) -> CostOptimisation:
        """Forecasts from `since` to `until`, both included; raise `INVALID_REQUEST` for more than 400 days or none.

        `max_loss` stands in for the tenant's setting.
        """
        ...

    async def run(self, tenant_id: str) -> StoredRecommendation:
        """Look at the tenant's window now, keep and announce what follows, and apply it if its settings say so.

        A second run on the same day (UTC) replaces nothing: raise `CONFLICT`.
        """
        ...

    async def recommendations(self, tenant_id: str) -> RecommendationList:
        """What was announced, newest first."""
        ...
