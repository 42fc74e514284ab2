"""Wiring of releases: the use cases, and what follows, counts and judges in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from llama_mapper.adapters.mapping.sql_models import SqlModels
from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.models.serving import ServingModels
from llama_mapper.domain.mapping.releases.admission import Admission, AdmissionGate
from llama_mapper.domain.mapping.releases.controller import ReleaseController
from llama_mapper.domain.mapping.releases.experiments import ExperimentService
from llama_mapper.domain.mapping.releases.ledger import ReleaseLedger
from llama_mapper.domain.mapping.releases.observations import Observations
from llama_mapper.domain.mapping.releases.ports import ValidationSuite
from llama_mapper.domain.mapping.releases.router import ReleaseRouter
from llama_mapper.domain.mapping.releases.schemas import SchemaEvaluations
from llama_mapper.domain.mapping.releases.service import ReleaseService
from llama_mapper.domain.mapping.releases.suites import SuitesByKind
from llama_mapper.domain.mapping.releases.versions_here import RegisteredEvaluations, RegistryWatch, VersionsHere
from llama_mapper.entrypoints.containers.schema_defaults import OwnSchemaReleases
from llama_mapper.entrypoints.containers.schemas import schema_versions

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
    from llama_mapper.domain.contracts.catalogue import CatalogueView
    from llama_mapper.domain.contracts.evolution.versions import SchemaVersions
    from llama_mapper.domain.mapping.releases.split_cascade import SplitCascade
    from llama_mapper.domain.mapping.releases.split_stage import SplitStage
    from llama_mapper.entrypoints.settings import Settings


@dataclass(slots=True)
class Failures:
    """How often something in the background failed, by what it does."""

    counts: dict[str, int] = field(default_factory=dict)

    def told(self, what: str, error: str) -> None:
        """Count and log one."""
        self.counts[what] = self.counts.get(what, 0) + 1
        structlog.get_logger("llama_mapper.releases").warning("release_work_failed", what=what, error=error)


@dataclass(frozen=True, slots=True)
class Releases:
    """All that a process has for releases."""

    service: ReleaseService
    experiments: ExperimentService
    router: ReleaseRouter
    observations: Observations
    controller: ReleaseController
    failures: Failures
    schemas: OwnSchemaReleases
    suites: dict[VariantKind, ValidationSuite]
    """What versions are validated with: filled once there is something that can be tried."""
    watch: RegistryWatch
    splits: list[SplitStage | SplitCascade] = field(default_factory=list)
    """What shares the traffic out here."""

    def notes(self) -> Mapping[str, str]:
        """What is wrong with following the releases, and with what they put into force."""
        own = {} if self.router.trouble is None else {"releases": self.router.trouble}
        troubles = [trouble for split in self.splits if (trouble := split.trouble()) is not None]
        in_force = {"releases.in_force": "; ".join(dict.fromkeys(troubles))} if troubles else {}
        return {**own, **in_force, **self.watch.notes()}

    def left_out(self) -> int:
        """Comparisons and shadows that were one too many at a time."""
        return sum(split.left_out for split in self.splits)


def releases_over(
    database: Database,
    settings: Settings,
    catalogue: CatalogueView,
    clock: Clock,
    schemas: Callable[[], SchemaVersions] = schema_versions,
) -> Releases:
    """The releases of a mapping database; `schemas` gives the committed versions of schemas."""
    records, failures, suites = SqlReleases(database), Failures(), dict[VariantKind, ValidationSuite]()
    models = SqlModels(database)
    registered = ServingModels(models, lambda: catalogue.versions, clock)
    named = [model.release for model in settings.generation if model.release is not None]
    usual = _usual(settings, named)
    ledger = ReleaseLedger(records, clock, usual)
    evaluations = SchemaEvaluations(schemas, RegisteredEvaluations(models))
    admission = Admission(_gates(settings), evaluations, VersionsHere(named, registered))
    observations = Observations(records, on_failure=lambda error: failures.told("counting", error))
    router = ReleaseRouter(records, observations, usual, on_failure=lambda error: failures.told("following", error))
    return Releases(
        service=ReleaseService(records, ledger, admission, SuitesByKind(suites), clock),
        experiments=ExperimentService(records, ledger, admission),
        router=router,
        observations=observations,
        controller=ReleaseController(
            records,
            ledger,
            clock,
            interval_s=settings.release_interval_s,
            on_failure=lambda error: failures.told("judging", error),
        ),
        failures=failures,
        suites=suites,
        watch=RegistryWatch(registered, named),
        schemas=OwnSchemaReleases(router, observations, records),
    )


@asynccontextmanager
async def running_releases(releases: Releases, metrics: PrometheusMetrics) -> AsyncIterator[None]:
    """Follow, count and judge until the end of the block; what was counted is written at the end."""
    metrics.gauge("llama_mapper_release_steps", "Steps of releases that are followed.", lambda: releases.router.seen)
    metrics.gauge(
        "llama_mapper_release_failures",
        "Failed work on releases in the background.",
        lambda: sum(releases.failures.counts.values()),
    )
    metrics.gauge(
        "llama_mapper_release_calls_left_out",
        "Shadows and comparisons of releases that were one too many at a time.",
        releases.left_out,
    )
    try:
        await releases.router.refresh()
        await releases.watch.look()
    except ServiceError as error:
        releases.failures.told("following", error.error_code.value)
    work = (releases.router.run, releases.watch.run, releases.controller.run, releases.observations.run)
    tasks = [asyncio.create_task(run()) for run in work]
    try:
        yield
    finally:
        for split in releases.splits:
            await split.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _usual(settings: Settings, named: Sequence[str]) -> dict[VariantKind, str]:
    """The versions that answer where nothing was ever released."""
    usual: dict[VariantKind, str] = {
        VariantKind.STRATEGY: settings.mapping_strategy,
        VariantKind.PROMPT: settings.generation_form,
    }
    return {**usual, VariantKind.MODEL: named[0]} if named else usual


def _gates(settings: Settings) -> dict[VariantKind, AdmissionGate]:
    least, most = settings.release_minimums, settings.release_maximums
    return {kind: AdmissionGate(least.get(kind.value, {}), most.get(kind.value, {})) for kind in VariantKind}
