"""What probes and calls together say of a detector's health."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.orchestration.health import (
    FAILED_PROBES,
    PROBE_LIMIT_S,
    Vitals,
    after_call,
    after_probe,
    probe_wait_s,
)

HEALTHY, DEGRADED, UNHEALTHY = HealthState.HEALTHY, HealthState.DEGRADED, HealthState.UNHEALTHY
SIGNS = st.lists(st.sampled_from(["probe ok", "probe bad", "call ok", "call bad"]), max_size=40)


def seen(*signs: str, vitals: Vitals | None = None) -> Vitals:
    """The picture after these signs."""
    vitals = vitals or Vitals()
    for sign in signs:
        kind, result = sign.split()
        step = after_probe if kind == "probe" else after_call
        vitals = step(vitals, None if result == "ok" else "REFUSED")
    return vitals


def test_a_detector_dies_step_by_step() -> None:
    states = [seen(*["probe bad"] * count).state for count in range(4)]
    assert states == [HEALTHY, DEGRADED, DEGRADED, UNHEALTHY]


def test_two_good_probes_bring_it_back_and_one_does_not() -> None:
    dead = seen(*["probe bad"] * 5)
    assert seen("probe ok", vitals=dead).state is UNHEALTHY
    assert seen("probe ok", "probe ok", vitals=dead) == Vitals()
    assert seen("probe ok", "probe bad", "probe ok", vitals=dead).state is UNHEALTHY


def test_failing_calls_alone_only_degrade_and_one_good_call_heals_that() -> None:
    assert seen("call bad", "call bad").state is HEALTHY
    failing = seen(*["call bad"] * 50)
    assert failing.state is DEGRADED
    assert seen("call ok", vitals=failing).state is HEALTHY
    assert seen("probe ok", "probe ok", "probe ok", vitals=failing).state is DEGRADED  # it lives, and does not answer


def test_one_failed_probe_is_enough_where_calls_fail_too_in_either_order() -> None:
    assert seen("call bad", "call bad", "call bad", "probe bad").state is UNHEALTHY
    assert seen("probe bad", "call bad", "call bad", "call bad").state is UNHEALTHY


def test_a_broken_probe_does_not_switch_off_a_detector_that_answers() -> None:
    vitals = Vitals()
    for _ in range(10):
        vitals = seen("call ok", "probe bad", vitals=vitals)
        assert vitals.state is DEGRADED
    assert seen("probe bad", vitals=vitals).state is UNHEALTHY  # nobody heard of it since


def test_the_reason_says_what_happened_and_is_gone_with_it() -> None:
    assert seen("probe bad").reason == "1 health probe failed, the last with: REFUSED"
    assert seen(*["call bad"] * 3).reason == "3 calls in a row failed, the last with REFUSED"
    assert seen("probe bad", "probe ok", "probe ok").reason == ""
    assert len(after_probe(Vitals(), "x" * 10_000).reason) <= 512 - len("unhealthy: ")


def test_a_call_that_changes_nothing_allocates_nothing() -> None:
    answering = seen("call ok")
    assert after_call(answering, None) is answering


@given(SIGNS)
def test_whatever_happened_two_good_probes_make_it_askable_and_three_bad_ones_without_calls_do_not(
    signs: list[str],
) -> None:
    vitals = seen(*signs)
    assert seen("probe ok", "probe ok", vitals=vitals).state is not UNHEALTHY
    assert seen(*["probe bad"] * FAILED_PROBES, vitals=vitals).state is UNHEALTHY


@given(SIGNS)
def test_a_healthy_detector_has_no_reason_and_any_other_has_one(signs: list[str]) -> None:
    vitals = seen(*signs)
    assert (vitals.state is HEALTHY) is (vitals.reason == "")


@given(
    st.floats(min_value=0.01, max_value=3600), st.floats(min_value=0, max_value=1), st.sampled_from([HEALTHY, DEGRADED])
)
def test_probes_keep_their_interval_within_a_tenth_and_come_sooner_after_a_failure(
    interval_s: float, draw: float, state: HealthState
) -> None:
    wait_s = probe_wait_s(Vitals(state), interval_s, draw)
    expected = interval_s if state is HEALTHY else max(interval_s / 4, min(interval_s, 1.0))
    assert expected * 0.899 <= wait_s <= expected * 1.101
    assert wait_s <= interval_s * 1.101


def test_the_worst_luck_still_finds_a_death_within_thirty_seconds() -> None:
    vitals, passed = Vitals(), probe_wait_s(Vitals(), 10.0, 1.0)
    while vitals.state is not UNHEALTHY:
        passed += PROBE_LIMIT_S
        vitals = after_probe(vitals, "no answer")
        if vitals.state is not UNHEALTHY:
            passed += probe_wait_s(vitals, 10.0, 1.0)
    assert passed < 30
