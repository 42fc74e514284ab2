"""The use cases of experiments: they keep what `ExperimentApi` promises."""

from __future__ import annotations

from llama_mapper.domain.contracts.releases import (
    AbStart,
    Experiment,
    ExperimentList,
    ReleaseActor,
    ReleaseNote,
    ReleaseStep,
    ShadowStart,
)
from llama_mapper.domain.mapping.releases.admission import Admission
from llama_mapper.domain.mapping.releases.events import Log, experiment_plan_of
from llama_mapper.domain.mapping.releases.gates import judged
from llama_mapper.domain.mapping.releases.ledger import ReleaseLedger, Taken
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords
from llama_mapper.domain.mapping.releases.telling import experiment_of


class ExperimentService:
    """Begins experiments, concludes them, and tells what they found so far."""

    def __init__(self, records: ReleaseRecords, ledger: ReleaseLedger, admission: Admission) -> None:
        self._records = records
        self._ledger = ledger
        self._admission = admission

    async def create(self, plan: AbStart | ShadowStart, actor: ReleaseActor) -> Experiment:
        """See `ExperimentApi.create`."""
        await self._admission.require_runnable(plan)
        if isinstance(plan, AbStart):
            treatments = [
                each.model_copy(
                    update={"evaluation": await self._admission.require(plan.kind, each.version, each.evaluation)}
                )
                for each in plan.treatments
            ]
            plan = plan.model_copy(update={"treatments": tuple(treatments)})
        return experiment_of(await self._ledger.begin(plan, actor))

    async def experiments(self, *, limit: int = 100) -> ExperimentList:
        """See `ExperimentApi.experiments`."""
        return ExperimentList(items=tuple(experiment_of(log) for log in await self._records.page(True, limit)))

    async def experiment(self, experiment_id: str) -> Experiment:
        """See `ExperimentApi.experiment`."""
        return await self._shown(await self._records.log(experiment_id))

    async def conclude(self, experiment_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Experiment:
        """See `ExperimentApi.conclude`."""
        log = await self._records.log(experiment_id)
        plan = experiment_plan_of(log)
        effects = await judged(plan, await self._records.tallies(experiment_id))
        taken = Taken(ReleaseStep.CONCLUDED, asked.note, effects=effects)
        return await self._shown(await self._ledger.take(log, lambda _: taken, actor))

    async def _shown(self, log: Log) -> Experiment:
        plan = experiment_plan_of(log)
        tallies = await self._records.tallies(log[0].release_id)
        return experiment_of(log, tallies, await judged(plan, tallies))
