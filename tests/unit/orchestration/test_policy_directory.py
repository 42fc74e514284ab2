"""Which bundle a name means."""

from __future__ import annotations

import asyncio

import pytest

from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError, StoreError
from llama_mapper.domain.orchestration.bundle import bundle_digest, make_bundle
from llama_mapper.domain.orchestration.policies import PolicyDirectory
from llama_mapper.domain.orchestration.ports import PolicyBundle
from tests.unit.orchestration.support import NoBundles

SHIPPED = make_bundle("default", "1", "shipped", {}, {})
OWN = make_bundle("default", "2", "own", {"p.rego": "package p"}, {})


class Timer:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_tenants_own_bundle_stands_before_the_shipped_one() -> None:
    store = NoBundles()
    await store.put("t1", OWN)
    directory = PolicyDirectory(store, [SHIPPED])
    assert (await directory.find("t1", "default")) is OWN
    assert (await directory.find("t2", "default")) is SHIPPED
    assert [info.version for info in await directory.list("t1")] == ["2"]


async def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    store = NoBundles()
    await store.put("t1", make_bundle("mine", "1", "", {}, {}))
    with pytest.raises(PolicyEnforcementError, match="known are: default, mine") as caught:
        await PolicyDirectory(store, [SHIPPED]).find("t1", "nope")
    assert caught.value.error_code is ErrorCode.POLICY_NOT_FOUND


async def test_the_store_is_asked_once_a_second_for_each_name() -> None:
    store, timer = NoBundles(), Timer()
    directory = PolicyDirectory(store, [SHIPPED], monotonic=timer)
    for _ in range(5):
        await directory.find("t1", "default")
    assert store.lookups == 1
    await store.put("t1", OWN)
    timer.now += 0.9
    assert (await directory.find("t1", "default")) is SHIPPED
    timer.now += 0.2
    assert (await directory.find("t1", "default")) is OWN
    assert store.lookups == 2


async def test_a_failing_store_is_not_answered_with_the_shipped_bundle() -> None:
    class Broken(NoBundles):
        async def get(self, tenant_id: str, name: str) -> PolicyBundle | None:
            raise StoreError("down")

    with pytest.raises(StoreError):
        await PolicyDirectory(Broken(), [SHIPPED]).find("t1", "default")


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("a", ""), ("a b", "1"), ("a@b", "1"), ("a", "x" * 127)])
def test_a_bundle_that_records_could_not_name_is_refused(name: str, version: str) -> None:
    with pytest.raises(PolicyEnforcementError):
        make_bundle(name, version, "", {}, {})


def test_a_digest_covers_paths_sources_and_data_and_no_order() -> None:
    one = bundle_digest({"a": "1", "b": "2"}, {"x": 1, "y": 2})
    assert one == bundle_digest({"b": "2", "a": "1"}, {"y": 2, "x": 1})
    others = [
        bundle_digest({"a": "1", "b": "3"}, {"x": 1, "y": 2}),
        bundle_digest({"a": "1", "c": "2"}, {"x": 1, "y": 2}),
        bundle_digest({"a": "1", "b": "2"}, {"x": 1, "y": 3}),
        bundle_digest({"a": "1b2"}, {"x": 1, "y": 2}),
        bundle_digest({"a1": "", "b": "2"}, {"x": 1, "y": 2}),
    ]
    assert len({one, *others}) == 6


async def test_requests_that_come_at_once_ask_the_store_once() -> None:
    store = NoBundles()
    directory = PolicyDirectory(store, [SHIPPED])
    found = await asyncio.gather(*(directory.find("t1", "default") for _ in range(16)))
    assert found == [SHIPPED] * 16
    assert store.lookups == 1
