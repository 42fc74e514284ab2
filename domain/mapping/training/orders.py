"""From what a door was asked to what a trainer is told."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from llama_mapper.domain.contracts.training import TrainingRequest
from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.training.dataset import Recipe
from llama_mapper.domain.mapping.training.ports import TrainingKey, TrainingOrder
from llama_mapper.domain.mapping.training.spec import TrainingTask, hyperparameters_from


def order_of(
    key: TrainingKey, request: TrainingRequest, base_models: Mapping[str, Path], canonicals: Container[str]
) -> TrainingOrder:
    """The run that a request asks for.

    Raise `INVALID_REQUEST` for a base model that is not among `base_models`, for a canonical label that is not among
    `canonicals`, and for figures that do not go together.
    """
    base = base_models.get(request.base_model)
    if base is None:
        known = ", ".join(sorted(base_models)) or "none: set training_base_models"
        raise ValidationError(f"there is no base model of this name; known are {known}")
    for place, label in enumerate(request.reviewed_labels):
        if label.canonical not in canonicals:
            raise ValidationError(f"reviewed_labels.{place}: the taxonomy has no such canonical label")
    try:
        hyperparameters = hyperparameters_from(request.hyperparameters.model_dump())
        recipe = Recipe(**request.data.model_dump())
    except ValueError as error:
        raise ValidationError(str(error)) from None
    return TrainingOrder(
        key=key,
        task=TrainingTask(request.kind.value),
        base_model=base,
        hyperparameters=hyperparameters,
        recipe=recipe,
        reviewed=tuple(
            KnownLabel(LabelKey(label.vendor, label.vendor_version, label.label), label.canonical)
            for label in request.reviewed_labels
        ),
    )
