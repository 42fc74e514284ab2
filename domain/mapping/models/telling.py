"""Versions, models and steps as callers see them."""

from __future__ import annotations

from collections.abc import Iterable

from llama_mapper.domain.contracts.models import (
    ModelEnvelope,
    ModelEvent,
    ModelInfo,
    ModelOwner,
    ModelStage,
    ModelVersion,
    ModelVersionInfo,
)
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.events import Event, StoredModel, StoredVersion
from llama_mapper.domain.mapping.models.states import in_production, standings
from llama_mapper.domain.mapping.models.versions import sort_key


def owner_of(owner: str) -> ModelOwner:
    """Whose it is, as callers see it."""
    return ModelOwner.INSTALLATION if owner == EVERYONE else ModelOwner.TENANT


def version_info(model: StoredModel, version: StoredVersion) -> ModelVersionInfo:
    """A version without its manifest."""
    manifest = version.manifest
    standing = standings(model.log)[manifest.version]
    return ModelVersionInfo(
        name=manifest.name,
        version=manifest.version,
        owner=owner_of(model.owner),
        kind=manifest.kind,
        stage=standing.stage,
        digest=version.digest,
        size=sum(artifact.size for artifact in manifest.artifacts),
        created_by=standing.registered.who,
        created_at=standing.registered.at,
        deprecated_on=standing.deprecated_on,
        pruned=standing.pruned,
    )


def version_detail(model: StoredModel, version: StoredVersion) -> ModelVersion:
    """A version with its manifest and its signature."""
    envelope = ModelEnvelope.model_validate_json(version.envelope)
    told = version_info(model, version).model_dump()
    return ModelVersion(**told, manifest=version.manifest, envelope=envelope)


def versions_of(model: StoredModel) -> tuple[ModelVersionInfo, ...]:
    """A model's versions, highest first."""
    ordered = sorted(model.versions, key=lambda each: sort_key(each.manifest.version), reverse=True)
    return tuple(version_info(model, each) for each in ordered)


def model_info(model: StoredModel) -> ModelInfo:
    """A model, which has at least one version."""
    newest = max(model.versions, key=lambda each: sort_key(each.manifest.version)).manifest
    return ModelInfo(
        name=model.name,
        owner=owner_of(model.owner),
        kind=newest.kind,
        versions=len(model.versions),
        newest=newest.version,
        in_production=in_production(model.log),
    )


def stages_of(model: StoredModel) -> set[ModelStage]:
    """The stages that a model has versions in."""
    return {each.stage for each in standings(model.log).values()}


def event_of(event: Event) -> ModelEvent:
    """A step as callers see it."""
    return ModelEvent(
        number=event.number,
        step=event.step,
        version=event.version,
        stage=event.stage,
        who=event.who,
        door=event.door,
        keyless=event.keyless,
        at=event.at,
        note=event.note,
        deprecated_on=event.deprecated_on,
    )


def first_of_each_name(models: Iterable[StoredModel]) -> list[StoredModel]:
    """Of the models with a version, the first of each name, by name: name the tenant's before everyone's."""
    chosen: dict[str, StoredModel] = {}
    for model in models:
        if model.versions:
            chosen.setdefault(model.name, model)
    return [chosen[name] for name in sorted(chosen)]
