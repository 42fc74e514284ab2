"""Wiring of the orchestration context: the shipped detectors, the policy engine, the stores, the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.orchestration.entry_point_plugins import LoadedPlugins, load_plugins
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.kernel.digests import RequestDigests
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.hooks import Hooks
from llama_mapper.domain.orchestration.lifecycle.ports import DetectorsInService
from llama_mapper.domain.orchestration.lifecycle.service import PolicyLifecycle
from llama_mapper.domain.orchestration.ports import Detector, DetectorDescriptor, PolicyBundle
from llama_mapper.domain.orchestration.response_cache import ResponseCache
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from llama_mapper.domain.orchestration.validation.trials import Registered
from llama_mapper.domain.orchestration.validation.validator import DeepBundleValidator
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.policy_engines import bounded_engine, bundle_validator, opa_engine
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


def _detectors(pool: WorkerPool, plugins: LoadedPlugins, more: Sequence[Detector]) -> dict[str, Detector]:
    own = (*plugins.detectors, *more)
    return {**pool.detectors, **{detector.descriptor.name: detector for detector in own}}


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


def _in_service(roster: DetectorRoster) -> DetectorsInService:
    async def descriptors() -> Sequence[DetectorDescriptor]:
        return [detector.descriptor for detector in roster.detectors.values()]

    return descriptors


def _validator(settings: Settings, catalogue: CatalogueView, roster: DetectorRoster) -> DeepBundleValidator:
    async def registered() -> Sequence[Registered]:
        descriptors = [detector.descriptor for detector in roster.detectors.values()]
        return [Registered(one.name, one.categories, one.languages) for one in descriptors]

    return bundle_validator(settings, registered, catalogue.categories)


class OrchestrationContainer(containers.DeclarativeContainer):
    """Detectors in worker processes, policies in Rego, and the service over them."""

    platform = providers.DependenciesContainer()
    more_detectors = providers.Object(())
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
    detectors = providers.Singleton(_detectors, pool, plugins, more_detectors)
    roster = providers.Singleton(DetectorRoster, platform.catalogue, detectors)
    lifecycle = providers.Singleton(
        PolicyLifecycle,
        records=bundles,
        shipped=shipped,
        engine=engine,
        validator=providers.Singleton(_validator, platform.settings, platform.catalogue, roster),
        detectors=providers.Callable(_in_service, roster),
        clock=platform.clock,
        four_eyes=platform.settings.provided.policy_four_eyes,
    )
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
    )


@asynccontextmanager
async def running_orchestration(
    platform: PlatformContainer, more_detectors: Sequence[Detector] = ()
) -> AsyncIterator[OrchestrationContainer]:
    """The context with its database open and its detectors loading in the background."""
    container = OrchestrationContainer(platform=platform, more_detectors=providers.Object(tuple(more_detectors)))
    async with open_database(container.database()):
        service_detectors = container.detectors()
        container.service()
        pool = container.pool()
        await pool.start()
        try:
            declared = [detector.descriptor for detector in service_detectors.values()]
            await container.records().observe(declared, platform.clock()())
            yield container
        finally:
            await container.engine().close()
            await pool.close()
