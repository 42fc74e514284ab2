"""What a door finds behind it: the Apis that run here, and how they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.analysis import AnalysisApi
from llama_mapper.domain.contracts.assessment import AssessmentApi
from llama_mapper.domain.contracts.cost_optimisation import CostOptimiserApi
from llama_mapper.domain.contracts.costs import CostApi
from llama_mapper.domain.contracts.crosswalks import CrosswalkDeskApi
from llama_mapper.domain.contracts.detectors import DetectorDeskApi, DetectorRegistryApi
from llama_mapper.domain.contracts.jobs import JobApi
from llama_mapper.domain.contracts.mapping import MappingApi
from llama_mapper.domain.contracts.mapping_settings import MappingSettingsApi
from llama_mapper.domain.contracts.model_servers import ModelServerApi
from llama_mapper.domain.contracts.monitoring import MonitoringApi
from llama_mapper.domain.contracts.orchestration import OrchestrationApi
from llama_mapper.domain.contracts.overlays import OverlayApi
from llama_mapper.domain.contracts.own_catalogue import FrameworkDeskApi, VocabularyDeskApi
from llama_mapper.domain.contracts.policies import PolicyLifecycleApi
from llama_mapper.domain.contracts.releases import ExperimentApi, ReleaseApi
from llama_mapper.domain.contracts.reviews import ReviewDeskApi
from llama_mapper.domain.contracts.streaming import StreamingApi
from llama_mapper.domain.contracts.training import TrainingApi
from llama_mapper.domain.contracts.validation import ValidationApi
from llama_mapper.domain.kernel.errors import ConfigurationError, ServiceError
from llama_mapper.domain.kernel.forwarding import Forwarder
from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT

if TYPE_CHECKING:
    from llama_mapper.adapters.orchestration.detector_plugins import LoadedPlugins
    from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
    from llama_mapper.domain.analysis.service import AnalysisService
    from llama_mapper.domain.mapping.models.service import ModelRegistry
    from llama_mapper.domain.mapping.taxonomies.library import TaxonomyLibrary
    from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
    from llama_mapper.domain.orchestration.registry.following import RegistryFollower
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.policy_simulation import PolicySimulator
    from llama_mapper.entrypoints.schema_defaults import SchemaDefaults, SchemaReleaseLink

ReadinessCheck = Callable[[], Awaitable[str | None]]


async def _no_detectors(_: float) -> bool:
    return True


def _no_notes() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class MappingDesks:
    """Where people work on a tenant's own catalogue."""

    reviews: ReviewDeskApi
    vocabularies: VocabularyDeskApi
    frameworks: FrameworkDeskApi
    crosswalks: CrosswalkDeskApi
    settings: MappingSettingsApi
    overlays: OverlayApi


@dataclass(frozen=True, slots=True)
class Running:
    """A started process: an Api is None where its context does not run here."""

    platform: PlatformContainer
    checks: Mapping[str, ReadinessCheck]
    orchestration: OrchestrationApi | None = None
    streams: StreamingApi | None = None
    policies: PolicyLifecycleApi | None = None
    analysis: AnalysisApi | None = None
    mapping: MappingApi | None = None
    validator: ValidationApi | None = None
    costs: CostApi | None = None
    monitoring: MonitoringApi | None = None
    optimiser: CostOptimiserApi | None = None
    models: ModelRegistry | None = None
    model_servers: ModelServerApi | None = None
    mapping_desks: MappingDesks | None = None
    assessments: AssessmentApi | None = None
    registry: DetectorRegistryApi | None = None
    desk: DetectorDeskApi | None = None
    releases: ReleaseApi | None = None
    experiments: ExperimentApi | None = None
    operator_tenant: str = LOCAL_TENANT
    schema_defaults: SchemaDefaults | None = None
    schema_link: SchemaReleaseLink | None = None
    """Served where the releases of schemas are kept for a front door that runs elsewhere."""
    forwarders: Mapping[str, Forwarder] = field(default_factory=dict)
    """Context → what passes its operations on, at a front door that it does not run behind in this process."""
    simulator: PolicySimulator | None = None
    jobs: JobApi | None = None
    training: TrainingApi | None = None
    notes: Callable[[], Mapping[str, str]] = field(default=_no_notes)
    wait_for_detectors: Callable[[float], Awaitable[bool]] = field(default=_no_detectors)

    @property
    def taxonomies(self) -> TaxonomyLibrary:
        """The taxonomy's versions, known everywhere."""
        return self.platform.taxonomies()

    @property
    def chain(self) -> AssessmentApi:
        """The chain, where it runs here; raise `CONFIGURATION_INVALID` where it does not."""
        if self.assessments is None:
            raise ConfigurationError("the chain does not run in this process")
        return self.assessments

    @property
    def mapper(self) -> MappingApi:
        """The mapping context, where it runs here; raise `CONFIGURATION_INVALID` where it does not."""
        if self.mapping is None:
            raise ConfigurationError("the mapping context does not run in this process")
        return self.mapping


def database_check(database: Database) -> ReadinessCheck:
    """Whether the database answers."""

    async def check() -> str | None:
        try:
            await database.ping()
        except ServiceError as error:
            return error.message
        return None

    return check


def detector_notes(pool: WorkerPool, fleet: DetectorFleet | None = None) -> Mapping[str, str]:
    """Why each detector that cannot be asked now cannot, and each definition that cannot be used."""
    own = {f"detector.{name}": reason for name, reason in pool.status().readiness.items() if reason is not None}
    return own if fleet is None else {**own, **fleet.notes()}


def plugin_notes(plugins: LoadedPlugins) -> Mapping[str, str]:
    """Why each plugin that should be in service is not."""
    return {f"plugin.{state.name}": state.reason for state in plugins.states if state.enabled and state.reason}


def pool_gauges(metrics: PrometheusMetrics, pool: WorkerPool) -> None:
    """How the worker processes are doing, as metrics."""
    metrics.gauge("llama_mapper_detectors_ready", "Detectors that can be asked now.", lambda: _ready(pool))
    metrics.gauge("llama_mapper_detector_queue", "Scans that wait for a worker.", lambda: pool.status().queued)
    metrics.gauge("llama_mapper_detector_workers", "Worker processes.", lambda: len(pool.status().workers))


def fleet_gauges(metrics: PrometheusMetrics, fleet: DetectorFleet, follower: RegistryFollower) -> None:
    """How following the definitions goes, as metrics."""
    metrics.gauge(
        "llama_mapper_detector_definitions_refused",
        "Definitions and sources of detectors that cannot be used.",
        lambda: len(fleet.problems),
    )
    metrics.gauge(
        "llama_mapper_detector_definitions",
        "Definitions of detectors, in service or not.",
        lambda: len(fleet.offered()),
    )
    metrics.gauge(
        "llama_mapper_detector_registry_revisions", "Revisions that this process has followed.", lambda: follower.seen
    )


def history_gauges(metrics: PrometheusMetrics, analysis: AnalysisService) -> None:
    """How writing and reading the finding history goes, as metrics."""
    recorder, memo = analysis.recorder, analysis.memo
    metrics.gauge("llama_mapper_history_waiting", "History entries not written yet.", lambda: recorder.waiting)
    metrics.gauge("llama_mapper_history_lost", "History entries given up.", lambda: recorder.lost)
    metrics.gauge("llama_mapper_history_write_failures", "Failed writes of history.", lambda: recorder.failures)
    metrics.gauge("llama_mapper_history_read_failures", "Failed reads of history.", lambda: memo.read_failures)


def _ready(pool: WorkerPool) -> float:
    return sum(reason is None for reason in pool.status().readiness.values())
