"""Steps in the books: decided on the newest log, and taken once whoever else decides at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    GateFigure,
    ReleaseActor,
    ReleaseMode,
    ReleaseStep,
    Start,
    VariantKind,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError, StoreError
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.mapping.releases.events import Event, Log, slot_of
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords
from llama_mapper.domain.mapping.releases.states import Position, position_of, require_step

_ATTEMPTS = 20
_ENDS = frozenset({ReleaseStep.COMPLETED, ReleaseStep.ROLLED_BACK, ReleaseStep.CONCLUDED})
_EXPERIMENTS = frozenset({ReleaseMode.AB, ReleaseMode.SHADOW})


@dataclass(frozen=True, slots=True)
class Taken:
    """A step to take, with what is recorded of it."""

    step: ReleaseStep
    note: str = ""
    override: bool = False
    seen: int = 0
    reasons: tuple[str, ...] = ()
    effects: tuple[GateFigure, ...] = ()


Choose = Callable[[Position], Taken | None]
"""Chooses the step for where the release stands; None takes none. May raise a refusal."""


class ReleaseLedger:
    """Begins releases and takes their steps."""

    def __init__(
        self, records: ReleaseRecords, clock: Clock, usual: Mapping[VariantKind, str] = MappingProxyType({})
    ) -> None:
        """`usual` are the versions that answer where nothing was ever released."""
        self._records = records
        self._clock = clock
        self._usual = usual

    async def begin(self, plan: Start, actor: ReleaseActor) -> Log:
        """A release of this plan; raise `RELEASE_STATE` if its slot is taken or its baseline not what answers."""
        usual = self._usual.get(plan.kind, plan.baseline)
        if usual != plan.baseline and plan.kind not in (await self._records.standing()).settled:
            raise MappingError(f"the {plan.kind} in force is {usual}, not {plan.baseline}", ErrorCode.RELEASE_STATE)
        event = Event(
            release_id=new_id("exp" if plan.mode in _EXPERIMENTS else "rel"),
            number=1,
            kind=plan.kind,
            step=ReleaseStep.STARTED,
            at=self._clock(),
            who=actor.name,
            door=actor.door,
            keyless=actor.keyless,
            holds=True,
            note=plan.note,
            plan=plan,
            stage=0 if isinstance(plan, CanaryStart) else None,
        )
        await self._records.append(event, slot_of(plan))
        return (event,)

    async def take(self, log: Log, choose: Choose, actor: ReleaseActor) -> Log:
        """The log with the step that `choose` gives for it; raise `RELEASE_STATE` for one that is not permitted.

        Where somebody else was quicker, it is chosen anew: nothing is taken twice.
        """
        for _ in range(_ATTEMPTS):
            position = position_of(log)
            taken = choose(position)
            if taken is None:
                return log
            require_step(position, taken.step)
            event = self._event(log, position, taken, actor)
            if await self._records.append(event, slot_of(position.plan)):
                return (*log, event)
            log = await self._records.log(log[0].release_id)
        raise StoreError("too many others change this release at the same time", ErrorCode.CONFLICT)

    def _event(self, log: Log, position: Position, taken: Taken, actor: ReleaseActor) -> Event:
        plan, stage = position.plan, None
        if isinstance(plan, CanaryStart):
            stage = position.stage + (taken.step is ReleaseStep.ADVANCED)
        return Event(
            release_id=log[0].release_id,
            number=log[-1].number + 1,
            kind=plan.kind,
            step=taken.step,
            at=self._clock(),
            who=actor.name,
            door=actor.door,
            keyless=actor.keyless,
            holds=taken.step not in _ENDS,
            note=taken.note,
            stage=stage,
            seen=taken.seen,
            override=taken.override,
            settles=_settled(position, taken.step),
            reasons=taken.reasons,
            effects=taken.effects,
        )


def _settled(position: Position, step: ReleaseStep) -> str | None:
    """The version that answers for the kind from this step on, where the step decides that."""
    plan = position.plan
    if isinstance(plan, CanaryStart):
        return plan.candidate if step is ReleaseStep.COMPLETED else None
    if isinstance(plan, BlueGreenStart):
        if step is ReleaseStep.SWITCHED:
            return plan.candidate
        is_back = step is ReleaseStep.ROLLED_BACK and position.candidate_percent > 0.0
        return plan.baseline if step is ReleaseStep.SWITCHED_BACK or is_back else None
    return None
