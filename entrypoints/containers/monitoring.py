"""Wiring of monitoring: writing what was counted, looking at it, and noting what runs here."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from typing import TYPE_CHECKING

import structlog

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.clock import system_clock
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.ports import ChangeEvents
from llama_mapper.domain.mapping.monitoring.service import MonitoringService
from llama_mapper.domain.mapping.monitoring.watching import MonitoringWatch

if TYPE_CHECKING:
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings

_FLUSH_INTERVAL_S = 5.0
_SCHEMAS = "llama_mapper.domain.contracts.schemas"
_NOTED_SETTINGS = (
    "mapping_stages",
    "mapping_strategy",
    "mapping_threshold",
    "mapping_stage_timeout_ms",
    "mapping_embedding_model",
    "mapping_offline",
    "mapping_calibration",
    "generation",
)
"""Settings that may change what is answered, and how quickly. Only a digest of each is kept."""


def places_of(settings: Settings) -> Mapping[str, float]:
    """Who works → calls that may be under way at one time. A process does one thing at a time, a model several."""
    instances = float(settings.monitoring_instances)
    models = sum(model.parallel if model.kind == "gguf" else model.concurrency for model in settings.generation)
    own = dict.fromkeys(("catalogue", "process", "lexical", "embedding"), instances)
    return {**own, MappingStage.MODEL.value: max(1, models) * instances}


def monitoring_over(database: Database, settings: Settings) -> MonitoringService:
    """The reports of a mapping database, for a command: this process maps nothing itself."""
    from llama_mapper.adapters.mapping.sql_changes import SqlChanges
    from llama_mapper.adapters.mapping.sql_costs import SqlCostLedger
    from llama_mapper.adapters.mapping.sql_monitoring import SqlMonitoring

    store = SqlMonitoring(database)
    return MonitoringService(
        store,
        WindowMeter(store, system_clock, ()),
        SqlChanges(database),
        SqlCostLedger(database),
        system_clock,
        places=places_of(settings),
        instances=settings.monitoring_instances,
        reference_days=settings.monitoring_reference_days,
        minimum_labels=settings.monitoring_minimum_labels,
    )


def marks_of(platform: PlatformContainer) -> Mapping[str, str]:
    """What runs here: name → version, or a digest of a setting."""
    settings, versions = platform.settings(), platform.catalogue().versions
    plain = settings.model_dump(mode="json", include=set(_NOTED_SETTINGS))
    # The names alone say which major versions there are; to read the schemas would take tenths of a second.
    schemas = sorted(entry.name for entry in resources.files(_SCHEMAS).iterdir())
    return {
        "service": platform.version(),
        "catalogue.taxonomy": versions.taxonomy,
        "catalogue.vocabulary": versions.vocabulary,
        "catalogue.crosswalk": versions.crosswalk,
        "schema.published": _digest(schemas),
        **{f"settings.{name}": _digest(plain[name]) for name in _NOTED_SETTINGS},
    }


@asynccontextmanager
async def running_monitoring(
    watch: MonitoringWatch, changes: ChangeEvents, platform: PlatformContainer
) -> AsyncIterator[None]:
    """What was counted is written every few seconds, and what is left at the end."""
    from llama_mapper.adapters.mapping.prometheus_drift import DriftCollector

    platform.metrics().register(DriftCollector(lambda: watch.installation))
    platform.metrics().gauge(
        "llama_mapper_monitoring_failures",
        "Failed looks at how mapping is doing.",
        lambda: watch.failures,
    )

    async def flush_regularly() -> None:
        while True:
            await asyncio.sleep(_FLUSH_INTERVAL_S)
            await _unless_away(watch)

    writing = asyncio.create_task(flush_regularly())
    try:
        try:
            await changes.note(marks_of(platform), platform.clock()())
        except ServiceError as error:
            _told("what runs here could not be noted", error)
        yield
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        await _unless_away(watch)


async def _unless_away(watch: MonitoringWatch) -> None:
    try:
        await watch.flush()
    except ServiceError as error:
        _told("what was counted could not be written", error)


def _told(what: str, error: ServiceError) -> None:
    structlog.get_logger("llama_mapper.monitoring").warning(what, code=error.error_code.value)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
