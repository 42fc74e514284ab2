"""The three services of a split installation: the front door, analysis, mapping."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache

from llama_mapper.entrypoints.containers.databases import open_database
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.running import (
    Running,
    database_check,
    detector_notes,
    fleet_gauges,
    history_gauges,
    plugin_notes,
    pool_gauges,
)
from llama_mapper.entrypoints.containers.schema_defaults import (
    LINK_INTERVAL_S,
    linked_schema_releases,
    running_schema_defaults,
)
from llama_mapper.entrypoints.containers.shared_state import running_shared_state
from llama_mapper.entrypoints.containers.tracing import running_tracing
from llama_mapper.entrypoints.settings import Settings

_WORDS_TTL_S = 2.0
"""Seconds that a tenant's own words are taken for unchanged without asking the mapping service."""


@asynccontextmanager
async def running_front(settings: Settings) -> AsyncIterator[Running]:
    """Orchestration in this process, the chain over links to the other two contexts."""
    from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
    from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
    from llama_mapper.entrypoints.containers.assessment import running_assessment
    from llama_mapper.entrypoints.containers.jobs import running_jobs
    from llama_mapper.entrypoints.containers.links import running_links
    from llama_mapper.entrypoints.containers.orchestration import running_orchestration
    from llama_mapper.entrypoints.containers.policy_simulation import policy_simulator

    platform = PlatformContainer(settings=settings, context="orchestration")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_tracing(platform.tracing(), platform.metrics()))
        await stack.enter_async_context(open_database(platform.database()))
        shared = await stack.enter_async_context(running_shared_state(platform.shared_state(), platform.metrics()))
        links = await stack.enter_async_context(running_links(settings))
        words = TenantCatalogues(
            links.overlays(), platform.catalogue(), cache(load_raw_catalogue), platform.current_id(), ttl_s=_WORDS_TTL_S
        )
        orchestration = await stack.enter_async_context(running_orchestration(platform, views=words))
        chain = await stack.enter_async_context(
            running_assessment(platform, orchestration.service(), links.analysis(), links.mapping())
        )
        schema_defaults = await stack.enter_async_context(
            running_schema_defaults(
                settings, platform.schemas(), linked_schema_releases(links.schemas()), interval_s=LINK_INTERVAL_S
            )
        )
        pool = orchestration.pool()
        pool_gauges(platform.metrics(), pool)
        fleet = orchestration.fleet()
        fleet_gauges(platform.metrics(), fleet, orchestration.follower())
        databases = (platform.database(), orchestration.database(), chain.database())
        yield Running(
            platform=platform,
            orchestration=orchestration.service(),
            streams=orchestration.service(),
            policies=orchestration.lifecycle(),
            assessments=chain.service(),
            simulator=policy_simulator(platform, orchestration, chain),
            jobs=await stack.enter_async_context(running_jobs(platform, chain)),
            checks={
                **{f"database.{database.context}": database_check(database) for database in databases},
                "link.analysis": links.analysis_link().is_ready,
                "link.mapping": links.mapping_link().is_ready,
            },
            registry=orchestration.registry(),
            desk=orchestration.desk(),
            operator_tenant=settings.operator_tenant,
            schema_defaults=schema_defaults,
            forwarders={"analysis": links.forward_to_analysis(), "mapping": links.forward_to_mapping()},
            notes=lambda: {
                **detector_notes(pool, fleet),
                **schema_defaults.notes(),
                **orchestration.guards().notes(),
                **plugin_notes(orchestration.plugins()),
                **shared.notes(),
            },
            wait_for_detectors=pool.wait_ready,
        )


@asynccontextmanager
async def running_analysis_service(settings: Settings) -> AsyncIterator[Running]:
    """The analysis context alone."""
    from llama_mapper.entrypoints.containers.analysis import running_analysis

    platform = PlatformContainer(settings=settings, context="analysis")
    async with (
        running_tracing(platform.tracing(), platform.metrics()),
        open_database(platform.database()) as keys,
        running_shared_state(platform.shared_state(), platform.metrics()) as shared,
        running_analysis(platform) as analysis,
    ):
        history_gauges(platform.metrics(), analysis.service())
        databases = (keys, analysis.database())
        checks = {f"database.{database.context}": database_check(database) for database in databases}
        yield Running(platform=platform, analysis=analysis.service(), checks=checks, notes=shared.notes)


@asynccontextmanager
async def running_mapping_service(settings: Settings) -> AsyncIterator[Running]:
    """The mapping context alone."""
    from llama_mapper.entrypoints.containers.mapping import running_mapping
    from llama_mapper.entrypoints.containers.model_servers import running_model_servers
    from llama_mapper.entrypoints.containers.models import running_models, running_uses
    from llama_mapper.entrypoints.containers.training import running_training

    platform = PlatformContainer(settings=settings, context="mapping")
    async with (
        running_tracing(platform.tracing(), platform.metrics()),
        open_database(platform.database()) as keys,
        running_shared_state(platform.shared_state(), platform.metrics()) as shared,
        running_mapping(platform) as mapping,
        running_models(platform, mapping.database()) as models,
        running_uses(platform, mapping, models) as in_service,
        running_model_servers(settings, mapping.database(), platform.metrics()) as servers,
        running_training(platform, mapping, models) as training,
        running_schema_defaults(settings, platform.schemas(), mapping.releases().schemas) as schema_defaults,
    ):
        databases = (keys, mapping.database())
        checks = {f"database.{database.context}": database_check(database) for database in databases}
        yield Running(
            platform=platform,
            mapping=mapping.service(),
            validator=mapping.validator(),
            costs=mapping.costs(),
            monitoring=mapping.monitoring(),
            optimiser=mapping.optimiser(),
            models=models.registry(),
            model_servers=servers.desk,
            operator_tenant=settings.operator_tenant,
            releases=mapping.releases().service,
            experiments=mapping.releases().experiments,
            schema_defaults=schema_defaults,
            schema_link=mapping.releases().schemas,
            training=training,
            checks=checks,
            notes=lambda: {
                **shared.notes(),
                **mapping.watch().notes(),
                **mapping.stages().notes(),
                **models.serving().notes(),
                **in_service.notes(),
                **servers.notes(),
                **mapping.releases().notes(),
            },
            mapping_desks=mapping.desks(),
        )
