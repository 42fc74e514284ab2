"""What every store of releases promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import text

from llama_mapper.adapters.mapping.memory_releases import MemoryReleases
from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.releases import (
    Estimate,
    GateFigure,
    GateState,
    Metric,
    ReleaseDoor,
    ReleaseStep,
    SeriesPoint,
    Start,
    VariantKind,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.mapping.releases.events import Event, plan_of, slot_of
from llama_mapper.domain.mapping.releases.ports import ReleaseRecords
from llama_mapper.domain.mapping.releases.tally import Outcome, Tally
from tests.support.loops import LoopThread
from tests.support.releases import MODEL, NOON, ab, blue_green, canary, shadow
from tests.support.store_machines import StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
PLANS: list[Start] = [canary(), blue_green(), ab(), shadow(), canary(kind=VariantKind.PROMPT)]
EFFECT = GateFigure(
    name="errors",
    arm="candidate",
    candidate=0.5,
    baseline=None,
    effect=Estimate(value=0.1, low=None, high=0.2),
    limit=0.0,
    state=GateState.UNDECIDED,
    evidence=1.5,
)


def event(release_id: str, number: int = 1, plan: Start | None = None, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "release_id": release_id,
        "number": number,
        "kind": MODEL if plan is None else plan.kind,
        "step": ReleaseStep.STARTED if number == 1 else ReleaseStep.HELD,
        "at": NOON + timedelta(seconds=number),
        "who": "anna",
        "door": ReleaseDoor.HTTP,
        "keyless": False,
        "holds": True,
        "plan": plan,
    }
    return Event(**fields | changes)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def records(request: pytest.FixtureRequest) -> AsyncIterator[ReleaseRecords]:
    if request.param == "memory":
        yield MemoryReleases()
        return
    place: StorePlace = request.getfixturevalue("sqlite_place" if request.param == "sqlite" else "postgres_place")
    database = await place.fresh("mapping")
    yield SqlReleases(database)
    await database.close()


async def refusal(asked: Awaitable[object]) -> ErrorCode:
    with pytest.raises(ServiceError) as caught:
        await asked
    return caught.value.error_code


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.mode}-{plan.kind}")
async def test_an_event_is_given_back_as_it_was(records: ReleaseRecords, plan: Start) -> None:
    first = event("rel_1", plan=plan, note="why", stage=0)
    second = event("rel_1", 2, kind=plan.kind, stage=1, seen=7, override=True, reasons=("a", "b"), effects=(EFFECT,))
    assert await records.append(first, slot_of(plan))
    assert await records.append(second, slot_of(plan))
    assert await records.log("rel_1") == (first, second)
    assert await records.log("rel_2") == ()
    standing = await records.standing()
    assert (standing.mark, standing.live, dict(standing.settled)) == (2, ((first, second),), {})


async def test_of_events_with_one_number_the_first_stays(records: ReleaseRecords) -> None:
    await records.append(event("rel_1", plan=canary()), "model")
    outcomes = await asyncio.gather(*(records.append(event("rel_1", 2, note=str(n)), "model") for n in range(5)))
    assert sorted(outcomes) == [False] * 4 + [True]
    assert len(await records.log("rel_1")) == 2
    assert await records.mark() == 2


async def test_of_two_that_settle_at_once_one_does(records: ReleaseRecords) -> None:
    await records.append(event("rel_1", plan=canary()), "model")
    ending = event("rel_1", 2, step=ReleaseStep.COMPLETED, settles="v2", holds=False)
    assert sorted(await asyncio.gather(*(records.append(ending, "model") for _ in range(4)))) == [False] * 3 + [True]
    assert (await records.standing()).settled == {MODEL: "v2"}


async def test_a_slot_is_one_releases_until_it_ends(records: ReleaseRecords) -> None:
    await records.append(event("rel_1", plan=canary()), "model")
    assert await refusal(records.append(event("rel_2", plan=ab()), "model")) is ErrorCode.RELEASE_STATE
    assert await records.log("rel_2") == ()
    assert await records.append(event("exp_1", plan=shadow()), slot_of(shadow()))
    other = canary(kind=VariantKind.PROMPT)
    assert await records.append(event("rel_3", plan=other), slot_of(other))
    assert len((await records.standing()).live) == 3
    await records.append(event("rel_1", 2, step=ReleaseStep.ROLLED_BACK, holds=False), "model")
    assert await records.append(event("rel_2", plan=ab()), "model")
    assert {log[0].release_id for log in (await records.standing()).live} == {"rel_2", "rel_3", "exp_1"}


async def test_the_newest_settled_version_counts_whatever_the_clocks_say(records: ReleaseRecords) -> None:
    for number, (before, after) in enumerate((("v1", "v2"), ("v2", "v3"))):
        release_id, plan = f"rel_{number}", canary(baseline=before, candidate=after)
        await records.append(event(release_id, plan=plan), "model")
        at = NOON - timedelta(days=number)
        done = event(release_id, 2, step=ReleaseStep.COMPLETED, settles=after, holds=False, at=at)
        assert await records.append(done, "model")
    assert (await records.standing()).settled == {MODEL: "v3"}


async def test_a_release_begins_from_what_is_settled(records: ReleaseRecords) -> None:
    await records.append(event("rel_1", plan=canary()), "model")
    await records.append(event("rel_1", 2, step=ReleaseStep.COMPLETED, settles="v2", holds=False), "model")
    assert await refusal(records.append(event("rel_2", plan=canary()), "model")) is ErrorCode.RELEASE_STATE
    assert (await records.standing()).live == ()
    assert await records.append(event("rel_3", plan=canary(baseline="v2", candidate="v3")), "model")


async def test_pages_hold_the_newest_of_their_sort(records: ReleaseRecords) -> None:
    for number in range(5):
        plan = canary() if number % 2 else shadow()
        first = event(f"id_{number}", plan=plan, at=NOON + timedelta(seconds=number))
        await records.append(first, slot_of(plan))
        ended = event(f"id_{number}", 2, step=ReleaseStep.ROLLED_BACK, holds=False)
        await records.append(ended, slot_of(plan))
    assert [log[0].release_id for log in await records.page(False, 10)] == ["id_3", "id_1"]
    assert [log[0].release_id for log in await records.page(True, 2)] == ["id_4", "id_2"]
    assert all(len(log) == 2 for log in await records.page(True, 2))


def counted(requests: int) -> Tally:
    tally = Tally()
    metrics = (Metric(name="latency_ms", high=50.0), Metric(name="tokens", high=8.0))
    for number in range(requests):
        tally.add(Outcome(labels=2, failed=number % 3 == 0, abstained=1, latency_ms=number * 10.0, tokens=3), metrics)
    return tally


async def test_counts_of_all_writers_are_added_and_nothing_twice(records: ReleaseRecords) -> None:
    await records.count("one", 1, {("rel_1", "baseline"): counted(3), ("rel_1", "candidate"): counted(1)})
    await records.count("two", 1, {("rel_1", "baseline"): counted(4)})
    for sequence in (2, 2, 1):
        await records.count("one", sequence, {("rel_1", "baseline"): counted(10 * sequence)})
    found = await records.tallies("rel_1")
    assert (found["baseline"].requests, found["candidate"].requests) == (24, 1)
    expected = counted(20)
    expected.absorb(counted(4))
    assert found["baseline"] == expected
    assert await records.tallies("rel_2") == {}
    await records.count("one", 9, {})


async def test_points_are_kept_once_and_in_order(records: ReleaseRecords) -> None:
    assert await records.last_point("rel_1") == (0, 0)
    for number, requests in ((1, 10), (2, 25), (2, 99)):
        await records.add_point("rel_1", number, SeriesPoint(at=NOON, requests=requests, effects=(EFFECT,)))
    assert [point.requests for point in await records.points("rel_1")] == [10, 25]
    assert (await records.points("rel_1"))[0].effects == (EFFECT,)
    assert await records.last_point("rel_1") == (2, 25)
    assert await records.points("rel_2") == []


async def test_one_leads_until_it_is_not_heard_of(records: ReleaseRecords) -> None:
    def at(seconds: float) -> Any:
        return NOON + timedelta(seconds=seconds)

    assert sorted(await asyncio.gather(*(records.lead(f"p{n}", at(0), at(10)) for n in range(4)))) == [False] * 3 + [
        True
    ]
    leader = [f"p{n}" for n in range(4)]
    kept = [name for name in leader if await records.lead(name, at(5), at(15))]
    assert len(kept) == 1
    assert not await records.lead("other", at(14), at(24))
    assert await records.lead("other", at(16), at(26))
    assert not await records.lead(kept[0], at(17), at(27))


@pytest.mark.parametrize("statement", ["UPDATE release_events SET note = 'x'", "DELETE FROM release_events"])
async def test_the_database_itself_refuses_to_change_what_happened(fresh: Fresh, statement: str) -> None:
    database = await fresh("mapping")
    await SqlReleases(database).append(event("rel_1", plan=canary()), "model")
    with pytest.raises(StoreError):
        async with database.writing() as connection:
            await connection.execute(text(statement))


async def test_what_another_version_wrote_is_an_error_and_no_guess(fresh: Fresh) -> None:
    database = await fresh("mapping")
    records = SqlReleases(database)
    await records.append(event("rel_1", plan=canary()), "model")
    async with database.writing() as connection:
        columns = "kind, step, at, who, door, keyless, holds, note, is_experiment"
        await connection.execute(
            text(
                f"INSERT INTO release_events (release_id, number, detail, {columns})"
                f" SELECT 'rel_1', 2, '{{}}', {columns} FROM release_events"
            )
        )
    assert await refusal(records.standing()) is ErrorCode.STORE_UNAVAILABLE


class ReleaseMachine(StoreMachine):
    """SQL beside memory: whatever is done to both, both say the same."""

    context: ClassVar[str] = "mapping"

    @initialize()
    def begin(self) -> None:
        self.store, self.model = SqlReleases(self.database), MemoryReleases()
        self.ids: list[str] = []
        self.moment = 0

    def both(self, ask: Callable[[ReleaseRecords], Any]) -> Any:
        outcomes: list[Any] = []
        for records in (self.store, self.model):
            try:
                outcomes.append(self.do(ask(records)))
            except ServiceError as error:
                outcomes.append(error.error_code)
        assert outcomes[0] == outcomes[1]
        return outcomes[0]

    @rule(plan=st.sampled_from(PLANS), after=st.sampled_from(["v1", "v2", "v3"]))
    def start(self, plan: Start, after: str) -> None:
        if after != "v2":
            plan = plan.model_copy(update={"baseline": after})
        self.moment += 1
        release_id = f"id_{self.moment}"
        first = event(release_id, plan=plan, at=NOON + timedelta(seconds=self.moment))
        if self.both(lambda records: records.append(first, slot_of(plan))) is True:
            self.ids.append(release_id)

    @precondition(lambda self: self.ids)
    @rule(
        data=st.data(), number=st.integers(2, 4), settles=st.sampled_from([None, "v1", "v2", "v3"]), holds=st.booleans()
    )
    def step(self, data: st.DataObject, number: int, settles: str | None, holds: bool) -> None:
        release_id = data.draw(st.sampled_from(self.ids))
        first = self.do(self.model.log(release_id))
        if number > len(first) + 1 or not first[-1].holds:
            return
        slot = slot_of(plan_of(first))
        after = event(release_id, number, kind=first[0].kind, settles=settles, holds=holds)
        self.both(lambda records: records.append(after, slot))

    @rule(writer=st.sampled_from("ab"), sequence=st.integers(1, 5), arm=st.sampled_from("xy"), size=st.integers(0, 5))
    def count(self, writer: str, sequence: int, arm: str, size: int) -> None:
        self.both(lambda records: records.count(writer, sequence, {("id_1", arm): counted(size)}))

    @rule(owner=st.sampled_from("abc"), now=st.integers(0, 30), for_s=st.integers(0, 10))
    def lead(self, owner: str, now: int, for_s: int) -> None:
        at = NOON + timedelta(seconds=now)
        self.both(lambda records: records.lead(owner, at, at + timedelta(seconds=for_s)))

    @invariant()
    def both_say_the_same(self) -> None:
        self.both(lambda records: records.mark())
        self.both(lambda records: records.standing())
        self.both(lambda records: records.tallies("id_1"))
        self.both(lambda records: records.page(True, 3))
        self.both(lambda records: records.page(False, 3))


def test_databases_and_memory_agree(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(ReleaseMachine, place, loop_thread)
