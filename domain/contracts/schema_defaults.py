"""The contract of default versions: which version of a schema is spoken with callers that name none."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from llama_mapper.domain.contracts.base import Contract, Count, Identifier
from llama_mapper.domain.contracts.releases import Alpha, Note, Rate, Share, Tenants, TrafficUnit

SchemaModel = Annotated[str, Field(pattern=r"^[A-Za-z]{1,64}$")]
Major = Annotated[int, Field(ge=1, le=9999)]


class SchemaTrial(Contract):
    """A release of a schema's version that is under way: who gets the candidate, and what everybody else gets."""

    release_id: Identifier
    model: SchemaModel
    baseline: Major
    candidate: Major
    basis_points: Annotated[int, Field(ge=0, le=10_000)]
    """The candidate's part of the traffic."""
    unit: TrafficUnit
    tenants: Tenants = ()
    """Only these take part; empty: all."""
    excluded_tenants: Tenants = ()


class SchemaStanding(Contract):
    """What releases have made of the defaults."""

    settled: Annotated[dict[SchemaModel, Major], Field(max_length=1000)] = Field(default_factory=dict)
    """What the last completed release of each schema left in force."""
    trials: Annotated[tuple[SchemaTrial, ...], Field(max_length=1000)] = ()


class SchemaCount(Contract):
    """All that one process has counted of one version on trial, or of what stands beside it."""

    release_id: Identifier
    arm: Identifier
    requests: Count
    errors: Count
    labels: Count
    """Documents: requests or answers."""
    invalid: Count
    """Documents that did not keep the version's schema."""
    latency: Annotated[dict[Annotated[str, Field(pattern=r"^-?[0-9]{1,6}$")], Count], Field(max_length=512)]
    """Bucket → requests."""


class SchemaCounts(Contract):
    """What a process has counted in all so far, under a name of its own and a growing number."""

    writer: Identifier
    sequence: Count
    items: Annotated[tuple[SchemaCount, ...], Field(max_length=1000)]


class SchemaDeployment(Contract):
    """How a version becomes the one that callers get who name none."""

    stages: Annotated[tuple[Share, ...], Field(min_length=1, max_length=20)] = (5.0, 25.0, 50.0, 100.0)
    """Percent of the traffic, rising to 100."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000_000)] = 200
    """Requests that it must have had in a stage before the next."""
    min_seconds: Annotated[float, Field(ge=0.0, le=31_536_000.0)] = 600.0
    schema_validity_drop: Rate = 0.02
    """By how much the share of documents that keep their schema may drop."""
    error_rise: Rate = 0.02
    """By how much the share of failed requests may rise."""
    alpha: Alpha = 0.05
    """Probability that a version within both margins is ever rolled back by itself."""
    automatic: bool = True
    """Whether it advances by itself; it is rolled back by itself in any case."""
    unit: TrafficUnit = TrafficUnit.CALLER
    tenants: Tenants = ()
    """Only these tenants take part; empty: all."""
    excluded_tenants: Tenants = ()
    note: Note = ""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if list(self.stages) != sorted(set(self.stages)) or self.stages[-1] != 100.0:
            raise ValueError("the stages must rise, and end at 100")
        if self.unit is TrafficUnit.LABEL:
            raise ValueError("a release of a schema is by caller or by request")
        return self
