"""What is in production: read by whatever sends requests to models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import ModelKind, ModelManifest, ModelStage
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ModelRegistryError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.compatibility import differences, require_fit
from llama_mapper.domain.mapping.models.events import StoredModel
from llama_mapper.domain.mapping.models.ports import ModelRecords
from llama_mapper.domain.mapping.models.states import standing_of, standings, unknown

LOOK_EVERY_S = 1.0
"""For how long an answer may be out of date."""

NEAR = timedelta(days=30)
"""How long before a deprecation's date it is warned of."""

_TENANTS = 4096
"""So many are remembered, and then all forgotten."""

_IN_SERVICE = frozenset({ModelStage.PRODUCTION, ModelStage.DEPRECATED})


@dataclass(frozen=True, slots=True)
class ServableModel:
    """A version that may answer requests. `owner` is a tenant, or `EVERYONE`."""

    owner: str
    manifest: ModelManifest
    stage: ModelStage
    deprecated_on: datetime | None = None

    @property
    def reference(self) -> str:
        """`name@version`, as records name the model that answered."""
        return f"{self.manifest.name}@{self.manifest.version}"

    def is_deprecated(self, now: datetime) -> bool:
        """Whether the date of its deprecation is past."""
        return self.deprecated_on is not None and now >= self.deprecated_on

    def warning(self, now: datetime) -> str | None:
        """What answers should carry from 30 days before the date of its deprecation; None earlier, or without one."""
        if self.deprecated_on is None or now < self.deprecated_on - NEAR:
            return None
        day = self.deprecated_on.date().isoformat()
        if self.is_deprecated(now):
            return f"the model {self.reference} is deprecated since {day}"
        return f"the model {self.reference} will be deprecated on {day}"


class ModelCatalogue(Protocol):
    """Which models may answer."""

    async def in_production(self, tenant_id: str, kind: ModelKind) -> tuple[ServableModel, ...]:
        """Versions that may answer the tenant: its own, then the installation's, each last promoted first.

        Where an owner has none in production, its deprecated ones. One that does not fit the catalogue is left out.
        Raises `STORE_UNAVAILABLE`.
        """
        ...

    async def servable(self, tenant_id: str, name: str, version: str) -> ServableModel:
        """One version, in whichever stage, for whoever tries it.

        Raises `MODEL_NOT_FOUND`, `MODEL_STATE` if it is archived, and `MODEL_INCOMPATIBLE`.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    mark: int
    looked: float
    models: Mapping[ModelKind, tuple[ServableModel, ...]]


class ServingModels:
    """Keeps `ModelCatalogue`; looks once a second at the most whether something happened."""

    def __init__(
        self,
        records: ModelRecords,
        catalogue: Callable[[], CatalogueVersions],
        clock: Clock,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._records = records
        self._catalogue = catalogue
        self._clock = clock
        self._look_every_s = look_every_s
        self._seen: dict[str, _Seen] = {}

    async def in_production(self, tenant_id: str, kind: ModelKind) -> tuple[ServableModel, ...]:
        """See `ModelCatalogue.in_production`."""
        here = self._catalogue()
        found = (await self._models(tenant_id)).get(kind, ())
        return tuple(each for each in found if not differences(each.manifest.compatible, here))

    async def servable(self, tenant_id: str, name: str, version: str) -> ServableModel:
        """See `ModelCatalogue.servable`."""
        for owner in dict.fromkeys((tenant_id, EVERYONE)):
            model = await self._records.model(owner, name)
            found = model.version(version)
            if found is None:
                continue
            standing = standing_of(model.log, name, version)
            if standing.stage is ModelStage.ARCHIVED:
                raise ModelRegistryError(f"the version {version} of '{name}' is archived")
            require_fit(found.manifest, self._catalogue())
            return ServableModel(owner, found.manifest, standing.stage, standing.deprecated_on)
        raise unknown(name, version)

    def notes(self) -> dict[str, str]:
        """Of what was asked for lately: models that are deprecated, or in production and do not fit."""
        here, now = self._catalogue(), self._clock()
        told = {}
        for seen in self._seen.values():
            for model in (each for models in seen.models.values() for each in models):
                differing = differences(model.manifest.compatible, here)
                warning = model.warning(now)
                if differing or warning:
                    told[f"model.{model.reference}"] = "; ".join(differing) or str(warning)
        return told

    def deprecated(self) -> frozenset[str]:
        """References of models that were asked for lately and are in service past the date of their deprecation."""
        now = self._clock()
        models = (m for seen in self._seen.values() for ms in seen.models.values() for m in ms)
        return frozenset(each.reference for each in models if each.is_deprecated(now))

    async def _models(self, tenant_id: str) -> Mapping[ModelKind, tuple[ServableModel, ...]]:
        seen, now = self._seen.get(tenant_id), monotonic()
        if seen is not None and now - seen.looked < self._look_every_s:
            return seen.models
        if len(self._seen) > _TENANTS:
            self._seen.clear()
        mark = await self._records.mark(tenant_id)
        if seen is not None and seen.mark == mark:
            self._seen[tenant_id] = _Seen(mark, now, seen.models)
            return seen.models
        found: dict[ModelKind, tuple[ServableModel, ...]] = {}
        for owner in dict.fromkeys((tenant_id, EVERYONE)):
            for kind, models in _serving(await self._records.models(owner)).items():
                found[kind] = (*found.get(kind, ()), *models)
        self._seen[tenant_id] = _Seen(mark, now, found)
        return found


def _serving(models: Sequence[StoredModel]) -> dict[ModelKind, list[ServableModel]]:
    """An owner's models in service, by kind, last promoted first."""
    by_kind: dict[ModelKind, list[tuple[bool, datetime, ServableModel]]] = {}
    for model in models:
        for version, standing in standings(model.log).items():
            found = model.version(version)
            if found is None or standing.promoted is None or standing.stage not in _IN_SERVICE:
                continue
            servable = ServableModel(model.owner, found.manifest, standing.stage, standing.deprecated_on)
            promoted_at = model.log[standing.promoted - 1].at
            in_production = standing.stage is ModelStage.PRODUCTION
            by_kind.setdefault(found.manifest.kind, []).append((in_production, promoted_at, servable))
    chosen: dict[ModelKind, list[ServableModel]] = {}
    for kind, each in by_kind.items():
        best = max(in_production for in_production, _, _ in each)
        serving = [(at, model) for in_production, at, model in each if in_production is best]
        chosen[kind] = [model for _, model in sorted(serving, key=lambda pair: pair[0], reverse=True)]
    return chosen
