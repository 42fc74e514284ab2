"""What is recorded and found, in the words of the contract."""

from __future__ import annotations

from llama_mapper.domain.contracts.orchestration import PolicyLevel
from llama_mapper.domain.contracts.policies import (
    PolicyActivation,
    PolicyActivationList,
    PolicyEvent,
    PolicyProblem,
    PolicyScope,
    PolicyVersionInfo,
)
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.lifecycle.activation import in_force
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log, Slot
from llama_mapper.domain.orchestration.lifecycle.states import Review
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.domain.orchestration.validation.report import Problem, ValidationReport

_TEXT = 2048


def level_of(owner: str, slot: Slot) -> PolicyLevel:
    """Whom the slot of this owner is for."""
    if owner == EVERYONE:
        return PolicyLevel.GLOBAL
    return PolicyLevel.TENANT if slot.key is None else PolicyLevel.KEY


def scope_of(slot: Slot) -> PolicyScope:
    """The slot as the contract names it."""
    return PolicyScope(key=slot.key, content_type=slot.content_type, enforcement=slot.enforcement)


def activations_of(owner: str, log: Log) -> PolicyActivationList:
    """What is in force of the owner's bundle, in the order in which a request meets it."""

    def precedence(slot: Slot) -> tuple[str, bool, str, bool, str]:
        return (slot.enforcement, slot.key is None, slot.key or "", slot.content_type is None, slot.content_type or "")

    chains = in_force(log)
    return PolicyActivationList(
        items=tuple(
            PolicyActivation(
                level=level_of(owner, slot),
                scope=scope_of(slot),
                version=event.version,
                percent=event.percent or 100,
                since=event.at,
                number=event.number,
            )
            for slot in sorted(chains, key=precedence)
            for event in chains[slot]
        )
    )


def told(owner: str, event: Event) -> PolicyEvent:
    """One step."""
    return PolicyEvent(
        number=event.number,
        step=event.step,
        version=event.version,
        who=event.who,
        door=event.door,
        keyless=event.keyless,
        at=event.at,
        note=event.note,
        waiver=event.waiver,
        level=None if event.slot is None else level_of(owner, event.slot),
        scope=None if event.slot is None else scope_of(event.slot),
        percent=event.percent,
    )


def version_info(bundle: PolicyBundle, review: Review) -> PolicyVersionInfo:
    """A version and how far it has come."""
    return PolicyVersionInfo(
        bundle=bundle.name,
        version=bundle.version,
        digest=bundle.digest,
        description=bundle.description,
        state=review.state,
        author=review.drafted.who,
        drafted_at=review.drafted.at,
    )


def problem_of(problem: Problem) -> PolicyProblem:
    """One problem, within the contract's bounds."""
    return PolicyProblem(
        code=problem.code, path=problem.path[:512], message=problem.message[:_TEXT], severity=problem.severity
    )


def counted(report: ValidationReport) -> str:
    """How many errors and warnings there are; empty without any."""
    errors = sum(problem.severity == "error" for problem in report.problems)
    return f"{errors} errors, {len(report.problems) - errors} warnings" if report.problems else ""
