"""Which steps a version's stage permits, and what is in service: pure decisions over a model's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.contracts.models import ModelStage, ModelStep
from llama_mapper.domain.kernel.errors import ErrorCode, ModelRegistryError, NotFoundError
from llama_mapper.domain.mapping.models.events import Event, Log

TRANSITIONS: Mapping[ModelStage, frozenset[ModelStage]] = {
    ModelStage.CANDIDATE: frozenset({ModelStage.STAGING, ModelStage.ARCHIVED}),
    ModelStage.STAGING: frozenset({ModelStage.PRODUCTION, ModelStage.ARCHIVED}),
    # Back to staging: taken out of production without a verdict. Never straight to the archive.
    ModelStage.PRODUCTION: frozenset({ModelStage.STAGING, ModelStage.DEPRECATED}),
    # Back to production: what replaced it failed.
    ModelStage.DEPRECATED: frozenset({ModelStage.PRODUCTION, ModelStage.ARCHIVED}),
    ModelStage.ARCHIVED: frozenset(),
}
"""From which stage a version may go to which."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a version stands. `promoted` is the number of the step that last brought it into production."""

    stage: ModelStage
    registered: Event
    last: Event
    promoted: int | None = None
    deprecated_on: datetime | None = None
    pruned: bool = False


def standings(log: Log) -> dict[str, Standing]:
    """Every registered version, in the order of registration."""
    found: dict[str, Standing] = {}
    for event in log:
        if event.stage is None:
            continue
        before = found.get(event.version)
        promoted = None if before is None else before.promoted
        if event.step is ModelStep.PROMOTED and event.stage is ModelStage.PRODUCTION:
            promoted = event.number
        pruned = event.step is ModelStep.PRUNED or (before is not None and before.pruned)
        found[event.version] = Standing(
            stage=event.stage,
            registered=event if before is None else before.registered,
            last=event,
            promoted=promoted,
            deprecated_on=event.deprecated_on
            or (None if before is None or event.step is ModelStep.PROMOTED else before.deprecated_on),
            pruned=pruned,
        )
    return found


def standing_of(log: Log, name: str, version: str) -> Standing:
    """Where `version` stands; raise `MODEL_NOT_FOUND` if nobody registered it."""
    found = standings(log).get(version)
    if found is None:
        raise unknown(name, version)
    return found


def require_transition(standing: Standing, to: ModelStage) -> None:
    """Raise `MODEL_STATE`, naming what is permitted, unless the version may go to the stage `to`."""
    if to not in TRANSITIONS[standing.stage]:
        permitted = " or ".join(sorted(TRANSITIONS[standing.stage])) or "nothing else"
        raise ModelRegistryError(
            f"the version is {standing.stage}, from which it may become {permitted}, not {to}", ErrorCode.MODEL_STATE
        )


def in_production(log: Log) -> tuple[str, ...]:
    """Versions in production, last promoted first; where there is none, the deprecated ones that once were."""
    found = standings(log)
    for stage in (ModelStage.PRODUCTION, ModelStage.DEPRECATED):
        there = [(each.promoted or 0, version) for version, each in found.items() if each.stage is stage]
        if there:
            return tuple(version for _, version in sorted(there, reverse=True))
    return ()


def is_discarded(log: Log, version: str) -> bool:
    """Whether artifacts of this unregistered version were removed, which uses its number up."""
    return any(event.step is ModelStep.DISCARDED and event.version == version for event in log)


def unknown(name: str, version: str | None = None) -> NotFoundError:
    """The error for a model that nobody registered."""
    what = f"model '{name[:63]}'" if version is None else f"version '{version[:64]}' of the model '{name[:63]}'"
    return NotFoundError(f"there is no {what}", ErrorCode.MODEL_NOT_FOUND)
