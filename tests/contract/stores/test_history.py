"""`FindingHistory`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from llama_mapper.adapters.analysis.sql_history import SqlFindingHistory
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.analysis.ports import FindingHistory, HistoryEntry, HistoryWindow
from llama_mapper.domain.kernel.errors import StoreError
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def an_entry(request: str, at: datetime = NOON, /, *, of: str = "acme", **counts: int) -> HistoryEntry:
    return HistoryEntry(of, request, at, {f"pii.{name}": count for name, count in counts.items()})


def window_of(entries: list[HistoryEntry], since: datetime, until: datetime) -> HistoryWindow:
    """What the port promises, spelt out."""
    inside = [entry for entry in entries if since <= entry.at < until]
    daily: dict[str, dict[date, int]] = {}
    hourly: dict[str, list[int]] = {}
    present: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for entry in inside:
        found = sorted(category for category, count in entry.counts.items() if count)
        present.update(found)
        together.update(combinations(found, 2))
        for category in found:
            days = daily.setdefault(category, {})
            days[entry.at.date()] = days.get(entry.at.date(), 0) + entry.counts[category]
            hourly.setdefault(category, [0] * 24)[entry.at.hour] += entry.counts[category]
    return HistoryWindow(
        since=since,
        until=until,
        assessments=len(inside),
        assessments_daily=dict(Counter(entry.at.date() for entry in inside)),
        daily=daily,
        hourly={category: tuple(hours) for category, hours in hourly.items()},
        present=dict(present),
        together=dict(together),
    )


@pytest.fixture
async def history(fresh: Fresh) -> FindingHistory:
    return SqlFindingHistory(await fresh("analysis"))


async def test_an_empty_history_is_an_empty_window(history: FindingHistory) -> None:
    since, until = NOON - timedelta(days=1), NOON
    await history.record([])
    assert await history.window("acme", since, until) == HistoryWindow(since, until)


async def test_an_assessment_without_findings_still_counts(history: FindingHistory) -> None:
    await history.record([an_entry("r1"), an_entry("r2", email=0)])
    window = await history.window("acme", NOON, NOON + timedelta(hours=1))
    assert (window.assessments, window.assessments_daily) == (2, {NOON.date(): 2})
    assert (dict(window.present), dict(window.daily)) == ({}, {})


async def test_the_window_takes_its_first_moment_and_leaves_its_last(history: FindingHistory) -> None:
    tick = timedelta(microseconds=1)
    moments = {
        "before": NOON - tick,
        "first": NOON,
        "late": NOON + timedelta(days=1) - tick,
        "end": NOON + timedelta(1),
    }
    await history.record([HistoryEntry("acme", name, at, {f"pii.{name}": 1}) for name, at in moments.items()])
    window = await history.window("acme", NOON, NOON + timedelta(days=1))
    assert set(window.present) == {"pii.first", "pii.late"}


async def test_days_hours_and_pairs_are_counted(history: FindingHistory) -> None:
    entries = [
        an_entry("r1", NOON, email=2, phone=1),
        an_entry("r2", NOON + timedelta(hours=13), email=3),
        an_entry("r3", NOON + timedelta(days=2), phone=1, address=1, email=1),
        an_entry("r4", NOON, email=2, phone=1),
    ]
    await history.record(entries)
    since, until = NOON - timedelta(days=7), NOON + timedelta(days=7)
    window = await history.window("acme", since, until)
    assert window == window_of(entries, since, until)
    assert window.together == {
        ("pii.email", "pii.phone"): 3,
        ("pii.address", "pii.phone"): 1,
        ("pii.address", "pii.email"): 1,
    }


async def test_the_same_request_again_changes_nothing(history: FindingHistory) -> None:
    await history.record([an_entry("r1", email=2)])
    await history.record([an_entry("r1", NOON + timedelta(hours=1), phone=5), an_entry("r2", email=1)])
    window = await history.window("acme", NOON, NOON + timedelta(days=1))
    assert (window.assessments, dict(window.present)) == (2, {"pii.email": 2})


async def test_a_tenant_sees_only_its_own_history(history: FindingHistory) -> None:
    await history.record(
        [HistoryEntry(tenant, "r1", NOON, {f"pii.{tenant}": 1}) for tenant in ("acme", "globex", "initech")]
    )
    for tenant in ("acme", "globex"):
        assert set((await history.window(tenant, NOON, NOON + timedelta(days=1))).present) == {f"pii.{tenant}"}


async def test_entries_are_recorded_all_or_none(history: FindingHistory) -> None:
    bad = [an_entry("r1", email=1), an_entry("r2\udcff", of="globex", email=1)]
    with pytest.raises(StoreError):
        await history.record(bad)
    for tenant in ("acme", "globex"):
        assert (await history.window(tenant, NOON, NOON + timedelta(days=1))).assessments == 0


async def test_a_batch_larger_than_one_statement_is_recorded_whole(history: FindingHistory) -> None:
    await history.record([an_entry(f"r{number}", email=1) for number in range(9_000)])
    assert (await history.window("acme", NOON, NOON + timedelta(days=1))).assessments == 9_000


async def test_fifty_concurrent_records_all_count(history: FindingHistory) -> None:
    await asyncio.gather(*(history.record([an_entry(f"r{number % 40}", email=1)]) for number in range(50)))
    assert (await history.window("acme", NOON, NOON + timedelta(days=1))).assessments == 40


class HistoryMachine(StoreMachine):
    context = "analysis"
    moments = st.datetimes(datetime(2026, 3, 9), datetime(2026, 3, 12), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds it
    counts = st.dictionaries(st.sampled_from(["pii.email", "pii.phone", "hate.speech", "Z.a"]), st.integers(0, 3))
    entries = st.builds(HistoryEntry, TENANTS, st.sampled_from([f"r{n}" for n in range(12)]), moments, counts)

    def __init__(self) -> None:
        super().__init__()
        self.history: FindingHistory = SqlFindingHistory(self.database)
        self.model: dict[tuple[str, str], HistoryEntry] = {}

    @rule(entries=st.lists(entries, max_size=6))
    def record(self, entries: list[HistoryEntry]) -> None:
        self.do(self.history.record(entries))
        for entry in entries:
            self.model.setdefault((entry.tenant_id, entry.request_id), entry)

    @rule(tenant=TENANTS, one=moments, other=moments)
    def window(self, tenant: str, one: datetime, other: datetime) -> None:
        since, until = min(one, other), max(one, other)
        own = [entry for entry in self.model.values() if entry.tenant_id == tenant]
        assert self.do(self.history.window(tenant, since, until)) == window_of(own, since, until)


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(HistoryMachine, place, loop_thread)
