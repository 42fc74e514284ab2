"""Which versions' artifacts may go: a pure decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from llama_mapper.domain.contracts.models import ModelStage
from llama_mapper.domain.mapping.models.events import Log
from llama_mapper.domain.mapping.models.states import in_production, standings

PRUNABLE = (ModelStage.CANDIDATE, ModelStage.STAGING, ModelStage.DEPRECATED, ModelStage.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Superfluous:
    """A version that may go, and why."""

    version: str
    stage: ModelStage
    reason: str


def superfluous(log: Log, keep: Mapping[ModelStage, int], in_use: Collection[str]) -> tuple[Superfluous, ...]:
    """The versions of a model beyond the `keep` newest of each stage, in the order of registration.

    Versions that are in production, that would answer now, or that `in_use` names never go; they count among the kept.
    """
    found = standings(log)
    serving = in_production(log)
    protected = {*in_use, *serving[:1]}
    gone = []
    for stage in PRUNABLE:
        newest_first = [version for version, each in reversed(found.items()) if each.stage is stage and not each.pruned]
        limit = keep[stage]
        gone += [
            Superfluous(version, stage, f"{stage}, beyond the {limit} newest")
            for version in newest_first[limit:]
            if version not in protected
        ]
    order = list(found)
    return tuple(sorted(gone, key=lambda each: order.index(each.version)))
