"""Opening what the commands about reports need, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from llama_mapper.domain.contracts.reports import RecordSource, ReportApi
from llama_mapper.domain.kernel.errors import NotFoundError
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings


@asynccontextmanager
async def open_reports(settings: Settings, *, records: bool) -> AsyncIterator[ReportApi]:
    """Reports over the installation's mapping database and, for `records`, that of the assessments."""
    async with AsyncExitStack() as stack:
        container = await stack.enter_async_context(running_mapping(PlatformContainer(settings=settings)))
        source = await stack.enter_async_context(_records(settings)) if records else None
        yield container.reports(records=source)


@asynccontextmanager
async def _records(settings: Settings) -> AsyncIterator[RecordSource]:
    from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments

    async with open_database(database_for(settings, "assessment")) as database:
        store = SqlAssessments(database)

        async def get(tenant_id: str, assessment_id: str) -> bytes:
            body = await store.get(tenant_id, assessment_id)
            if body is None:
                raise NotFoundError("there is no such assessment")
            return body

        yield get
