"""Who is in which part of the traffic."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.traffic import BASIS_POINTS, TrafficSplit, point_of
from llama_mapper.domain.orchestration.lifecycle.traffic import share_of

KEYS = [f"key-{number}" for number in range(4000)]
WEIGHTS = st.integers(0, BASIS_POINTS // 2)


def as_policies_always_did(tenant_id: str, bundle: str, request_key: str) -> int:
    """The formula of policies' traffic shares, written out: a change of it would move every request."""
    raws = [text.encode("utf-8", "surrogatepass") for text in (tenant_id, bundle, request_key)]
    whole = b"".join(len(raw).to_bytes(8, "big") + raw for raw in raws)
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "big") % 100


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_policies_choose_the_same_requests_as_ever(tenant_id: str, bundle: str, key: str) -> None:
    assert share_of(tenant_id, bundle, key) == as_policies_always_did(tenant_id, bundle, key)


def test_points_are_fixed_for_all_time() -> None:
    assert point_of("acme", "p", "session=0") % 100 == 49
    assert point_of("a", "bc") != point_of("ab", "c")


@given(WEIGHTS, WEIGHTS, WEIGHTS, st.text(max_size=20))
def test_raising_one_arm_takes_from_the_rest_alone(low: int, high: int, other: int, key: str) -> None:
    low, high = sorted((low, high))
    before = TrafficSplit("r", {"b": low, "c": other}).arm_of("acme", key)
    after = TrafficSplit("r", {"b": high, "c": other}).arm_of("acme", key)
    assert after == before or (before is None and after == "b")


def test_arms_get_their_parts_of_the_traffic() -> None:
    split = TrafficSplit("r", {"b": 500, "c": 2500})
    arms = [split.arm_of("acme", key) for key in KEYS]
    assert 130 < arms.count("b") < 270
    assert 880 < arms.count("c") < 1120
    nobody, everybody = TrafficSplit("r", {"b": 0}), TrafficSplit("r", {"b": BASIS_POINTS})
    assert {nobody.arm_of("acme", key) for key in KEYS} == {None}
    assert {everybody.arm_of("acme", key) for key in KEYS} == {"b"}


def test_splits_with_other_salts_and_other_tenants_choose_independently() -> None:
    def chosen(salt: str, tenant_id: str) -> set[str]:
        split = TrafficSplit(salt, {"b": 5000})
        return {key for key in KEYS if split.arm_of(tenant_id, key)}

    first = chosen("r1", "acme")
    for other in (chosen("r2", "acme"), chosen("r1", "globex")):
        # Of 4,000 about a quarter is in both; five standard deviations are 137.
        assert 863 < len(first & other) < 1137


@pytest.mark.parametrize("weights", [{"b": -1}, {"b": 10_001}, {"b": 5001, "c": 0}])
def test_an_arm_cannot_outgrow_its_stripe(weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="basis points"):
        TrafficSplit("r", weights)
