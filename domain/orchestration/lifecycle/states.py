"""Which steps a version's state permits, and who may approve: pure decisions over a bundle's log."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from llama_mapper.domain.contracts.policies import PolicyActor, PolicyState, PolicyStep, Waiver
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, NotFoundError, PolicyEnforcementError
from llama_mapper.domain.orchestration.lifecycle.activation import in_force
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log

_AFTER: Mapping[PolicyStep, PolicyState] = {
    PolicyStep.DRAFTED: PolicyState.DRAFT,
    PolicyStep.VALIDATED: PolicyState.VALIDATED,
    PolicyStep.VALIDATION_FAILED: PolicyState.DRAFT,
    PolicyStep.APPROVED: PolicyState.APPROVED,
    PolicyStep.REJECTED: PolicyState.REJECTED,
    PolicyStep.WITHDRAWN: PolicyState.WITHDRAWN,
}
_UNDER_REVIEW = frozenset({PolicyState.DRAFT, PolicyState.VALIDATED})
_PERMITTED: Mapping[PolicyStep, frozenset[PolicyState]] = {
    PolicyStep.VALIDATED: _UNDER_REVIEW,
    PolicyStep.VALIDATION_FAILED: _UNDER_REVIEW,
    PolicyStep.APPROVED: frozenset({PolicyState.VALIDATED}),
    PolicyStep.REJECTED: _UNDER_REVIEW,
    # Not once it was in force: a roll back must always find what it returns to.
    PolicyStep.WITHDRAWN: _UNDER_REVIEW | {PolicyState.APPROVED},
    PolicyStep.ACTIVATED: frozenset({PolicyState.APPROVED, PolicyState.ACTIVE, PolicyState.RETIRED}),
}


@dataclass(frozen=True, slots=True)
class Review:
    """How far a version has come, and the event that drafted it."""

    state: PolicyState
    drafted: Event


def review_all(log: Log) -> dict[str, Review]:
    """Every version of the bundle, in the order of their drafts."""
    states: dict[str, PolicyState] = {}
    drafted: dict[str, Event] = {}
    once_active: set[str] = set()
    for event in log:
        if event.version is None:
            continue
        if event.step in _AFTER:
            states[event.version] = _AFTER[event.step]
            drafted.setdefault(event.version, event)
        else:
            once_active.add(event.version)
    active = {event.version for chain in in_force(log).values() for event in chain}
    for version in once_active:
        states[version] = PolicyState.ACTIVE if version in active else PolicyState.RETIRED
    return {version: Review(states[version], drafted[version]) for version in drafted}


def review_of(log: Log, version: str) -> Review:
    """How far `version` has come; raise `NOT_FOUND` if nobody drafted it."""
    found = review_all(log).get(version)
    if found is None:
        raise NotFoundError("there is no such version of the policy bundle")
    return found


def require_step(step: PolicyStep, review: Review) -> None:
    """Raise `POLICY_STATE`, naming the states that permit it, unless the version's state permits `step`."""
    permitted = _PERMITTED[step]
    if review.state not in permitted:
        states = ", ".join(sorted(permitted))
        raise PolicyEnforcementError(
            f"the version is {review.state}; '{step}' needs one of: {states}", ErrorCode.POLICY_STATE
        )


def approval_waiver(author: str, actor: PolicyActor, *, four_eyes: bool, single_operator: bool) -> Waiver | None:
    """Why `actor` may approve what `author` drafted although there is no second person; None if there is one.

    Persons are told apart by their names, whatever their case and spacing. Where the installation has no API keys no
    name is proven, and nobody counts as a second person. Raises `FOUR_EYES` unless a waiver exists and is asked for.
    """
    if actor.keyless:
        waiver = Waiver.KEYLESS
    elif not is_same_person(author, actor.name):
        return None
    elif not four_eyes:
        waiver = Waiver.SETTING
    else:
        raise AuthorizationError("another person than the author must approve this version", ErrorCode.FOUR_EYES)
    if not single_operator:
        raise AuthorizationError(
            "no second person can be told from the author here: say 'single_operator' to approve it alone, which is "
            "recorded",
            ErrorCode.FOUR_EYES,
        )
    return waiver


def is_same_person(one: str, other: str) -> bool:
    """Whether two names are of one person; names that only look different do not count as two."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
