"""Which version of a schema is spoken with a caller that names none: a pure decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llama_mapper.domain.contracts.evolution.versions import SchemaVersions
from llama_mapper.domain.contracts.releases import TrafficUnit
from llama_mapper.domain.contracts.schema_defaults import SchemaStanding, SchemaTrial
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.kernel.traffic import BASIS_POINTS, TrafficSplit

BASELINE, CANDIDATE = "baseline", "candidate"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who asks: its tenant, what names the caller, and what names the request."""

    tenant_id: str
    caller: str
    request: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """The major version for a caller, and the release and arm that it is counted for, if it is.

    `otherwise` is what is spoken where the version on trial turns out not to work.
    """

    major: int
    release_id: str | None = None
    arm: str = BASELINE
    otherwise: int | None = None


@dataclass(frozen=True, slots=True)
class _Trial:
    trial: SchemaTrial
    split: TrafficSplit

    def takes_part(self, tenant_id: str) -> bool:
        trial = self.trial
        return tenant_id not in trial.excluded_tenants and (not trial.tenants or tenant_id in trial.tenants)


class DefaultVersions:
    """What holds now: the newest version, unless configured otherwise, unless a release left another in force.

    A version that is not served any more counts as if nobody had named it. A tenant's caller gets the same version for
    as long as a release stands at its stage, and keeps the candidate at every later one.
    """

    def __init__(
        self,
        versions: SchemaVersions,
        standing: SchemaStanding | None = None,
        configured: Mapping[str, int] | None = None,
    ) -> None:
        """Raise `CONFIGURATION_INVALID` if `configured` (model → major) names a version that is not served."""
        standing = standing or SchemaStanding()
        served = {(one.model, one.version.major) for one in versions.all()}
        for model, major in (configured or {}).items():
            if (model, major) not in served:
                raise ConfigurationError(f"schema_defaults names {model} in version {major}, which is not served")
        self.newest = {model: versions.newest(model).version.major for model, _ in served}
        chosen = {**(configured or {}), **standing.settled}
        self._standing = self.newest | {model: major for model, major in chosen.items() if (model, major) in served}
        self._trials = {
            trial.model: _Trial(trial, TrafficSplit(trial.release_id, {CANDIDATE: trial.basis_points}))
            for trial in standing.trials
            if {(trial.model, trial.baseline), (trial.model, trial.candidate)} <= served
        }
        self._plain = {model: Spoken(major) for model, major in self._standing.items()}

    def is_on_trial(self, model: str) -> bool:
        """Whether documents of the model are counted now."""
        return model in self._trials

    def trials(self) -> frozenset[str]:
        """The releases under way."""
        return frozenset(found.trial.release_id for found in self._trials.values())

    def in_force(self, model: str) -> int:
        """The version that is not on trial; raise KeyError for a model that is not published."""
        trial = self._trials.get(model)
        return self._standing[model] if trial is None else trial.trial.baseline

    def spoken(self, model: str, speaker: Speaker) -> Spoken:
        """The version for a caller; raise KeyError for a model that is not published."""
        found = self._trials.get(model)
        if found is None:
            return self._plain[model]
        trial = found.trial
        if not found.takes_part(speaker.tenant_id):
            return Spoken(trial.baseline)
        unit = speaker.request if trial.unit is TrafficUnit.REQUEST else speaker.caller
        if found.split.arm_of(speaker.tenant_id, unit) is None:
            return Spoken(trial.baseline, trial.release_id)
        return Spoken(trial.candidate, trial.release_id, CANDIDATE, trial.baseline)

    def shares(self, model: str, tenant_id: str) -> Mapping[int, float]:
        """Major → percent of the tenant's traffic that names no version; together 100."""
        found = self._trials.get(model)
        if found is None or not found.takes_part(tenant_id):
            return {self.in_force(model): 100.0}
        percent = found.trial.basis_points * 100.0 / BASIS_POINTS
        return {found.trial.candidate: percent, found.trial.baseline: 100.0 - percent}

    def release_of(self, model: str, tenant_id: str) -> str | None:
        """The release that the tenant takes part in."""
        found = self._trials.get(model)
        return found.trial.release_id if found is not None and found.takes_part(tenant_id) else None
