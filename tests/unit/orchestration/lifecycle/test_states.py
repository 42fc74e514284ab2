"""Which steps are permitted, and who counts as a second person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llama_mapper.domain.contracts.policies import Door, PolicyActor, PolicyState, PolicyStep, Waiver
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log, Slot
from llama_mapper.domain.orchestration.lifecycle.states import approval_waiver, require_step, review_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def log_of(*steps: PolicyStep) -> Log:
    """Version 1 going through these steps."""
    events: list[Event] = []
    for number, step in enumerate(steps, 1):
        is_about_slot = step in (PolicyStep.ACTIVATED, PolicyStep.ROLLED_BACK, PolicyStep.DEACTIVATED)
        version = None if step in (PolicyStep.ROLLED_BACK, PolicyStep.DEACTIVATED) else "1"
        slot, percent = (Slot(), 100) if is_about_slot else (None, None)
        events.append(
            Event(number, step, version, "anna", Door.HTTP, False, NOON, slot=slot, percent=percent, previous=None)
        )
    return tuple(events)


D, V, F, A = PolicyStep.DRAFTED, PolicyStep.VALIDATED, PolicyStep.VALIDATION_FAILED, PolicyStep.APPROVED
IN_FORCE = (D, V, A, PolicyStep.ACTIVATED)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((D,), PolicyState.DRAFT),
        ((D, F), PolicyState.DRAFT),
        ((D, V), PolicyState.VALIDATED),
        ((D, V, F), PolicyState.DRAFT),
        ((D, V, A), PolicyState.APPROVED),
        (IN_FORCE, PolicyState.ACTIVE),
        ((*IN_FORCE, PolicyStep.ROLLED_BACK), PolicyState.RETIRED),
        ((*IN_FORCE, PolicyStep.DEACTIVATED), PolicyState.RETIRED),
        ((*IN_FORCE, PolicyStep.DEACTIVATED, PolicyStep.ACTIVATED), PolicyState.ACTIVE),
        ((D, PolicyStep.REJECTED), PolicyState.REJECTED),
        ((D, V, A, PolicyStep.WITHDRAWN), PolicyState.WITHDRAWN),
    ],
)
def test_the_state_follows_from_the_steps(steps: tuple[PolicyStep, ...], state: PolicyState) -> None:
    assert review_of(log_of(*steps), "1").state is state


def permitted(*steps: PolicyStep) -> set[PolicyStep]:
    review = review_of(log_of(*steps), "1")
    found = set()
    for step in (V, F, A, PolicyStep.REJECTED, PolicyStep.WITHDRAWN, PolicyStep.ACTIVATED):
        try:
            require_step(step, review)
        except ServiceError as error:
            assert error.error_code is ErrorCode.POLICY_STATE
        else:
            found.add(step)
    return found


def test_nothing_is_activated_that_was_not_approved_and_nothing_approved_that_was_not_validated() -> None:
    assert permitted(D) == {V, F, PolicyStep.REJECTED, PolicyStep.WITHDRAWN}
    assert permitted(D, V) == {V, F, A, PolicyStep.REJECTED, PolicyStep.WITHDRAWN}
    assert permitted(D, V, A) == {PolicyStep.ACTIVATED, PolicyStep.WITHDRAWN}


def test_what_was_in_force_can_only_be_activated_again() -> None:
    assert permitted(*IN_FORCE) == {PolicyStep.ACTIVATED}
    assert permitted(*IN_FORCE, PolicyStep.ROLLED_BACK) == {PolicyStep.ACTIVATED}


def test_a_no_is_for_good() -> None:
    assert permitted(D, PolicyStep.REJECTED) == set()
    assert permitted(D, PolicyStep.WITHDRAWN) == set()


def test_a_version_that_nobody_drafted_is_not_found() -> None:
    with pytest.raises(ServiceError) as caught:
        review_of(log_of(D), "2")
    assert caught.value.error_code is ErrorCode.NOT_FOUND


def waiver(author: str, name: str, *, keyless: bool = False, four_eyes: bool = True, alone: bool = False) -> object:
    actor = PolicyActor(name=name, door=Door.HTTP, keyless=keyless)
    try:
        return approval_waiver(author, actor, four_eyes=four_eyes, single_operator=alone)
    except ServiceError as error:
        return error.error_code


def test_a_second_person_needs_no_waiver() -> None:
    assert waiver("anna", "ben") is None
    assert waiver("anna", "ben", four_eyes=False, alone=True) is None


@pytest.mark.parametrize("name", ["anna", "ANNA", " anna ", "an\N{FULLWIDTH LATIN SMALL LETTER N}a"])
def test_the_author_is_no_second_person_however_the_name_is_spelled(name: str) -> None:
    assert waiver("anna", name) is ErrorCode.FOUR_EYES
    assert waiver("anna", name, alone=True) is ErrorCode.FOUR_EYES


def test_a_single_operator_approves_alone_only_by_saying_so() -> None:
    assert waiver("anna", "anna", four_eyes=False) is ErrorCode.FOUR_EYES
    assert waiver("anna", "anna", four_eyes=False, alone=True) is Waiver.SETTING


def test_without_api_keys_no_name_proves_a_second_person() -> None:
    for name in ("anna", "ben"):
        assert waiver("anna", name, keyless=True) is ErrorCode.FOUR_EYES
        assert waiver("anna", name, keyless=True, alone=True) is Waiver.KEYLESS
