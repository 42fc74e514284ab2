"""Wiring of the orchestration context: the shipped detectors, the policy engine, the stores, the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.orchestration.detector_plugins import LoadedPlugins, load_plugins
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
from llama_mapper.adapters.orchestration.sql_detector_registry import SqlDetectorRegistry
from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
from llama_mapper.domain.contracts.catalogue import CatalogueView, TenantViews
from llama_mapper.domain.contracts.detectors import DetectorSource
from llama_mapper.domain.kernel.digests import RequestDigests
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.desk import DetectorDesk
from llama_mapper.domain.orchestration.findings import FindingReader
from llama_mapper.domain.orchestration.hooks import Hooks
from llama_mapper.domain.orchestration.lifecycle.ports import DetectorsInService
from llama_mapper.domain.orchestration.lifecycle.service import PolicyLifecycle
from llama_mapper.domain.orchestration.ports import Detector, DetectorDescriptor, PolicyBundle
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.following import RegistryFollower
from llama_mapper.domain.orchestration.registry.service import DetectorRegistryService
from llama_mapper.domain.orchestration.resilience.load_shedding import LoadShedder
from llama_mapper.domain.orchestration.response_cache import ResponseCache
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from llama_mapper.domain.orchestration.validation.validator import DeepBundleValidator
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.definitions import following_definitions
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.policy_engines import bounded_engine, bundle_validator, opa_engine
from llama_mapper.entrypoints.containers.remote_detectors import RemoteDetectors
from llama_mapper.entrypoints.containers.resilience import RemoteGuards, shedder_gauges
from llama_mapper.entrypoints.containers.shared_state import SharedState
from llama_mapper.entrypoints.settings import Settings

_SCANNERS = "llama_mapper.adapters.orchestration.scanners"

SCANNERS: Mapping[str, str] = {
    "secret_phrases": f"{_SCANNERS}.content.secrets_phrases:secret_phrase_scanner",
    "violence": f"{_SCANNERS}.content.violence_rules:violence_scanner",
    "abuse": f"{_SCANNERS}.content.abuse_rules:abuse_scanner",
    "prompt_attack": f"{_SCANNERS}.content.prompt_attack_rules:prompt_attack_scanner",
    "betterleaks": f"{_SCANNERS}.content.secrets_betterleaks:betterleaks_scanner",
    "language": f"{_SCANNERS}.content.language_py3langid:langid_scanner",
    "detect_secrets": f"{_SCANNERS}.content.secrets_detect_secrets:detect_secrets_scanner",
    "picket": f"{_SCANNERS}.content.prompt_attack_picket:picket_scanner",
    "personal_context": f"{_SCANNERS}.identifiers.personal_context:personal_context_scanner",
    "financial_context": f"{_SCANNERS}.identifiers.financial_context:financial_context_scanner",
    "health": f"{_SCANNERS}.health_records.scanner:health_scanner",
    "presidio": f"{_SCANNERS}.identifiers.presidio_patterns:presidio_scanner",
    "toxicity": f"{_SCANNERS}.content.toxicity_alt_profanity_check:profanity_check_scanner",
    "presidio_ner": f"{_SCANNERS}.identifiers.presidio_ner:presidio_ner_scanner",
}
"""Shipped detector → the factory of its scanner; quick ones first, for they load in this order."""


OPT_IN = frozenset({"presidio_ner"})
"""Shipped detectors that run only where the settings name them: they need an extra and take memory and time."""


def _factories(settings: Settings) -> tuple[str, ...]:
    chosen = set(SCANNERS) - OPT_IN if settings.detectors is None else set(settings.detectors)
    chosen |= set(settings.extra_detectors)
    if unknown := sorted(chosen - set(SCANNERS)):
        raise ConfigurationError(f"unknown detectors {', '.join(unknown)}; there are {', '.join(SCANNERS)}")
    return tuple(factory for name, factory in SCANNERS.items() if name in chosen)


def plugins_of(settings: Settings, catalogue: CatalogueView, more: Sequence[Detector] = ()) -> LoadedPlugins:
    """The installed plugins, loaded as far as they can be."""
    return load_plugins(
        catalogue,
        settings.plugins,
        settings.enabled_plugins,
        detectors={*SCANNERS, *(detector.descriptor.name for detector in more)},
        policies={bundle.name for bundle in load_shipped_bundles()},
    )


def _bundles(plugins: LoadedPlugins) -> tuple[PolicyBundle, ...]:
    return (*load_shipped_bundles(), *plugins.policies)


def _all_factories(settings: Settings, plugins: LoadedPlugins) -> tuple[str, ...]:
    return (*_factories(settings), *plugins.scanners)


def _response_cache(
    settings: Settings, shared: SharedState, digests: RequestDigests, version: str
) -> ResponseCache | None:
    if settings.response_cache_ttl_s == 0:
        return None
    return ResponseCache(shared.cache, digests, settings.response_cache_ttl_s, version)


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000.0


def _fixed(
    pool: WorkerPool, plugins: LoadedPlugins, more: Sequence[Detector]
) -> dict[str, tuple[DetectorSource, Detector]]:
    """The detectors that no definition made, each with its source."""
    fixed: dict[str, tuple[DetectorSource, Detector]] = {}
    for name, detector in pool.detectors.items():
        fixed[name] = (DetectorSource.SHIPPED if name in SCANNERS else DetectorSource.PLUGIN, detector)
    fixed |= {each.descriptor.name: (DetectorSource.PLUGIN, each) for each in plugins.detectors}
    return fixed | {each.descriptor.name: (DetectorSource.EMBEDDED, each) for each in more}


def _roster(catalogue: CatalogueView, fixed: Mapping[str, tuple[DetectorSource, Detector]]) -> DetectorRoster:
    return DetectorRoster(catalogue, {name: detector for name, (_, detector) in fixed.items()})


def in_service(roster: DetectorRoster) -> DetectorsInService:
    """What the detectors declare that plans may choose now."""

    async def descriptors() -> Sequence[DetectorDescriptor]:
        return [detector.descriptor for detector in roster.detectors.values()]

    return descriptors


def _validator(settings: Settings, catalogue: CatalogueView, roster: DetectorRoster) -> DeepBundleValidator:
    return bundle_validator(settings, in_service(roster), catalogue.categories)


class OrchestrationContainer(containers.DeclarativeContainer):
    """Detectors in worker processes, policies in Rego, and the service over them."""

    platform = providers.DependenciesContainer()
    more_detectors = providers.Object(())
    views: providers.Provider[TenantViews | None] = providers.Object(None)
    database = providers.Singleton(database_for, platform.settings, "orchestration")
    bundles = providers.Singleton(SqlPolicyRecords, database)
    records = providers.Singleton(SqlDetectorRecords, database)
    plugins = providers.Singleton(plugins_of, platform.settings, platform.catalogue, more_detectors)
    shipped = providers.Singleton(_bundles, plugins)
    engine = providers.Selector(
        platform.settings.provided.policy_engine,
        regorus=providers.Singleton(bounded_engine, platform.settings, shipped),
        opa=providers.Singleton(opa_engine, platform.settings),
    )
    pool = providers.Singleton(
        WorkerPool,
        providers.Callable(_all_factories, platform.settings, plugins),
        workers=platform.settings.provided.detector_workers,
    )
    fixed = providers.Singleton(_fixed, pool, plugins, more_detectors)
    roster = providers.Singleton(_roster, platform.catalogue, fixed)
    lifecycle = providers.Singleton(
        PolicyLifecycle,
        records=bundles,
        shipped=shipped,
        engine=engine,
        validator=providers.Singleton(_validator, platform.settings, platform.catalogue, roster),
        detectors=providers.Callable(in_service, roster),
        clock=platform.clock,
        four_eyes=platform.settings.provided.policy_four_eyes,
    )
    shedder = providers.Singleton(LoadShedder, platform.settings.provided.max_inflight_requests)
    service = providers.Singleton(
        OrchestrationService,
        roster=roster,
        engine=engine,
        bundles=bundles,
        shipped=shipped,
        catalogue=platform.catalogue,
        digests=platform.digests,
        service_version=platform.version,
        content_limit=platform.settings.provided.content_limit,
        hooks=providers.Factory(Hooks, plugins.provided.hooks),
        cache=providers.Factory(
            _response_cache, platform.settings, platform.shared_state, platform.request_digests, platform.version
        ),
        shedder=shedder,
        views=views,
    )
    guards = providers.Singleton(RemoteGuards, platform.metrics, platform.shared_state.provided.breakers)
    remote = providers.Singleton(RemoteDetectors, guards)
    fleet = providers.Singleton(
        DetectorFleet,
        roster,
        fixed,
        remote.provided.make,
        platform.catalogue,
        release=remote.provided.release,
        health_of=remote.provided.health_of,
        linger_s=providers.Callable(_seconds, platform.settings.provided.request_timeout_ms),
    )
    revisions = providers.Singleton(SqlDetectorRegistry, database)
    follower = providers.Singleton(RegistryFollower, revisions, fleet)
    registry = providers.Singleton(
        DetectorRegistryService,
        store=revisions,
        fleet=fleet,
        catalogue=platform.catalogue,
        reader=providers.Factory(FindingReader, platform.catalogue, platform.digests),
        make=remote.provided.make_for_trial,
        release=remote.provided.release,
        announce=follower.provided.refresh,
        clock=platform.clock,
    )
    desk = providers.Singleton(
        DetectorDesk,
        roster=roster,
        catalogue=platform.catalogue,
        digests=platform.digests,
        content_limit=platform.settings.provided.content_limit,
        timeout_s=providers.Callable(_seconds, platform.settings.provided.request_timeout_ms),
    )


@asynccontextmanager
async def running_orchestration(
    platform: PlatformContainer, more_detectors: Sequence[Detector] = (), views: TenantViews | None = None
) -> AsyncIterator[OrchestrationContainer]:
    """The context with its database open and its detectors loading in the background.

    Without `views` labels mean to every tenant what ships.
    """
    container = OrchestrationContainer(
        platform=platform, more_detectors=providers.Object(tuple(more_detectors)), views=providers.Object(views)
    )
    async with open_database(container.database()):
        container.service()
        pool = container.pool()
        await pool.start()
        try:
            declared = await in_service(container.roster())()
            await container.records().observe(declared, platform.clock()())
            following = following_definitions(
                platform.settings(),
                container.fleet(),
                container.follower(),
                container.records(),
                platform.catalogue(),
                platform.clock(),
            )
            await container.guards().start()
            shedder_gauges(platform.metrics(), container.shedder())
            async with following:
                yield container
        finally:
            await container.guards().stop()
            await container.remote().close()
            await container.engine().close()
            await pool.close()
