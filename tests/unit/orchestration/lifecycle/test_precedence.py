"""Which activation decides, whom a share of the traffic takes in, and what the trace says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import ContentType
from llama_mapper.domain.contracts.policies import Door, Enforcement, PolicyActor
from llama_mapper.domain.kernel.clock import system_clock
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.lifecycle.activation import (
    MAX_IN_FORCE,
    activated,
    deactivated,
    in_force,
    rolled_back,
)
from llama_mapper.domain.orchestration.lifecycle.events import Log, Slot
from llama_mapper.domain.orchestration.lifecycle.precedence import Resolution, Split, Standing
from llama_mapper.domain.orchestration.lifecycle.traffic import share_of

ACTOR = PolicyActor(name="anna", door=Door.COMMAND, keyless=False)
SHIPPED = make_bundle("p", "shipped", "", {}, {})
CLINICAL = ContentType.CLINICAL
VERSIONS = ("1", "2", "3", "4", "5", "6")
MONITOR = Enforcement.MONITOR


def grown(log: Log, version: str, slot: Slot | None = None, percent: int = 100) -> Log:
    event = activated(log, version, slot or Slot(), percent, ACTOR, system_clock, "")
    return log if event is None else (*log, event)


def back(log: Log, slot: Slot | None = None) -> Log:
    return (*log, rolled_back(log, slot or Slot(), ACTOR, system_clock, ""))


def standing(own: Log = (), everyone: Log = (), *, shipped: bool = True) -> Standing:
    bundles = {
        (is_own, version): make_bundle("p", version, "", {}, {"own": is_own, "version": version})
        for is_own in (True, False)
        for version in VERSIONS
    }
    return Standing("p", in_force(own), in_force(everyone), bundles, SHIPPED if shipped else None)


def decided(split: Split, share: int = 0) -> str | None:
    resolution = split.at(share)
    return None if resolution is None else resolution.bundle.version


def trace(resolution: Resolution | None) -> list[tuple[str, str | None, bool]]:
    assert resolution is not None
    return [(step.level.value, step.version, step.chosen) for step in resolution.trace]


def test_key_stands_before_tenant_before_everyone_before_shipped_and_a_content_type_before_all_of_them() -> None:
    slots: Mapping[str, Slot] = {
        "1": Slot("k", CLINICAL),
        "2": Slot("k"),
        "3": Slot(None, CLINICAL),
        "4": Slot(),
    }
    own: Log = ()
    for version, slot in slots.items():
        own = grown(own, version, slot)
    everyone = grown(grown((), "5", Slot(None, CLINICAL)), "6")
    order = ["1", "2", "3", "4", "5", "6", "shipped"]
    for taken in range(len(order)):
        here = standing(own, everyone)
        assert decided(here.split("k", CLINICAL)) == order[taken]
        resolution = here.split("k", CLINICAL).at(0)
        assert resolution is not None
        assert [step.version for step in resolution.trace if step.version in order[taken:]] == order[taken:]
        assert [step.version for step in resolution.trace if step.chosen] == [order[taken]]
        if order[taken] in slots:
            own = back(own, slots[order[taken]])
        elif order[taken] != "shipped":
            everyone = back(everyone, Slot(None, CLINICAL) if order[taken] == "5" else Slot())


def test_what_is_for_a_key_or_a_content_type_is_for_no_other() -> None:
    here = standing(grown(grown((), "1", Slot("k")), "2", Slot(None, CLINICAL)))
    assert decided(here.split("k", ContentType.TEXT)) == "1"
    assert decided(here.split("other", ContentType.TEXT)) == "shipped"
    assert decided(here.split(None, ContentType.TEXT)) == "shipped"
    assert decided(here.split("other", CLINICAL)) == "2"


def test_a_scope_without_a_version_leaves_it_to_the_next_level() -> None:
    own = grown((), "1")
    own = (*own, deactivated(own, Slot(), ACTOR, system_clock, ""))
    here = standing(own, grown((), "2"))
    assert trace(here.split(None, CLINICAL).at(0)) == [
        ("tenant", None, False),
        ("global", "2", True),
        ("shipped", "shipped", False),
    ]
    assert decided(standing(back(own)).split(None, CLINICAL)) == "1"


def test_without_any_bundle_nothing_decides() -> None:
    assert decided(standing(shipped=False).split(None, CLINICAL)) is None
    partly = standing(grown((), "1", percent=30), shipped=False).split(None, CLINICAL)
    assert (decided(partly, 29), decided(partly, 30)) == ("1", None)


def test_a_part_of_the_traffic_gets_the_new_version_and_the_rest_what_was_there() -> None:
    split = standing(grown(grown((), "1"), "2", percent=10)).split(None, CLINICAL)
    assert [decided(split, share) for share in (0, 9, 10, 99)] == ["2", "2", "1", "1"]
    chosen, other = split.at(9), split.at(10)
    assert chosen is not None
    assert other is not None
    assert "10 % of requests, this one among them" in chosen.trace[0].reason
    assert "not among them" in other.trace[0].reason
    assert trace(other) == [("tenant", "2", False), ("tenant", "1", True), ("shipped", "shipped", False)]


def test_several_shares_of_one_scope_lie_inside_each_other() -> None:
    split = standing(grown(grown(grown((), "1"), "2", percent=25), "3", percent=10)).split(None, CLINICAL)
    assert [decided(split, share) for share in (9, 10, 24, 25)] == ["3", "2", "2", "1"]


@given(st.integers(1, 100), st.integers(1, 100), st.text(max_size=20), st.text(max_size=20))
def test_raising_a_share_keeps_everybody_who_was_in(low: int, more: int, session: str, tenant: str) -> None:
    low, high = sorted((low, more))
    share = share_of(tenant, "p", session)
    small = standing(grown(grown((), "1"), "2", percent=low)).split(None, CLINICAL)
    large = standing(grown(grown(grown((), "1"), "2", percent=low), "2", percent=high)).split(None, CLINICAL)
    assert decided(small, share) == "1" or decided(large, share) == "2"
    assert (decided(large, share) == "2") == (share < high)


def test_a_share_is_about_its_part_of_many_requests_and_differs_between_bundles_and_tenants() -> None:
    shares = [share_of("acme", "p", f"session={number}") for number in range(4000)]
    assert set(shares) == set(range(100))
    assert 300 < sum(share < 10 for share in shares) < 500
    assert shares != [share_of("acme", "q", f"session={number}") for number in range(4000)]
    assert shares != [share_of("globex", "p", f"session={number}") for number in range(4000)]
    # Fixed for all time: a change of the formula would move everybody.
    assert shares[:6] == [49, 71, 98, 61, 34, 90]


def test_a_monitored_version_decides_nothing_and_is_given_to_be_run_beside() -> None:
    own = grown(grown((), "1"), "2", Slot(enforcement=MONITOR), percent=50)
    split = standing(own, grown((), "3", Slot(enforcement=MONITOR))).split(None, CLINICAL)
    for share, shadows in ((10, ["2", "3"]), (60, ["3"])):
        resolution = split.at(share)
        assert resolution is not None
        assert resolution.bundle.version == "1"
        assert [bundle.version for bundle in resolution.shadows] == shadows
        assert all(not step.chosen for step in resolution.trace if "monitored" in step.reason)


def test_a_version_that_decides_is_not_run_beside_itself() -> None:
    resolution = standing(grown(grown((), "1"), "1", Slot(enforcement=MONITOR))).split(None, CLINICAL).at(0)
    assert resolution is not None
    assert resolution.shadows == ()


SLOTS = st.builds(
    Slot,
    st.sampled_from([None, "k", "l"]),
    st.sampled_from([None, *list(ContentType)[:2]]),
    st.sampled_from(Enforcement),
)
MOVES = st.lists(st.tuples(SLOTS, st.sampled_from(VERSIONS), st.integers(1, 100), st.booleans()), max_size=30)


@given(MOVES, st.sampled_from([None, "k", "l", "m"]), st.sampled_from(ContentType), st.integers(0, 99))
def test_the_trace_names_the_one_that_was_chosen_and_no_other(
    moves: list[tuple[Slot, str, int, bool]], key: str | None, content_type: ContentType, share: int
) -> None:
    log: Log = ()
    for slot, version, percent, goes_back in moves:
        returns = goes_back and slot in in_force(log) and in_force(log)[slot]
        log = back(log, slot) if returns else grown(log, version, slot, percent)
    resolution = standing(log).split(key, content_type).at(share)
    assert resolution is not None
    chosen = [step.version for step in resolution.trace if step.chosen]
    assert chosen == [resolution.bundle.version] or len(resolution.trace) == 32
    for chain in in_force(log).values():
        shares = [event.percent or 0 for event in chain]
        assert shares == sorted(set(shares))


def test_a_bundle_is_in_force_for_a_bounded_number_of_scopes() -> None:
    log: Log = ()
    for number in range(MAX_IN_FORCE):
        log = grown(log, "1", Slot(f"key {number}"))
    with pytest.raises(PolicyEnforcementError) as caught:
        grown(log, "1", Slot("one more"))
    assert caught.value.error_code is ErrorCode.POLICY_STATE
    assert grown(log, "1", Slot("key 0")) is log
    log = back(log, Slot("key 0"))
    assert grown(log, "1", Slot("one more"))[-1].slot == Slot("one more")


def test_a_step_back_always_finds_what_was_there_before() -> None:
    log: Log = ()
    for version in ("1", "2", "3"):
        log = grown(log, version)
    log = grown(log, "3", percent=10)
    seen = []
    for _ in range(4):
        log = back(log)
        seen.append([(event.version, event.percent) for event in in_force(log)[Slot()]])
    assert seen == [[("3", 100)], [("2", 100)], [("1", 100)], []]
