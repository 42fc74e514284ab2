"""`RevisionStore`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from sqlalchemy import text

from llama_mapper.adapters.orchestration.sql_detector_registry import SqlDetectorRegistry
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.detectors import DetectorChange, ProbeOutcome
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.orchestration.registry.model import Newest, Revision, digest_of
from llama_mapper.domain.orchestration.registry.ports import RevisionStore
from tests.support.definitions import a_definition
from tests.support.loops import LoopThread
from tests.support.store_machines import MOMENTS, TEXTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def a_revision(
    name: str = "a", number: int = 1, change: DetectorChange = DetectorChange.REGISTERED, **changes: Any
) -> Revision:
    definition = a_definition(name, **changes)
    return Revision(definition, number, change, digest_of(definition), ProbeOutcome.PASSED, NOON, "anna")


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("orchestration")


@pytest.fixture
async def store(database: Database) -> RevisionStore:
    return SqlDetectorRegistry(database)


async def test_a_revision_comes_back_as_it_was_added(store: RevisionStore) -> None:
    full = a_revision(
        vocabulary={"Ä\\ label": "pii.personal_identifiers.email"},
        credential={"env": "DETECTOR_KEY"},
        protocol={"kind": "http_json", "body": {"in": {"text": ["{{text}}", 1.5, None]}}, "label": "$['l']"},
        enabled=False,
    )
    await store.add(full)
    assert await store.history("a") == [full]
    assert await store.newest() == Newest((full,))


async def test_of_concurrent_revisions_with_one_number_one_is_kept(store: RevisionStore) -> None:
    await store.add(a_revision())
    contenders = [replace(a_revision(number=2), by=f"{n}") for n in range(10)]
    outcomes = await asyncio.gather(*(store.add(each) for each in contenders), return_exceptions=True)
    assert outcomes.count(None) == 1
    assert {e.error_code for e in outcomes if isinstance(e, ServiceError)} == {ErrorCode.CONFLICT}
    assert await store.history("a") == [a_revision(), contenders[outcomes.index(None)]]


async def test_a_revision_that_another_version_wrote_hides_no_other(store: RevisionStore, database: Database) -> None:
    await store.add(a_revision("a"))
    await store.add(a_revision("b"))
    async with database.writing() as connection:
        of_another_version = text(
            "INSERT INTO detector_revisions SELECT name, 2, change, :unknown, digest, probe, changed_at, changed_by"
            " FROM detector_revisions WHERE name = 'b'"
        )
        await connection.execute(of_another_version, {"unknown": '{"kind": 2}'})
    assert await store.newest() == Newest((a_revision("a"),), ("b",))
    assert await store.history("b") == [a_revision("b")]
    with pytest.raises(ServiceError, match="already"):
        await store.add(a_revision("b", 2))


@pytest.mark.parametrize("change", ["UPDATE detector_revisions SET revision = 2", "DELETE FROM detector_revisions"])
async def test_the_database_itself_lets_nobody_change_what_was(
    store: RevisionStore, database: Database, change: str
) -> None:
    await store.add(a_revision())
    with pytest.raises(ServiceError):
        async with database.writing() as connection:
            await connection.execute(text(change))
    assert await store.history("a") == [a_revision()]


class RegistryMachine(StoreMachine):
    context = "orchestration"
    names = st.sampled_from(["a", "B", "a.b+c@d"])

    def __init__(self) -> None:
        super().__init__()
        self.store: RevisionStore = SqlDetectorRegistry(self.database)
        self.model: dict[str, list[Revision]] = {}

    @rule(
        name=names,
        ahead=st.sampled_from([1, 1, 1, 0, 2, -1]),
        change=st.sampled_from(DetectorChange),
        port=st.integers(1, 3),
        by=TEXTS,
        at=MOMENTS,
    )
    def add(self, name: str, ahead: int, change: DetectorChange, port: int, by: str, at: datetime) -> None:
        """Registered, updated, switched or deleted: to the store all are one thing, the next revision."""
        known = self.model.get(name, [])
        made = a_revision(name, max(1, len(known) + ahead), change, url=f"http://127.0.0.1:{port}")
        revision = replace(made, by=by, at=at)
        follows = revision.revision == len(known) + 1
        assert self.code_of(self.store.add(revision)) == (None if follows else "CONFLICT")
        if follows:
            self.model.setdefault(name, []).append(revision)

    @invariant()
    def no_revision_is_ever_lost(self) -> None:
        for name in ("a", "B", "a.b+c@d"):
            assert self.do(self.store.history(name)) == self.model.get(name, [])
        assert self.do(self.store.count()) == sum(map(len, self.model.values()))

    @invariant()
    def each_name_has_one_newest(self) -> None:
        expected = tuple(revisions[-1] for _, revisions in sorted(self.model.items()))
        assert self.do(self.store.newest()) == Newest(expected)


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(RegistryMachine, place, loop_thread)
