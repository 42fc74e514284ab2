"""`ApiKeys`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.sql_api_keys import SqlApiKeys
from llama_mapper.domain.kernel.credentials import ApiKeyRecord, ApiKeys, issue_key, key_id_of, verify_key
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.tenancy import Scope
from tests.support.loops import LoopThread
from tests.support.store_machines import MOMENTS, TENANTS, TEXTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
async def keys(fresh: Fresh) -> ApiKeys:
    return SqlApiKeys(await fresh("platform"))


async def test_a_key_issued_and_stored_opens_until_it_is_revoked(keys: ApiKeys) -> None:
    scopes = frozenset({Scope.ASSESS, Scope.READ})
    key, record = issue_key(b"pepper", name="ci", tenant_id="acme", scopes=scopes, created_at=NOON)
    await keys.add(record)
    found = await keys.get(key_id_of(key))
    assert found == record
    assert verify_key(b"pepper", key, found, NOON).scopes == scopes
    assert await keys.revoke(record.key_id, NOON + timedelta(hours=1))
    assert await keys.revoke(record.key_id, NOON + timedelta(hours=2))
    assert await keys.get(record.key_id) == replace(record, revoked_at=NOON + timedelta(hours=1))


async def test_a_taken_key_id_is_a_conflict(keys: ApiKeys) -> None:
    _, record = issue_key(b"pepper", name="ci", tenant_id="acme", scopes=frozenset(), created_at=NOON)
    await keys.add(record)
    with pytest.raises(ServiceError) as caught:
        await keys.add(replace(record, name="other"))
    assert caught.value.error_code is ErrorCode.CONFLICT
    assert record.key_id not in caught.value.message
    assert await keys.list() == [record]


async def test_a_key_that_is_not_there_is_none_and_cannot_be_revoked(keys: ApiKeys) -> None:
    assert await keys.get("0" * 16) is None
    assert not await keys.revoke("0" * 16, NOON)


class KeyMachine(StoreMachine):
    context = "platform"
    ids = st.sampled_from(["a" * 16, "b" * 16, "0" * 16])
    records = st.builds(
        ApiKeyRecord,
        ids,
        st.binary(min_size=32, max_size=32),
        TEXTS,
        TENANTS,
        st.frozensets(st.sampled_from(Scope)),
        MOMENTS,
        st.none() | MOMENTS,
        st.none(),
    )

    def __init__(self) -> None:
        super().__init__()
        self.keys: ApiKeys = SqlApiKeys(self.database)
        self.model: dict[str, ApiKeyRecord] = {}

    @rule(record=records)
    def add(self, record: ApiKeyRecord) -> None:
        assert self.code_of(self.keys.add(record)) == ("CONFLICT" if record.key_id in self.model else None)
        self.model.setdefault(record.key_id, record)

    @rule(key_id=ids, at=MOMENTS)
    def revoke(self, key_id: str, at: datetime) -> None:
        known = self.model.get(key_id)
        assert self.do(self.keys.revoke(key_id, at)) is (known is not None)
        if known is not None and known.revoked_at is None:
            self.model[key_id] = replace(known, revoked_at=at)

    @rule(key_id=ids)
    def get(self, key_id: str) -> None:
        assert self.do(self.keys.get(key_id)) == self.model.get(key_id)

    @invariant()
    def lists_oldest_first(self) -> None:
        expected = sorted(self.model.values(), key=lambda record: (record.created_at, record.key_id))
        assert self.do(self.keys.list()) == expected


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(KeyMachine, place, loop_thread)
