"""Which bundle a name means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError, StoreError
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL, EVERYONE, Principal, Scope
from llama_mapper.domain.orchestration.bundle import bundle_digest, make_bundle
from llama_mapper.domain.orchestration.lifecycle.events import Slot
from llama_mapper.domain.orchestration.policies import PolicyDirectory
from llama_mapper.domain.orchestration.ports import PolicyBundle
from tests.unit.orchestration.support import HmacDigests, NoBundles, request

SHIPPED = make_bundle("default", "1", "shipped", {}, {})
OWN = make_bundle("default", "2", "own", {"p.rego": "package p"}, {})
GLOBAL = make_bundle("default", "3", "global", {"p.rego": "package g"}, {})


class Timer:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def directory_over(store: NoBundles, timer: Timer | None = None) -> PolicyDirectory:
    return PolicyDirectory(store, [SHIPPED], HmacDigests(), monotonic=timer or Timer())


@contextmanager
def called_by(principal: Principal) -> Iterator[None]:
    token = CURRENT_PRINCIPAL.set(principal)
    try:
        yield
    finally:
        CURRENT_PRINCIPAL.reset(token)


async def found(directory: PolicyDirectory, tenant_id: str = "t1", **changes: Any) -> PolicyBundle:
    return (await directory.find(tenant_id, request(tenant_id=tenant_id, **changes))).bundle


async def test_a_tenants_own_bundle_stands_before_the_shipped_one() -> None:
    store = NoBundles()
    await store.put("t1", OWN)
    directory = directory_over(store)
    assert await found(directory) is OWN
    assert await found(directory, "t2") is SHIPPED
    assert [info.version for info in await directory.list("t1")] == ["2"]


async def test_a_global_bundle_stands_between_the_tenants_own_and_the_shipped_one() -> None:
    store = NoBundles()
    await store.put("t1", OWN)
    await store.put(EVERYONE, GLOBAL)
    directory = directory_over(store)
    assert await found(directory) is OWN
    assert await found(directory, "t2") is GLOBAL
    trace = (await directory.find("t1", request())).trace
    assert [(step.level, step.version, step.chosen) for step in trace] == [
        ("tenant", "2", True),
        ("global", "3", False),
        ("shipped", "1", False),
    ]


async def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    store = NoBundles()
    await store.put("t1", make_bundle("mine", "1", "", {}, {}))
    with pytest.raises(PolicyEnforcementError, match="known are: default, mine") as caught:
        await found(directory_over(store), policy_bundle="nope")
    assert caught.value.error_code is ErrorCode.POLICY_NOT_FOUND


async def test_the_store_is_asked_once_a_second_for_each_name() -> None:
    store, timer = NoBundles(), Timer()
    directory = directory_over(store, timer)
    for _ in range(5):
        await found(directory)
    assert store.lookups == 1
    await store.put("t1", OWN)
    timer.now += 0.9
    assert await found(directory) is SHIPPED
    timer.now += 0.2
    assert await found(directory) is OWN
    assert store.lookups == 2


async def test_requests_that_come_together_ask_the_store_once_and_one_that_is_cancelled_stops_no_other() -> None:
    release = asyncio.Event()

    class Slow(NoBundles):
        async def mark(self, tenant_id: str, bundle: str) -> tuple[int, int]:
            await release.wait()
            return await super().mark(tenant_id, bundle)

    store = Slow()
    directory = directory_over(store)
    waiting = [asyncio.create_task(found(directory)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    release.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [SHIPPED] * 19
    assert store.lookups == 1


async def test_what_did_not_change_is_not_read_again() -> None:
    store, timer = NoBundles(), Timer()
    await store.put("t1", OWN)
    directory = directory_over(store, timer)
    before = await directory.find("t1", request())
    timer.now += 2
    assert await directory.find("t1", request()) is before


async def test_a_failing_store_is_not_answered_with_the_shipped_bundle() -> None:
    class Broken(NoBundles):
        async def mark(self, tenant_id: str, bundle: str) -> tuple[int, int]:
            raise StoreError("down")

    with pytest.raises(StoreError):
        await found(directory_over(Broken()))


async def test_a_version_that_is_in_force_and_not_stored_is_an_error() -> None:
    store = NoBundles()
    await store.put("t1", OWN)
    store.kept.clear()
    with pytest.raises(StoreError):
        await found(directory_over(store))


async def test_a_bundle_for_an_api_key_is_for_whom_the_door_authenticated_by_it() -> None:
    store = NoBundles()
    await store.put("t1", OWN, Slot(key="gateway"))
    directory = directory_over(store)
    scopes = frozenset({Scope.ASSESS})
    assert await found(directory) is SHIPPED
    with called_by(Principal("gateway", "t1", scopes)):
        assert await found(directory) is OWN
        assert [info.version for info in await directory.list("t1")] == ["2"]
    for other in (
        Principal("other", "t1", scopes),
        Principal("gateway", "t2", scopes),
        Principal("gateway", "t1", scopes, keyless=True),
        Principal("gateway", "t1", frozenset({Scope.INTERNAL})),
    ):
        with called_by(other):
            assert await found(directory) is SHIPPED


async def test_metadata_cannot_claim_another_key() -> None:
    store = NoBundles()
    await store.put("t1", OWN, Slot(key="gateway"))
    claims = {"key": "gateway", "principal": "gateway", "name": "gateway"}
    assert await found(directory_over(store), metadata=claims) is SHIPPED


async def test_a_session_gets_one_version_for_as_long_as_the_share_stays() -> None:
    store = NoBundles()
    await store.put("t1", OWN, percent=50)
    directory = directory_over(store)
    sessions = [str(number) for number in range(200)]
    got = {each: await found(directory, metadata={"session": each}) for each in sessions}
    assert 60 < sum(bundle is OWN for bundle in got.values()) < 140
    for each in sessions:
        assert (
            await directory.find("t1", request("other words", metadata={"session": each, "subject": "s"}))
        ).bundle is got[each]


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
