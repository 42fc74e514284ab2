"""The use cases of releases: they keep what `ReleaseApi` promises."""

from __future__ import annotations

from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    GateState,
    Release,
    ReleaseActor,
    ReleaseAdvance,
    ReleaseHistory,
    ReleaseList,
    ReleaseNote,
    ReleaseSeries,
    ReleaseState,
    ReleaseStep,
    ReleaseValidation,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError, NotFoundError
from llama_mapper.domain.mapping.releases.admission import Admission
from llama_mapper.domain.mapping.releases.decisions import decided, told
from llama_mapper.domain.mapping.releases.events import Log, release_plan_of
from llama_mapper.domain.mapping.releases.gates import judged
from llama_mapper.domain.mapping.releases.ledger import ReleaseLedger, Taken
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords, ValidationSuite
from llama_mapper.domain.mapping.releases.states import CANDIDATE, Position, position_of, require_step
from llama_mapper.domain.mapping.releases.tally import Tally
from llama_mapper.domain.mapping.releases.telling import event_of, release_of


class ReleaseService:
    """Begins releases, takes their steps, and tells how they stand."""

    def __init__(
        self, records: ReleaseRecords, ledger: ReleaseLedger, admission: Admission, suite: ValidationSuite, clock: Clock
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._admission = admission
        self._suite = suite
        self._clock = clock

    async def start(self, plan: CanaryStart | BlueGreenStart, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.start`."""
        await self._admission.require_runnable(plan)
        evaluation = await self._admission.require(plan.kind, plan.candidate, plan.evaluation)
        return release_of(await self._ledger.begin(plan.model_copy(update={"evaluation": evaluation}), actor))

    async def releases(self, *, limit: int = 100) -> ReleaseList:
        """See `ReleaseApi.releases`."""
        return ReleaseList(items=tuple(release_of(log) for log in await self._records.page(False, limit)))

    async def release(self, release_id: str) -> Release:
        """See `ReleaseApi.release`."""
        return await self._shown(await self._read(release_id))

    async def advance(self, release_id: str, asked: ReleaseAdvance, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.advance`."""
        log = await self._read(release_id)
        plan, tallies = release_plan_of(log), await self._records.tallies(release_id)
        gates = await judged(plan, tallies)
        failing = [told(gate) for gate in gates if gate.state is GateState.FAILING]
        begun = position_of(log)
        if asked.stage is not None and asked.stage != begun.stage:
            message = f"it is at stage {begun.stage}, not {asked.stage}"
            raise MappingError(message, ErrorCode.RELEASE_STATE)

        def choose(position: Position) -> Taken:
            require_step(position, ReleaseStep.ADVANCED)
            if position.stage != begun.stage:
                raise MappingError("somebody else has just advanced it", ErrorCode.RELEASE_STATE)
            if failing and not asked.override:
                message = f"it is failing, and advances only if overridden: {'; '.join(failing)}"
                raise MappingError(message, ErrorCode.RELEASE_STATE)
            step = ReleaseStep.COMPLETED if position.is_last_stage else ReleaseStep.ADVANCED
            seen = tallies.get(CANDIDATE, Tally()).requests
            return Taken(step, asked.note, bool(failing), seen, tuple(map(told, gates)), gates)

        return await self._shown(await self._ledger.take(log, choose, actor))

    async def hold(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.hold`."""
        return await self._step(release_id, ReleaseStep.HELD, asked, actor)

    async def resume(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.resume`."""
        return await self._step(release_id, ReleaseStep.RESUMED, asked, actor)

    async def roll_back(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.roll_back`."""
        return await self._step(release_id, ReleaseStep.ROLLED_BACK, asked, actor)

    async def validate(self, release_id: str, actor: ReleaseActor) -> ReleaseValidation:
        """See `ReleaseApi.validate`."""
        log = await self._read(release_id)
        require_step(position_of(log), ReleaseStep.VALIDATED)
        plan = release_plan_of(log)
        report = await self._suite.run(plan.kind, plan.candidate)
        failures = [f"{case.name}: {case.detail}"[:512] for case in report.cases if not case.passed]
        step = ReleaseStep.VALIDATED if report.passed else ReleaseStep.VALIDATION_FAILED
        reasons = (f"{len(report.cases) - len(failures)} of {len(report.cases)} cases passed", *failures[:50])
        taken = await self._ledger.take(log, lambda _: Taken(step, reasons=reasons), actor)
        return ReleaseValidation(release=await self._shown(taken), report=report)

    async def switch(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.switch`."""
        return await self._step(release_id, ReleaseStep.SWITCHED, asked, actor)

    async def switch_back(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.switch_back`."""
        return await self._step(release_id, ReleaseStep.SWITCHED_BACK, asked, actor)

    async def complete(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """See `ReleaseApi.complete`."""
        log = await self._read(release_id)
        if isinstance(release_plan_of(log), CanaryStart):
            raise MappingError("a canary is completed by advancing from its last stage", ErrorCode.RELEASE_STATE)
        return await self._step(release_id, ReleaseStep.COMPLETED, asked, actor)

    async def history(self, release_id: str) -> ReleaseHistory:
        """See `ReleaseApi.history`."""
        return ReleaseHistory(items=tuple(map(event_of, await self._any(release_id))))

    async def series(self, release_id: str) -> ReleaseSeries:
        """See `ReleaseApi.series`."""
        await self._any(release_id)
        return ReleaseSeries(items=tuple(await self._records.points(release_id)))

    async def _read(self, release_id: str) -> Log:
        log = await self._records.log(release_id)
        release_plan_of(log)
        return log

    async def _any(self, release_id: str) -> Log:
        if log := await self._records.log(release_id):
            return log
        raise NotFoundError("there is no such release or experiment")

    async def _step(self, release_id: str, step: ReleaseStep, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        log = await self._read(release_id)
        return await self._shown(await self._ledger.take(log, lambda _: Taken(step, asked.note), actor))

    async def _shown(self, log: Log) -> Release:
        position, plan = position_of(log), release_plan_of(log)
        tallies = await self._records.tallies(log[0].release_id)
        if not isinstance(plan, CanaryStart):
            return release_of(log, tallies)
        gates = await judged(plan, tallies)
        waiting: tuple[str, ...] = ()
        if position.state in (ReleaseState.RUNNING, ReleaseState.HELD):
            requests = tallies.get(CANDIDATE, Tally()).requests
            waiting = decided(position, plan, gates, requests, self._clock()).reasons
        return release_of(log, tallies, gates, waiting)
