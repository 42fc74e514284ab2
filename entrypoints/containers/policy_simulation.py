"""Wiring of policy simulation: the records of the chain, the policies and detectors of orchestration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llama_mapper.domain.orchestration.ports import DetectorDescriptor
from llama_mapper.entrypoints.policy_simulation import PolicySimulator, version_finder

if TYPE_CHECKING:
    from llama_mapper.domain.orchestration.lifecycle.ports import DetectorsInService
    from llama_mapper.domain.orchestration.ports import DetectorRecords
    from llama_mapper.entrypoints.containers.assessment import AssessmentContainer
    from llama_mapper.entrypoints.containers.orchestration import OrchestrationContainer
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings


def policy_simulator(
    platform: PlatformContainer, orchestration: OrchestrationContainer, chain: AssessmentContainer
) -> PolicySimulator:
    """The simulator of a running process."""
    from llama_mapper.entrypoints.containers.orchestration import in_service

    return PolicySimulator(
        store=chain.store(),
        engine=orchestration.engine(),
        catalogue=platform.catalogue(),
        detectors=in_service(orchestration.roster()),
        find=version_finder(orchestration.shipped(), orchestration.bundles().get),
    )


def recorded_detectors(records: DetectorRecords) -> DetectorsInService:
    """The detectors that were in service last, by what the installation has noted of them: without languages."""

    async def descriptors() -> Sequence[DetectorDescriptor]:
        newest = {record.name: record for record in sorted(await records.list(), key=lambda record: record.last_seen)}
        return [
            DetectorDescriptor(name, one.vendor, one.vendor_version, one.categories, (), (), 0.0)
            for name, one in sorted(newest.items())
        ]

    return descriptors


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
            detectors=recorded_detectors(records),
            find=version_finder(shipped, SqlPolicyRecords(orchestration).get),
        )
