"""Carrying out what the retention rules let go.

The log comes first: once it says that a version's files were removed, no step leads anywhere from there, and only then
are they removed. What a crash leaves behind, the next run removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from llama_mapper.domain.contracts.models import (
    ModelActor,
    ModelStage,
    ModelStep,
    RetainedModel,
    RetentionReport,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.objects import ObjectEntry, ObjectStore
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.events import Event, Log, StoredModel
from llama_mapper.domain.mapping.models.pace import take
from llama_mapper.domain.mapping.models.ports import ModelRecords, ModelsInUse
from llama_mapper.domain.mapping.models.retention import superfluous
from llama_mapper.domain.mapping.models.shelf import files_of, named_by, owner_prefix
from llama_mapper.domain.mapping.models.states import is_discarded, standings

UNCLAIMED_AFTER = timedelta(days=1)
"""How long files wait for their version to be registered."""


@dataclass(slots=True)
class _Tally:
    removed: list[RetainedModel] = field(default_factory=list)
    kept: int = 0


class Pruning:
    """Removes artifacts of versions that nobody needs, of uploads that nobody registered, and of cut-off uploads."""

    def __init__(self, records: ModelRecords, objects: ObjectStore, clock: Clock, in_use: ModelsInUse) -> None:
        self._records = records
        self._objects = objects
        self._clock = clock
        self._in_use = in_use

    async def run(
        self, owner: str, keep: Mapping[ModelStage, int], actor: ModelActor, *, dry_run: bool
    ) -> RetentionReport:
        """Remove, or only tell; cut-off uploads are looked after with the installation's own models."""
        tally = _Tally()
        models = {model.name: model for model in await self._records.models(owner)}
        for model in models.values():
            await self._prune(model, keep, actor, tally, dry_run=dry_run)
        await self._sweep(owner, models, actor, tally, dry_run=dry_run)
        unfinished = 0
        if owner == EVERYONE:
            before = self._clock() - UNCLAIMED_AFTER
            unfinished = sum([1 async for each in self._objects.unfinished() if each.begun_at < before])
            if unfinished and not dry_run:
                await self._objects.discard_unfinished(before)
        return RetentionReport(
            dry_run=dry_run,
            removed=tuple(tally.removed),
            kept=tally.kept,
            freed=sum(each.size for each in tally.removed),
            unfinished=unfinished,
        )

    async def _prune(
        self, model: StoredModel, keep: Mapping[ModelStage, int], actor: ModelActor, tally: _Tally, *, dry_run: bool
    ) -> None:
        owner, name = model.owner, model.name
        in_use = {version for used, version in await self._in_use(owner) if used == name}
        there = [version for version, each in standings(model.log).items() if not each.pruned]
        going = superfluous(model.log, keep, in_use)
        tally.kept += len(there) - len(going)
        for one in going:
            found = model.version(one.version)
            if found is None:
                continue
            if not dry_run:
                if not await self._say_pruned(owner, name, one.version, keep, actor, one.reason):
                    tally.kept += 1
                    continue
                for key in files_of(owner, found.manifest):
                    await self._objects.delete(key)
            size = sum(artifact.size for artifact in found.manifest.artifacts)
            tally.removed.append(
                RetainedModel(name=name, version=one.version, stage=one.stage, size=size, reason=one.reason)
            )

    async def _say_pruned(
        self, owner: str, name: str, version: str, keep: Mapping[ModelStage, int], actor: ModelActor, reason: str
    ) -> bool:
        """Record that the version's files go, unless it is needed by now."""
        in_use = {used_version for used, used_version in await self._in_use(owner) if used == name}
        agreed = False

        def decide(log: Log) -> Event | None:
            nonlocal agreed
            agreed = version in {each.version for each in superfluous(log, keep, in_use)}
            return self._event(log, ModelStep.PRUNED, version, ModelStage.ARCHIVED, actor, reason) if agreed else None

        await take(self._records, owner, name, decide)
        return agreed

    async def _sweep(
        self, owner: str, models: Mapping[str, StoredModel], actor: ModelActor, tally: _Tally, *, dry_run: bool
    ) -> None:
        """Files that no version needs: never registered, left behind, or uploaded beside a version's own."""
        before = self._clock() - UNCLAIMED_AFTER
        of_version: dict[tuple[str, str], list[ObjectEntry]] = {}
        async for entry in self._objects.entries(owner_prefix(owner)):
            of_version.setdefault(named_by(owner, entry.key), []).append(entry)
        for (name, version), entries in sorted(of_version.items()):
            model = models.get(name)
            found = None if model is None else model.version(version)
            if model is not None and found is not None and not standings(model.log)[version].pruned:
                needed = set(files_of(owner, found.manifest))
                going = [each for each in entries if each.key not in needed and each.stored_at < before]
                reason = "files beside the registered ones"
            elif found is not None or (model is not None and is_discarded(model.log, version)):
                going, reason = entries, "left behind when the version's files were removed"
                if dry_run and any((each.name, each.version) == (name, version) for each in tally.removed):
                    continue
            elif all(each.stored_at < before for each in entries):
                going, reason = entries, "nobody registered the version within a day"
                if not dry_run and not await self._say_discarded(owner, name, version, actor, reason):
                    continue
            else:
                continue
            if not going:
                continue
            if not dry_run:
                for each in going:
                    await self._objects.delete(each.key)
            size = sum(each.size for each in going)
            tally.removed.append(RetainedModel(name=name, version=version, stage=None, size=size, reason=reason))

    async def _say_discarded(self, owner: str, name: str, version: str, actor: ModelActor, reason: str) -> bool:
        """Record that the number is used up, unless somebody registered the version by now."""
        agreed = False

        def decide(log: Log) -> Event | None:
            nonlocal agreed
            agreed = version not in standings(log)
            if not agreed or is_discarded(log, version):
                return None
            return self._event(log, ModelStep.DISCARDED, version, None, actor, reason)

        await take(self._records, owner, name, decide)
        return agreed

    def _event(
        self, log: Log, step: ModelStep, version: str, stage: ModelStage | None, actor: ModelActor, note: str
    ) -> Event:
        who, door, keyless = actor.name, actor.door, actor.keyless
        return Event(len(log) + 1, step, version, stage, who, door, keyless, self._clock(), note)
