"""What is in force: a pure reading of a bundle's log.

Each slot is a stack. An activation goes on top and remembers what was there; a roll back puts on top again what the
top one remembers, with what that remembered in turn. So one step back is always possible, and several lead further.
"""

from __future__ import annotations

from collections.abc import Iterable

from llama_mapper.domain.contracts.policies import PolicyActor, PolicyStep
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log, Slot

MAX_IN_FORCE = 256
"""Activations of one bundle that some traffic meets, over all its scopes."""


def in_force(events: Iterable[Event]) -> dict[Slot, Log]:
    """Each slot's activations that some traffic meets, topmost first.

    A request that the topmost leaves out, because it is for a part of the traffic only, meets the one below. Whom a
    share of the traffic takes in depends on the request alone, so that one below with no larger share is met by nobody:
    shares grow strictly, up to 100 % or to where nothing lies below.
    """
    by_number: dict[int, Event] = {}
    tops: dict[Slot, Event] = {}
    for event in events:
        if event.slot is not None:
            by_number[event.number] = event
            tops[event.slot] = event
    return {slot: _chain(top, by_number) for slot, top in tops.items()}


def _chain(top: Event, by_number: dict[int, Event]) -> Log:
    met: list[Event] = []
    share = 0
    event: Event | None = top
    while event is not None and share < 100:
        is_something = event.version is not None or event.previous is not None
        if (event.percent or 0) > share and is_something:
            met.append(event)
            share = event.percent or 0
        event = None if event.previous is None else by_number[event.previous]
    return tuple(met)


def activated(
    log: Log, version: str, slot: Slot, percent: int, actor: PolicyActor, clock: Clock, note: str
) -> Event | None:
    """The event that puts `version` on top of `slot`; None if exactly that is on top already.

    Raises `POLICY_STATE` if so much of the bundle is in force that every process would hold too much of it.
    """
    top = _top(log, slot)
    if top is not None and (top.version, top.percent) == (version, percent):
        return None
    if sum(len(chain) for chain in in_force(log).values()) >= MAX_IN_FORCE:
        raise PolicyEnforcementError(
            f"a bundle has at most {MAX_IN_FORCE} activations in force; roll some back or deactivate them",
            ErrorCode.POLICY_STATE,
        )
    return _event(PolicyStep.ACTIVATED, log, version, slot, percent, top, actor, clock, note)


def deactivated(log: Log, slot: Slot, actor: PolicyActor, clock: Clock, note: str) -> Event:
    """The event that leaves `slot` without a version; raise `POLICY_STATE` if it has none."""
    top = _top(log, slot)
    if top is None or top.version is None:
        raise PolicyEnforcementError("nothing is in force for this scope", ErrorCode.POLICY_STATE)
    return _event(PolicyStep.DEACTIVATED, log, None, slot, 100, top, actor, clock, note)


def rolled_back(log: Log, slot: Slot, actor: PolicyActor, clock: Clock, note: str) -> Event:
    """The event that returns `slot` to what held before; raise `POLICY_STATE` if nothing was ever activated there."""
    top = _top(log, slot)
    if top is None or (top.version is None and top.previous is None):
        raise PolicyEnforcementError("nothing was in force for this scope before", ErrorCode.POLICY_STATE)
    target = None if top.previous is None else next(event for event in log if event.number == top.previous)
    return Event(
        number=_next(log),
        step=PolicyStep.ROLLED_BACK,
        version=None if target is None else target.version,
        who=actor.name,
        door=actor.door,
        keyless=actor.keyless,
        at=clock(),
        note=note,
        slot=slot,
        percent=100 if target is None else target.percent,
        previous=None if target is None else target.previous,
    )


def _top(log: Log, slot: Slot) -> Event | None:
    return next((event for event in reversed(log) if event.slot == slot), None)


def _next(log: Log) -> int:
    return log[-1].number + 1 if log else 1


def _event(
    step: PolicyStep,
    log: Log,
    version: str | None,
    slot: Slot,
    percent: int,
    top: Event | None,
    actor: PolicyActor,
    clock: Clock,
    note: str,
) -> Event:
    return Event(
        number=_next(log),
        step=step,
        version=version,
        who=actor.name,
        door=actor.door,
        keyless=actor.keyless,
        at=clock(),
        note=note,
        slot=slot,
        percent=percent,
        previous=None if top is None else top.number,
    )
