"""Wiring of the chain over three contexts, wherever they run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.platform.ed25519_signer import load_or_create_signer
from llama_mapper.domain.assessment.service import AssessmentService
from llama_mapper.domain.contracts.analysis import AnalysisApi
from llama_mapper.domain.contracts.mapping import MappingApi
from llama_mapper.domain.contracts.orchestration import OrchestrationApi
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.platform import PlatformContainer


class AssessmentContainer(containers.DeclarativeContainer):
    """Records on a relational database, evidence signed by a key file, the chain over the three Apis."""

    platform = providers.DependenciesContainer()
    orchestration: providers.Dependency[OrchestrationApi] = providers.Dependency()
    analysis: providers.Dependency[AnalysisApi] = providers.Dependency()
    mapping: providers.Dependency[MappingApi] = providers.Dependency()
    database = providers.Singleton(database_for, platform.settings, "assessment")
    store = providers.Singleton(SqlAssessments, database)
    signer = providers.Singleton(load_or_create_signer, platform.key_directory)
    service = providers.Singleton(
        AssessmentService,
        orchestration=orchestration,
        analysis=analysis,
        mapping=mapping,
        catalogue=platform.catalogue,
        store=store,
        signer=signer,
        clock=platform.clock,
        on_assessed=platform.metrics.provided.on_assessed,
    )


@asynccontextmanager
async def running_assessment(
    platform: PlatformContainer, orchestration: OrchestrationApi, analysis: AnalysisApi, mapping: MappingApi
) -> AsyncIterator[AssessmentContainer]:
    """The chain with its database open."""
    container = AssessmentContainer(
        platform=platform,
        orchestration=providers.Object(orchestration),
        analysis=providers.Object(analysis),
        mapping=providers.Object(mapping),
    )
    async with open_database(container.database()):
        container.service()
        yield container
