"""Wiring of training: in the process of the mapping context, over its database, in folders of the data directory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.training import TrainingProgress
from llama_mapper.domain.mapping.training.ports import TrainedModel, TrainingKey, TrainingOrder
from llama_mapper.domain.mapping.training.runner import TrainingLimits, TrainingRunner
from llama_mapper.domain.mapping.training.service import TrainingService
from llama_mapper.entrypoints.settings import Settings
from llama_mapper.entrypoints.version import service_version

if TYPE_CHECKING:
    from llama_mapper.adapters.mapping.training.lora_training import LoraTraining
    from llama_mapper.domain.mapping.training.analyst_data import Advice
    from llama_mapper.domain.mapping.training.dataset import DataSet
    from llama_mapper.domain.mapping.training.spec import TrainingSpec
    from llama_mapper.entrypoints.containers.mapping import MappingContainer
    from llama_mapper.entrypoints.containers.models import ModelsContainer
    from llama_mapper.entrypoints.containers.platform import PlatformContainer


@asynccontextmanager
async def running_training(
    platform: PlatformContainer, mapping: MappingContainer, models: ModelsContainer
) -> AsyncIterator[TrainingService]:
    """Training jobs, run until the end of the block; what runs then gets its grace for a checkpoint."""
    from llama_mapper.adapters.mapping.sql_training_jobs import SqlTrainingJobs
    from llama_mapper.adapters.mapping.training.registry_registration import RegistryRegistration

    settings: Settings = platform.settings()
    clock, metrics = platform.clock(), platform.metrics()
    jobs = SqlTrainingJobs(mapping.database())
    training = training_in(settings, lambda key: settings.data_dir / "training" / key.tenant_id / key.id)
    limits = TrainingLimits(lease_s=settings.job_lease_s, grace_s=settings.job_grace_s)
    bases, canonicals = settings.training_base_models, platform.catalogue().labels
    registration = RegistryRegistration(models.publisher())
    runner = TrainingRunner(training, jobs, registration, clock, limits, base_models=bases, canonicals=canonicals)
    metrics.gauge("llama_mapper_training_running", "Training jobs that run now.", lambda: runner.running)
    metrics.gauge(
        "llama_mapper_training_store_failures",
        "Failed reads and writes of training jobs.",
        lambda: runner.store_failures,
    )
    await runner.start()
    try:
        yield TrainingService(runner, jobs, training, clock, base_models=bases, canonicals=canonicals)
    finally:
        await runner.stop()


async def train_here(
    settings: Settings,
    order: TrainingOrder,
    folder: Path,
    tell: Callable[[TrainingProgress], None],
    stop: asyncio.Event,
) -> tuple[TrainedModel, str]:
    """Carry out one run in `folder` and register what comes of it; the model and its reference.

    Raises what `Training.carry_out` and `ModelRegistration.register` do.
    """
    from llama_mapper.adapters.mapping.training.registry_registration import RegistryRegistration
    from llama_mapper.entrypoints.containers.models import open_models

    trained = await training_in(settings, lambda _: folder).carry_out(order, tell, stop)
    async with open_models(settings) as models:
        return trained, await RegistryRegistration(models.publisher).register(trained)


def training_in(settings: Settings, folder_of: Callable[[TrainingKey], Path]) -> LoraTraining:
    """What carries out runs, with the interpreter that the settings name."""
    from llama_mapper.adapters.mapping.training.lora_training import LoraTraining

    return LoraTraining(folder_of, Path(settings.training_python or sys.executable), data_set_of)


def data_set_of(order: TrainingOrder, families: Mapping[str, str] | None = None) -> DataSet:
    """The data set that an order asks for, made of the shipped catalogue and what the order brings."""
    from llama_mapper.adapters.mapping.neighbour_files import load_families
    from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
    from llama_mapper.domain.mapping.training.analyst_data import build_analyst_data
    from llama_mapper.domain.mapping.training.knowledge import knowledge_of
    from llama_mapper.domain.mapping.training.mapper_data import build_mapper_data
    from llama_mapper.domain.mapping.training.spec import TrainingTask

    raw = load_raw_catalogue()
    knowledge = knowledge_of(raw, order.reviewed)
    if families is None:
        shipped = load_families(raw)
        families = {vendor: shipped.name_of(vendor) for vendor in raw.vocabularies["vendors"]}
    if order.task is TrainingTask.MAPPER:
        return build_mapper_data(knowledge, order.recipe, families=families, code_version=service_version())
    return build_analyst_data(knowledge, _advice(), order.recipe, code_version=service_version())


def canonical_labels() -> frozenset[str]:
    """Every id of the shipped taxonomy, of level 2 and 3."""
    from llama_mapper.adapters.platform.catalogue_files import load_catalogue

    return frozenset(load_catalogue().labels)


def begun_run(folder: Path) -> TrainingSpec | None:
    """The run that was begun in `folder`; None where none was. Raise `TRAINING_FAILED` if it cannot be read."""
    from llama_mapper.adapters.mapping.training.run_folder import RunFolder

    return RunFolder(folder).begun()


def _advice() -> dict[str, Advice]:
    from llama_mapper.adapters.platform.catalogue_files import load_catalogue
    from llama_mapper.domain.analysis.guidance.mitigations import MITIGATIONS
    from llama_mapper.domain.mapping.training.analyst_data import Advice

    catalogue = load_catalogue()
    return {
        category: Advice(catalogue.name(category), severity, MITIGATIONS[category])
        for category, severity in catalogue.categories.items()
        if category in MITIGATIONS
    }
