"""Every promise is put to the service in process and to the link over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from llama_mapper.domain.contracts.analysis import AnalysisApi
from llama_mapper.domain.contracts.mapping import MappingApi
from llama_mapper.domain.contracts.orchestration import OrchestrationApi
from llama_mapper.domain.contracts.reports import ReportApi
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import SECRET, Apis, Canned, in_process, over_http, serving_canned, word_detectors

IN_PROCESS, OVER_HTTP = "in process", "over HTTP"


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """SQLite in a temporary folder, a link secret, and no detectors but the test's own."""
    return Settings.load(
        data_dir=tmp_path_factory.mktemp("apis"), detector_workers=0, link_secret=SECRET, content_limit=10_000
    )


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running(settings: Settings) -> AsyncIterator[Running]:
    """The three contexts, started once."""
    async with running_monolith(settings, word_detectors()) as started:
        yield started


@pytest_asyncio.fixture(scope="package", loop_scope="session", params=[IN_PROCESS, OVER_HTTP])
async def apis(request: pytest.FixtureRequest, running: Running, settings: Settings) -> AsyncIterator[Apis]:
    """The three Apis, one way and the other."""
    async with AsyncExitStack() as stack:
        if request.param == IN_PROCESS:
            yield in_process(running)
        else:
            yield await stack.enter_async_context(over_http(running, settings))


@pytest.fixture
def orchestration(apis: Apis) -> OrchestrationApi:
    """The Api whose promises are tested."""
    return apis.orchestration


@pytest.fixture
def analysis(apis: Apis) -> AnalysisApi:
    """The Api whose promises are tested."""
    return apis.analysis


@pytest.fixture
def mapping(apis: Apis) -> MappingApi:
    """The Api whose promises are tested."""
    return apis.mapping


@pytest.fixture
def reports(apis: Apis) -> ReportApi:
    """The Api whose promises are tested."""
    return apis.reports


@dataclass(frozen=True, slots=True)
class CannedLinks:
    """Links to an application whose services give what the test puts in."""

    canned: Canned
    apis: Apis


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def canned_links(running: Running, settings: Settings) -> AsyncIterator[CannedLinks]:
    """Links over the real application to services that give, or raise, what they are told."""
    canned = Canned()
    async with over_http(serving_canned(running, canned), settings) as links:
        yield CannedLinks(canned, links)
