"""Finished adapters become versions in the registry of models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from llama_mapper.adapters.mapping.model_folders import files_in
from llama_mapper.adapters.mapping.training.durable_files import CorruptFolderError, verified_folder
from llama_mapper.domain.contracts.models import ModelActor, ModelDescription, ModelDoor, ModelKind
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.models.publishing import ModelPublisher
from llama_mapper.domain.mapping.training.ports import TrainedModel
from llama_mapper.domain.mapping.training.spec import TrainingTask

_KINDS: Mapping[TrainingTask, ModelKind] = {
    TrainingTask.MAPPER: ModelKind.MAPPER,
    TrainingTask.ANALYST: ModelKind.ANALYST,
}
_ACTOR = ModelActor(name="training", door=ModelDoor.TRAINING)


class RegistryRegistration:
    """Keeps `ModelRegistration`'s promise: a candidate version of the tenant's model `mapper` or `analyst`."""

    def __init__(self, publisher: ModelPublisher) -> None:
        self._publisher = publisher

    async def register(self, trained: TrainedModel) -> str:
        """See `ModelRegistration.register`. The reference is `name@version`."""
        try:
            await asyncio.to_thread(verified_folder, trained.folder)
        except CorruptFolderError as error:
            raise StoreError(f"the finished adapter was changed: {error}", retryable=False) from error
        description = ModelDescription(
            name=trained.task.value,
            kind=_KINDS[trained.task],
            base_model=trained.base_model,
            description=f"LoRA adapter after {trained.steps} steps.",
            data_digest=trained.data_digest,
            code_digest=trained.spec_digest,
            origin=trained.key.id,
            trained_at=trained.trained_at,
            metrics=dict(trained.metrics),
        )
        version = await self._publisher.publish(
            trained.key.tenant_id, description, await files_in(trained.folder), _ACTOR
        )
        return f"{version.manifest.name}@{version.manifest.version}"
