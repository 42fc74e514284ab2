"""Wiring of the orchestration context: the shipped detectors, the policy engine, the stores, the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.orchestration.policies.sql_policy_bundles import SqlPolicyBundles
from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
from llama_mapper.adapters.orchestration.sql_detector_registry import SqlDetectorRegistry
from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
from llama_mapper.domain.contracts.detectors import DetectorSource
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.desk import DetectorDesk
from llama_mapper.domain.orchestration.findings import FindingReader
from llama_mapper.domain.orchestration.ports import Detector
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.following import RegistryFollower
from llama_mapper.domain.orchestration.registry.service import DetectorRegistryService
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.definitions import following_definitions
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.remote_detectors import RemoteDetectors
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


def _detectors(pool: WorkerPool, more: Sequence[Detector]) -> dict[str, Detector]:
    return {**pool.detectors, **{detector.descriptor.name: detector for detector in more}}


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000.0


def _fixed(pool: WorkerPool, more: Sequence[Detector]) -> dict[str, tuple[DetectorSource, Detector]]:
    shipped = {name: (DetectorSource.SHIPPED, detector) for name, detector in pool.detectors.items()}
    return {**shipped, **{detector.descriptor.name: (DetectorSource.EMBEDDED, detector) for detector in more}}


class OrchestrationContainer(containers.DeclarativeContainer):
    """Detectors in worker processes, policies in Rego, and the service over them."""

    platform = providers.DependenciesContainer()
    more_detectors = providers.Object(())
    database = providers.Singleton(database_for, platform.settings, "orchestration")
    bundles = providers.Singleton(SqlPolicyBundles, database)
    records = providers.Singleton(SqlDetectorRecords, database)
    engine = providers.Singleton(RegorusPolicyEngine)
    shipped = providers.Singleton(load_shipped_bundles)
    pool = providers.Singleton(
        WorkerPool,
        providers.Callable(_factories, platform.settings),
        workers=platform.settings.provided.detector_workers,
    )
    detectors = providers.Singleton(_detectors, pool, more_detectors)
    roster = providers.Singleton(DetectorRoster, platform.catalogue, detectors)
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
    )
    remote = providers.Singleton(RemoteDetectors)
    fleet = providers.Singleton(
        DetectorFleet,
        roster,
        providers.Callable(_fixed, pool, more_detectors),
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
            following = following_definitions(
                platform.settings(),
                container.fleet(),
                container.follower(),
                container.records(),
                platform.catalogue(),
                platform.clock(),
            )
            async with following:
                yield container
        finally:
            await container.remote().close()
            await pool.close()
