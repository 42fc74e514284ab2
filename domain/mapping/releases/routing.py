"""Which version answers: a look-up in a picture of what holds, which is replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    Metric,
    ReleaseMode,
    Start,
    TrafficUnit,
    VariantKind,
)
from llama_mapper.domain.contracts.schema_defaults import SchemaStanding, SchemaTrial
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL
from llama_mapper.domain.kernel.traffic import TrafficSplit
from llama_mapper.domain.mapping.releases.events import Log
from llama_mapper.domain.mapping.releases.ports import Standing
from llama_mapper.domain.mapping.releases.states import BASELINE, position_of


@dataclass(frozen=True, slots=True)
class Variant:
    """A version of something; what it is, only whoever runs it knows."""

    kind: VariantKind
    version: str


@dataclass(frozen=True, slots=True)
class Served:
    """For whom a request is: its tenant, and what its labels share where a release is by request."""

    tenant_id: str
    request_key: str = ""


SERVED: ContextVar[Served | None] = ContextVar("llama_mapper_served", default=None)
"""For whom labels are mapped now; set by whoever takes the request."""


def served_now() -> Served:
    """For whom labels are mapped now; where nobody said so, the caller's tenant."""
    served = SERVED.get()
    if served is not None:
        return served
    principal = CURRENT_PRINCIPAL.get()
    return Served("" if principal is None else principal.tenant_id)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The version for a unit, and the release and arm that it is counted for; None where there is none."""

    variant: Variant | None
    release_id: str | None = None
    arm: str = BASELINE


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """A release under way, ready to be asked."""

    id: str
    plan: Start
    unit: TrafficUnit
    baseline: Assignment
    arms: Mapping[str, Assignment]
    split: TrafficSplit
    comparisons: TrafficSplit
    """Which units the baseline answers too, in the background."""
    means: tuple[Metric, ...]
    _only: frozenset[str]
    _excluded: frozenset[str]

    @classmethod
    def of(cls, log: Log) -> LiveRelease:
        """The release of a log."""
        position, release_id = position_of(log), log[0].release_id
        plan = position.plan
        assigned = {
            arm: Assignment(Variant(plan.kind, version), release_id, arm) for arm, version in position.versions.items()
        }
        baseline = assigned.pop(BASELINE)
        compared = round(plan.compare_percent * 100) if isinstance(plan, CanaryStart) else 0
        return cls(
            id=release_id,
            plan=plan,
            unit=plan.unit,
            baseline=baseline,
            arms=assigned,
            split=TrafficSplit(release_id, position.weights),
            comparisons=TrafficSplit(f"{release_id}:compare", {BASELINE: compared}),
            means=_means(plan),
            _only=frozenset(plan.tenants),
            _excluded=frozenset(plan.excluded_tenants),
        )

    def takes_part(self, tenant_id: str) -> bool:
        """Whether the tenant's traffic is in the release at all."""
        return tenant_id not in self._excluded and (not self._only or tenant_id in self._only)

    def arm_for(self, tenant_id: str, unit: str) -> Assignment | None:
        """The arm other than the baseline that a unit belongs to, if it does."""
        if not self.takes_part(tenant_id):
            return None
        arm = self.split.arm_of(tenant_id, unit)
        return None if arm is None else self.arms[arm]

    def is_compared(self, tenant_id: str, unit: str) -> bool:
        """Whether the baseline answers a unit of the candidate's too, in the background."""
        return self.comparisons.arm_of(tenant_id, unit) is not None


@dataclass(frozen=True, slots=True)
class Route:
    """What holds for one kind: `usual` answers where no release says otherwise."""

    usual: Assignment
    answering: LiveRelease | None = None
    shadow: LiveRelease | None = None

    def assign(self, tenant_id: str, unit: str) -> Assignment:
        """Who answers a unit. Where its tenant takes no part in a release, it is not counted either."""
        live = self.answering
        if live is None:
            return self.usual
        if not live.takes_part(tenant_id):
            return Assignment(live.baseline.variant)
        return live.arm_for(tenant_id, unit) or live.baseline


@dataclass(frozen=True, slots=True)
class Picture:
    """What holds for all kinds, of which releases are known up to `mark`."""

    routes: Mapping[VariantKind, Route]
    """Of all kinds but schemas, of which each is released by itself."""
    schemas: SchemaStanding = field(default_factory=SchemaStanding)
    mark: int = 0
    live: frozenset[str] = field(default_factory=frozenset)
    means: Mapping[str, tuple[Metric, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, standing: Standing, usual: Mapping[VariantKind, str]) -> Picture:
        """The picture of what stands; `usual` are the versions where nothing was ever released."""
        lives = [LiveRelease.of(log) for log in standing.live]
        routes = {}
        for kind in set(VariantKind) - {VariantKind.SCHEMA}:
            version = standing.settled.get(kind, usual.get(kind))
            of_kind = [live for live in lives if live.plan.kind is kind]
            routes[kind] = Route(
                Assignment(None if version is None else Variant(kind, version)),
                next((live for live in of_kind if live.plan.mode is not ReleaseMode.SHADOW), None),
                next((live for live in of_kind if live.plan.mode is ReleaseMode.SHADOW), None),
            )
        return cls(
            routes=routes,
            schemas=schema_standing(standing.settled, lives),
            mark=standing.mark,
            live=frozenset(live.id for live in lives),
            means={live.id: live.means for live in lives},
        )


def schema_standing(settled: Mapping[str, str], lives: Sequence[LiveRelease]) -> SchemaStanding:
    """What releases made of the default versions of schemas."""
    own = [version for subject, version in settled.items() if subject.startswith(f"{VariantKind.SCHEMA.value}:")]
    return SchemaStanding(
        settled=dict(map(_major_of, own)),
        trials=tuple(_trial(live) for live in lives if live.plan.kind is VariantKind.SCHEMA),
    )


def _trial(live: LiveRelease) -> SchemaTrial:
    plan, (candidate,) = live.plan, live.arms.values()
    model, baseline = _major_of(plan.baseline)
    return SchemaTrial(
        release_id=live.id,
        model=model,
        baseline=baseline,
        candidate=baseline if candidate.variant is None else _major_of(candidate.variant.version)[1],
        basis_points=sum(live.split.weights.values()),
        unit=live.unit,
        tenants=plan.tenants,
        excluded_tenants=plan.excluded_tenants,
    )


def _major_of(version: str) -> tuple[str, int]:
    model, _, major = version.partition(":")
    return model, int(major)


def _means(plan: Start) -> tuple[Metric, ...]:
    if isinstance(plan, CanaryStart | BlueGreenStart):
        return ()
    return tuple(metric for metric in plan.metrics if metric.is_mean)
