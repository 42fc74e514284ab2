"""The monolith: three contexts and the chain in one process. A split service never imports this module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from llama_mapper.domain.orchestration.ports import Detector
from llama_mapper.entrypoints.containers.analysis import running_analysis
from llama_mapper.entrypoints.containers.assessment import running_assessment
from llama_mapper.entrypoints.containers.databases import open_database
from llama_mapper.entrypoints.containers.jobs import running_jobs
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.model_servers import running_model_servers
from llama_mapper.entrypoints.containers.models import running_models, running_uses
from llama_mapper.entrypoints.containers.orchestration import running_orchestration
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.policy_simulation import policy_simulator
from llama_mapper.entrypoints.containers.running import (
    Running,
    database_check,
    detector_notes,
    fleet_gauges,
    history_gauges,
    plugin_notes,
    pool_gauges,
)
from llama_mapper.entrypoints.containers.schema_defaults import running_schema_defaults
from llama_mapper.entrypoints.containers.shared_state import running_shared_state
from llama_mapper.entrypoints.containers.tracing import running_tracing
from llama_mapper.entrypoints.containers.training import running_training
from llama_mapper.entrypoints.settings import Settings


@asynccontextmanager
async def running_monolith(
    settings: Settings, more_detectors: Sequence[Detector] = (), *, jobs: bool = False
) -> AsyncIterator[Running]:
    """Everything, started and, at the end of the block, stopped in the opposite order.

    `jobs` are for servers: an application that embeds the chain has a loop of its own to run things in.
    """
    platform = PlatformContainer(settings=settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_tracing(platform.tracing(), platform.metrics()))
        await stack.enter_async_context(open_database(platform.database()))
        shared = await stack.enter_async_context(running_shared_state(platform.shared_state(), platform.metrics()))
        mapping = await stack.enter_async_context(running_mapping(platform))
        orchestration = await stack.enter_async_context(
            running_orchestration(platform, more_detectors, mapping.tenants())
        )
        analysis = await stack.enter_async_context(running_analysis(platform))
        models = await stack.enter_async_context(running_models(platform, mapping.database()))
        in_service = await stack.enter_async_context(running_uses(platform, mapping, models))
        servers = await stack.enter_async_context(
            running_model_servers(settings, mapping.database(), platform.metrics())
        )
        chain = await stack.enter_async_context(
            running_assessment(platform, orchestration.service(), analysis.service(), mapping.service())
        )
        schema_defaults = await stack.enter_async_context(
            running_schema_defaults(settings, platform.schemas(), mapping.releases().schemas)
        )
        pool = orchestration.pool()
        pool_gauges(platform.metrics(), pool)
        fleet = orchestration.fleet()
        fleet_gauges(platform.metrics(), fleet, orchestration.follower())
        history_gauges(platform.metrics(), analysis.service())
        yield Running(
            platform=platform,
            orchestration=orchestration.service(),
            streams=orchestration.service(),
            policies=orchestration.lifecycle(),
            analysis=analysis.service(),
            mapping=mapping.service(),
            validator=mapping.validator(),
            costs=mapping.costs(),
            monitoring=mapping.monitoring(),
            optimiser=mapping.optimiser(),
            models=models.registry(),
            model_servers=servers.desk,
            mapping_desks=mapping.desks(),
            assessments=chain.service(),
            simulator=policy_simulator(platform, orchestration, chain),
            jobs=await stack.enter_async_context(running_jobs(platform, chain)) if jobs else None,
            training=await stack.enter_async_context(running_training(platform, mapping, models)) if jobs else None,
            checks={
                f"database.{context.database().context}": database_check(context.database())
                for context in (platform, orchestration, analysis, mapping, chain)
            },
            registry=orchestration.registry(),
            desk=orchestration.desk(),
            releases=mapping.releases().service,
            experiments=mapping.releases().experiments,
            schema_defaults=schema_defaults,
            operator_tenant=settings.operator_tenant,
            notes=lambda: {
                **detector_notes(pool, fleet),
                **orchestration.guards().notes(),
                **plugin_notes(orchestration.plugins()),
                **mapping.watch().notes(),
                **shared.notes(),
                **models.serving().notes(),
                **in_service.notes(),
                **servers.notes(),
                **mapping.releases().notes(),
                **schema_defaults.notes(),
                **mapping.stages().notes(),
            },
            wait_for_detectors=pool.wait_ready,
        )
