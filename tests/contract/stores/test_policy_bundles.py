"""`PolicyBundles`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from llama_mapper.adapters.orchestration.policies.sql_policy_bundles import SqlPolicyBundles
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyBundles
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]


def a_bundle(name: str = "default", version: str = "1", content: str = "a", **data: Any) -> PolicyBundle:
    return PolicyBundle(name, version, f"sha256:{content}", "words", {"main.rego": f"package {content}\n\x00"}, data)


@pytest.fixture
async def bundles(fresh: Fresh) -> PolicyBundles:
    return SqlPolicyBundles(await fresh("orchestration"))


async def test_a_bundle_comes_back_as_it_was_put(bundles: PolicyBundles) -> None:
    bundle = a_bundle(weights={"é": [1, 2.5, None, True, 10**30]}, text="\x00")
    await bundles.put("acme", bundle)
    assert await bundles.get("acme", "default") == bundle


async def test_the_version_put_last_is_the_newest(bundles: PolicyBundles) -> None:
    for version in ("2", "10", "1"):
        await bundles.put("acme", a_bundle(version=version))
    await bundles.put("acme", a_bundle(version="2"))
    assert await bundles.get("acme", "default") == a_bundle(version="1")


async def test_a_version_is_immutable(bundles: PolicyBundles) -> None:
    await bundles.put("acme", a_bundle(content="a"))
    await bundles.put("acme", a_bundle(content="a"))
    with pytest.raises(ServiceError) as caught:
        await bundles.put("acme", a_bundle(content="b"))
    assert caught.value.error_code is ErrorCode.CONFLICT
    assert await bundles.list("acme") == [a_bundle(content="a")]


async def test_a_tenant_sees_only_its_own_bundles(bundles: PolicyBundles) -> None:
    await bundles.put("acme", a_bundle(content="a"))
    await bundles.put("globex", a_bundle(content="b"))
    assert await bundles.list("acme") == [a_bundle(content="a")]
    assert await bundles.get("globex", "default") == a_bundle(content="b")
    assert await bundles.get("initech", "default") is None


async def test_data_that_is_not_json_is_refused(bundles: PolicyBundles) -> None:
    with pytest.raises(ServiceError) as caught:
        await bundles.put("acme", a_bundle(weight=float("nan")))
    assert caught.value.error_code is ErrorCode.POLICY_INVALID


async def test_of_concurrent_puts_of_one_version_all_agree_on_one_content(bundles: PolicyBundles) -> None:
    puts = [bundles.put("acme", a_bundle(content=f"c{number % 5}")) for number in range(50)]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert outcomes.count(None) == 10
    assert {e.error_code for e in outcomes if isinstance(e, ServiceError)} == {ErrorCode.CONFLICT}


class BundleMachine(StoreMachine):
    context = "orchestration"
    names = st.sampled_from(["default", "Zeta", "alpha"])

    def __init__(self) -> None:
        super().__init__()
        self.store: PolicyBundles = SqlPolicyBundles(self.database)
        self.model: dict[tuple[str, str], dict[str, PolicyBundle]] = {}

    @rule(tenant=TENANTS, name=names, version=st.sampled_from("123"), content=st.sampled_from("ab"))
    def put(self, tenant: str, name: str, version: str, content: str) -> None:
        bundle = a_bundle(name, version, content)
        versions = self.model.setdefault((tenant, name), {})
        kept = versions.setdefault(version, bundle)
        assert self.code_of(self.store.put(tenant, bundle)) == (None if kept == bundle else "CONFLICT")

    @rule(tenant=TENANTS, name=names)
    def get(self, tenant: str, name: str) -> None:
        versions = [*self.model.get((tenant, name), {}).values()]
        assert self.do(self.store.get(tenant, name)) == (versions[-1] if versions else None)

    @rule(tenant=TENANTS)
    def list(self, tenant: str) -> None:
        own = sorted(
            (name, [*versions.values()][-1]) for (owner, name), versions in self.model.items() if owner == tenant
        )
        assert self.do(self.store.list(tenant)) == [bundle for _, bundle in own]


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(BundleMachine, place, loop_thread)
