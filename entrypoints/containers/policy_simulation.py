"""Wiring of policy simulation: the records of the chain, the policies and detectors of orchestration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llama_mapper.domain.orchestration.validation.trials import Registered
from llama_mapper.entrypoints.policy_simulation import PolicySimulator, version_finder

if TYPE_CHECKING:
    from llama_mapper.domain.orchestration.ports import DetectorRecords
    from llama_mapper.entrypoints.containers.assessment import AssessmentContainer
    from llama_mapper.entrypoints.containers.orchestration import OrchestrationContainer
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings


def policy_simulator(
    platform: PlatformContainer, orchestration: OrchestrationContainer, chain: AssessmentContainer
) -> PolicySimulator:
    """The simulator of a running process."""

    async def detectors() -> Sequence[Registered]:
        infos = await orchestration.service().detectors()
        return [Registered(info.name, info.categories, info.languages) for info in infos]

    return PolicySimulator(
        store=chain.store(),
        engine=orchestration.engine(),
        catalogue=platform.catalogue(),
        detectors=detectors,
        find=version_finder(orchestration.shipped(), orchestration.bundles().get),
    )


async def recorded_detectors(records: DetectorRecords) -> Sequence[Registered]:
    """The detectors that were in service last, by what the installation has noted of them."""
    newest = {}
    for record in sorted(await records.list(), key=lambda record: record.last_seen):
        newest[record.name] = Registered(record.name, record.categories)
    return [newest[name] for name in sorted(newest)]


@asynccontextmanager
async def open_simulator(settings: Settings) -> AsyncIterator[PolicySimulator]:
    """The simulator for a command, without starting the product; detectors are those that were in service last."""
    from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
    from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
    from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
    from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
    from llama_mapper.adapters.platform.catalogue_files import load_catalogue
    from llama_mapper.entrypoints.containers.databases import database_for, open_database
    from llama_mapper.entrypoints.containers.policy_engines import running_engine

    shipped = load_shipped_bundles()
    async with (
        open_database(database_for(settings, "assessment")) as assessments,
        open_database(database_for(settings, "orchestration")) as orchestration,
        running_engine(settings, shipped) as engine,
    ):
        records = SqlDetectorRecords(orchestration)
        yield PolicySimulator(
            store=SqlAssessments(assessments),
            engine=engine,
            catalogue=load_catalogue(),
            detectors=lambda: recorded_detectors(records),
            find=version_finder(shipped, SqlPolicyRecords(orchestration).get),
        )
