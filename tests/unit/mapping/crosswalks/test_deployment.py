"""Which crosswalk answers a request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.crosswalks.deployment import (
    deployed,
    percents,
    rolled_back,
    split_of,
    states,
)
from llama_mapper.domain.mapping.documents.ports import Deployment

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANNA = Curator(name="anna", door=Door.HTTP, role="admin", keyless=False)
Log = tuple[Deployment, ...]


def deploy(log: Log, version: str, percent: int) -> Log:
    event = deployed(log, version, percent, 1.0, ANNA, NOW, "")
    return log if event is None else (*log, event)


def roll_back(log: Log) -> Log:
    return (*log, rolled_back(log, ANNA, NOW, ""))


def answering(own: Log, everyones: Log = ()) -> list[str | None]:
    """The version for each of the 100 shares."""
    candidates, rest = split_of(own, everyones)
    return [next((version for percent, version in candidates if share < percent), rest) for share in range(100)]


LOGS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([1, 5, 25, 50, 99, 100])) | st.none(), max_size=6
)


def log_of(steps: list[tuple[str, int] | None]) -> Log:
    log: Log = ()
    for step in steps:
        if step is not None:
            log = deploy(log, *step)
        elif len(states(log)) > 1:
            log = roll_back(log)
    return log


@given(steps=LOGS, version=st.sampled_from(["a", "b", "d"]), percent=st.integers(1, 100))
def test_rolling_back_brings_back_what_was_before(
    steps: list[tuple[str, int] | None], version: str, percent: int
) -> None:
    log = log_of(steps)
    changed = deploy(log, version, percent)
    if changed != log:
        assert answering(roll_back(changed)) == answering(log)


@given(steps=LOGS, everyones=LOGS)
def test_the_shares_add_up_to_the_whole_and_are_those_that_answer(
    steps: list[tuple[str, int] | None], everyones: list[tuple[str, int] | None]
) -> None:
    own, theirs = log_of(steps), log_of(everyones)
    told = percents(split_of(own, theirs))
    assert sum(told.values()) == 100
    answers = answering(own, theirs)
    assert {version: answers.count(version) for version in told} == told


@given(percents=st.lists(st.integers(1, 99), min_size=2, max_size=4).map(sorted))
def test_whoever_is_in_a_share_is_in_every_larger_one(percents: list[int]) -> None:
    log: Log = ()
    before: set[int] = set()
    for percent in percents:
        log = deploy(log, "a", percent)
        now = {share for share, version in enumerate(answering(log)) if version == "a"}
        assert before <= now and len(now) == percent
        before = now


def test_a_tenants_own_deployment_stands_over_everyones() -> None:
    everyones = deploy((), "global", 100)
    assert set(answering((), everyones)) == {"global"}
    assert answering(deploy((), "own", 10), everyones).count("own") == 10
    assert set(answering(deploy((), "own", 100), everyones)) == {"own"}


def test_a_candidate_that_reaches_all_is_the_base_of_the_next() -> None:
    log = deploy(deploy(deploy((), "a", 5), "a", 100), "b", 25)
    assert percents(split_of(log, ())) == {"b": 25, "a": 75}


def test_what_is_there_already_is_no_change() -> None:
    log = deploy((), "a", 25)
    assert deploy(log, "a", 25) == log


def test_nothing_deployed_cannot_be_rolled_back() -> None:
    with pytest.raises(StoreError):
        rolled_back((), ANNA, NOW, "")
    with pytest.raises(StoreError):
        roll_back(roll_back(deploy((), "a", 5)))
