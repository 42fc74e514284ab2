"""`PolicyRecords`, and the life of bundles on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy import text

from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.orchestration import ContentType, OrchestrationRequest
from llama_mapper.domain.contracts.policies import (
    Door,
    Enforcement,
    PolicyActivationList,
    PolicyActivationRequest,
    PolicyActor,
    PolicyApproval,
    PolicyRefusal,
    PolicyScope,
    PolicyScopeRequest,
    PolicyState,
    PolicyStep,
    Waiver,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.lifecycle.events import Event, Slot
from llama_mapper.domain.orchestration.lifecycle.ports import PolicyRecords
from llama_mapper.domain.orchestration.lifecycle.service import PolicyLifecycle
from llama_mapper.domain.orchestration.policies import PolicyDirectory
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, PolicyBundle
from llama_mapper.domain.orchestration.validation.report import ProblemCode, ValidationReport, error
from tests.support.loops import LoopThread
from tests.support.store_machines import StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANNA = PolicyActor(name="anna", door=Door.HTTP, keyless=False)
BEN = PolicyActor(name="ben", door=Door.HTTP, keyless=False)


class NamedValidity:
    """Keeps `BundleValidator`: a bundle is valid unless its data say that it is broken."""

    async def validate(self, bundle: PolicyBundle, tenant_id: str) -> ValidationReport:
        """See `BundleValidator`."""
        broken = error(ProblemCode.TEST_FAILED, "", "broken as told")
        return ValidationReport((broken,) if bundle.data.get("broken") else ())


class NoEngine:
    """Keeps `PolicyEngine` for bundles without a plan."""

    async def evaluate(self, bundle: PolicyBundle, facts: object) -> dict[str, Any]:
        """See `PolicyEngine`."""
        return {}


class PlainDigests:
    """Keeps `TextDigests` without a key."""

    def digest(self, tenant_id: str, text: str) -> str:
        """See `TextDigests`."""
        return text


async def no_detectors() -> Sequence[DetectorDescriptor]:
    return []


def lifecycle(records: PolicyRecords, *, four_eyes: bool = True) -> PolicyLifecycle:
    return PolicyLifecycle(
        records, (), NoEngine(), NamedValidity(), no_detectors, lambda: datetime.now(UTC), four_eyes=four_eyes
    )


def directory(records: PolicyRecords, **options: Any) -> PolicyDirectory:
    return PolicyDirectory(records, [make_bundle("p", "shipped", "", {}, {})], PlainDigests(), **options)


def a_bundle(version: str = "1", content: str = "a", name: str = "p", **data: Any) -> PolicyBundle:
    return make_bundle(name, version, "words", {"main.rego": f"package {content}\n\x00"}, data)


def drafted(version: str = "1", number: int = 1) -> Event:
    return Event(number, PolicyStep.DRAFTED, version, "anna", Door.HTTP, False, NOON, "why")


async def approved(life: PolicyLifecycle, tenant_id: str, bundle: PolicyBundle) -> None:
    await life.draft_bundle(tenant_id, bundle, ANNA)
    await life.validate(tenant_id, bundle.name, bundle.version, ANNA)
    await life.approve(tenant_id, bundle.name, bundle.version, PolicyApproval(), BEN)


def request(tenant_id: str = "acme", **changes: Any) -> OrchestrationRequest:
    return OrchestrationRequest(content="words", tenant_id=tenant_id, policy_bundle="p", **changes)


async def code_of(doing: Awaitable[object]) -> ErrorCode | None:
    try:
        await doing
    except ServiceError as error:
        return error.error_code
    return None


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("orchestration")


@pytest.fixture
def records(database: Database) -> PolicyRecords:
    return SqlPolicyRecords(database)


# --- the store --------------------------------------------------------------------------------------------------------


async def test_content_and_events_come_back_as_they_were_put(records: PolicyRecords) -> None:
    bundle = a_bundle(weights={"é": [1, 2.5, None, True, 10**30]}, text="\x00")
    slot = Slot("the gateway's key", ContentType.CLINICAL, Enforcement.MONITOR)
    second = Event(2, PolicyStep.ACTIVATED, "1", "ben", Door.COMMAND, True, NOON, "é", Waiver.KEYLESS, slot, 10, 1)
    third = Event(3, PolicyStep.ROLLED_BACK, None, "ben", Door.HTTP, False, NOON, slot=Slot(), percent=100)
    assert await records.append("acme", "p", drafted(), bundle)
    assert await records.append("acme", "p", second)
    assert await records.append("acme", "p", third)
    assert await records.get("acme", "p", "1") == bundle
    assert await records.log("acme", "p") == (drafted(), second, third)
    assert (await records.activations("acme", "p")).own == (second, third)
    assert await records.names("acme") == ["p"]
    [version] = await records.versions("acme", "p")
    assert (version.version, version.digest, version.description) == ("1", bundle.digest, "words")


async def test_of_two_events_of_one_number_the_first_stays(records: PolicyRecords) -> None:
    assert await records.append("acme", "p", drafted(), a_bundle())
    assert not await records.append("acme", "p", drafted("2"), a_bundle("2"))
    assert await records.get("acme", "p", "2") is None


async def test_a_version_is_stored_once_and_what_comes_with_the_second_is_undone(records: PolicyRecords) -> None:
    await records.append("acme", "p", drafted(), a_bundle())
    assert await code_of(records.append("acme", "p", drafted(number=2), a_bundle(content="b"))) is ErrorCode.CONFLICT
    assert await records.log("acme", "p") == (drafted(),)
    assert await records.get("acme", "p", "1") == a_bundle()


async def test_data_that_is_not_json_is_refused(records: PolicyRecords) -> None:
    bundle = PolicyBundle("p", "1", "sha256:a", "", {}, {"weight": float("nan")})
    assert await code_of(records.append("acme", "p", drafted(), bundle)) is ErrorCode.POLICY_INVALID
    assert await records.log("acme", "p") == ()


@pytest.mark.parametrize("table", ["policy_bundles", "policy_events"])
@pytest.mark.parametrize("change", ["UPDATE {} SET name = 'q'", "DELETE FROM {}"])
async def test_the_database_refuses_to_change_what_was_recorded(
    database: Database, records: PolicyRecords, table: str, change: str
) -> None:
    await records.append("acme", "p", drafted(), a_bundle())
    with pytest.raises(StoreError):
        async with database.writing("acme") as connection:
            await connection.execute(text(change.format(table)))
    assert await records.log("acme", "p") == (drafted(),)
    assert await records.get("acme", "p", "1") == a_bundle()


async def test_tenants_see_their_own_and_everyones(records: PolicyRecords) -> None:
    for owner in ("acme", EVERYONE):
        await approved(lifecycle(records), owner, a_bundle(content=owner.replace("*", "all")))
        await lifecycle(records).activate(owner, "p", "1", PolicyActivationRequest(), ANNA)
    assert await records.mark("acme", "p") == (4, 4)
    assert await records.mark("globex", "p") == (0, 4)
    found = await records.activations("globex", "p")
    assert (len(found.own), len(found.everyone)) == (0, 1)
    assert await records.get("globex", "p", "1") is None
    assert (await directory(records).find("acme", request())).bundle == a_bundle(content="acme")
    assert (await directory(records).find("globex", request("globex"))).bundle == a_bundle(content="all")


# --- the life of a bundle ---------------------------------------------------------------------------------------------


async def test_a_bundle_goes_from_draft_to_active_by_two_persons_and_every_step_is_told(records: PolicyRecords) -> None:
    life = lifecycle(records)
    await approved(life, "acme", a_bundle())
    now = await life.activate("acme", "p", "1", PolicyActivationRequest(note="go"), BEN)
    assert [(one.version, one.percent, one.level.value) for one in now.items] == [("1", 100, "tenant")]
    assert (await life.version("acme", "p", "1")).state is PolicyState.ACTIVE
    told = (await life.history("acme", "p")).items
    assert [(one.step.value, one.who, one.note) for one in told] == [
        ("activated", "ben", "go"),
        ("approved", "ben", ""),
        ("validated", "anna", ""),
        ("drafted", "anna", ""),
    ]
    page = await life.history("acme", "p", limit=3)
    assert (len(page.items), page.before) == (3, 2)
    assert [one.number for one in (await life.history("acme", "p", before=page.before)).items] == [1]


async def test_the_author_cannot_approve_unless_the_setting_says_so_and_then_it_is_recorded(
    records: PolicyRecords,
) -> None:
    alone = PolicyApproval(single_operator=True)
    await lifecycle(records).draft_bundle("acme", a_bundle(), ANNA)
    await lifecycle(records).validate("acme", "p", "1", BEN)
    assert await code_of(lifecycle(records).approve("acme", "p", "1", alone, ANNA)) is ErrorCode.FOUR_EYES
    await lifecycle(records, four_eyes=False).approve("acme", "p", "1", alone, ANNA)
    assert (await lifecycle(records).history("acme", "p")).items[0].waiver is Waiver.SETTING


async def test_a_draft_that_is_not_valid_stays_a_draft_and_says_why(records: PolicyRecords) -> None:
    life = lifecycle(records)
    await life.draft_bundle("acme", a_bundle(broken=True), ANNA)
    found = await life.validate("acme", "p", "1", ANNA)
    assert (found.valid, found.problems[0].code, found.version.state) == (False, "TEST_FAILED", PolicyState.DRAFT)
    assert await code_of(life.approve("acme", "p", "1", PolicyApproval(), BEN)) is ErrorCode.POLICY_STATE
    assert (await life.history("acme", "p")).items[0].step is PolicyStep.VALIDATION_FAILED


async def test_the_same_draft_again_changes_nothing_and_another_is_a_conflict(records: PolicyRecords) -> None:
    life = lifecycle(records)
    first = await life.draft_bundle("acme", a_bundle(), ANNA)
    assert await life.draft_bundle("acme", a_bundle(), BEN) == first
    assert await code_of(life.draft_bundle("acme", a_bundle(content="b"), ANNA)) is ErrorCode.CONFLICT
    assert len(await records.log("acme", "p")) == 1


async def test_of_concurrent_drafts_of_one_version_all_agree_on_one_content(records: PolicyRecords) -> None:
    drafts = [lifecycle(records).draft_bundle("acme", a_bundle(content=f"c{n % 3}"), ANNA) for n in range(9)]
    outcomes = await asyncio.gather(*drafts, return_exceptions=True)
    assert {e.error_code for e in outcomes if isinstance(e, ServiceError)} == {ErrorCode.CONFLICT}
    assert sum(not isinstance(each, Exception) for each in outcomes) == 3
    assert len(await records.log("acme", "p")) == 1


async def test_of_concurrent_activations_each_stands_on_the_one_before_it(records: PolicyRecords) -> None:
    life = lifecycle(records)
    for version in "123":
        await approved(life, "acme", a_bundle(version))
    await asyncio.gather(
        *(lifecycle(records).activate("acme", "p", each, PolicyActivationRequest(), BEN) for each in "123")
    )
    activations = (await records.activations("acme", "p")).own
    assert [event.previous for event in activations] == [None, *(event.number for event in activations[:-1])]
    assert len((await life.activations("acme", "p")).items) == 1


async def test_what_does_not_exist_is_not_found(records: PolicyRecords) -> None:
    life = lifecycle(records)
    await life.draft_bundle("globex", a_bundle(), ANNA)
    for doing in (
        life.version("acme", "p", "1"),
        life.versions("acme", "p"),
        life.activations("acme", "p"),
        life.history("acme", "p"),
        life.validate("acme", "p", "1", ANNA),
        life.approve("acme", "p", "1", PolicyApproval(), BEN),
        life.reject("acme", "p", "1", PolicyRefusal(reason="no"), BEN),
        life.activate("acme", "p", "1", PolicyActivationRequest(), BEN),
        life.rollback("acme", "p", PolicyScopeRequest(), BEN),
        life.difference("acme", "p", "1", "1"),
    ):
        assert await code_of(doing) is ErrorCode.NOT_FOUND


async def test_a_global_activation_names_no_key(records: PolicyRecords) -> None:
    life = lifecycle(records)
    await approved(life, EVERYONE, a_bundle())
    asked = PolicyActivationRequest(scope=PolicyScope(key="k"))
    assert await code_of(life.activate(EVERYONE, "p", "1", asked, BEN)) is ErrorCode.INVALID_REQUEST


# --- several processes ------------------------------------------------------------------------------------------------


async def test_every_process_follows_a_change_within_its_second_and_no_request_fails_meanwhile(
    place: StorePlace, database: Database, records: PolicyRecords
) -> None:
    other = await place.reopen(database)
    timers = [0.0, 0.0]
    directories = [
        directory(SqlPolicyRecords(each), monotonic=lambda at=at: timers[at])
        for at, each in enumerate((database, other))
    ]
    life = lifecycle(records)
    for version in "12":
        await approved(life, "acme", a_bundle(version))
    try:
        again, back = PolicyActivationRequest(), PolicyScopeRequest()
        changes: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("1", lambda: life.activate("acme", "p", "1", again, ANNA)),
            ("2", lambda: life.activate("acme", "p", "2", again, ANNA)),
            ("1", lambda: life.rollback("acme", "p", back, ANNA)),
            ("shipped", lambda: life.rollback("acme", "p", back, ANNA)),
        ]
        for expected, change in changes:
            before = [(await each.find("acme", request())).bundle for each in directories]
            await change()
            assert [(await each.find("acme", request())).bundle for each in directories] == before
            timers[:] = [now + 1.0 for now in timers]
            after = [(await each.find("acme", request())).bundle.version for each in directories]
            assert after == [expected, expected]
    finally:
        await other.close()


async def test_readers_see_only_whole_states_while_versions_change(records: PolicyRecords) -> None:
    life = lifecycle(records)
    for version in "123":
        await approved(life, "acme", a_bundle(version))
    impatient = directory(records, ttl_s=0.0)
    seen: set[tuple[str, str | None]] = set()
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            found = await impatient.find("acme", request())
            [chosen] = [step.version for step in found.trace if step.chosen]
            assert found.bundle == a_bundle(chosen or "") or chosen == "shipped"
            seen.add((found.bundle.version, chosen))

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for _ in range(3):
        for version in "123":
            await life.activate("acme", "p", version, PolicyActivationRequest(), BEN)
        await life.rollback("acme", "p", PolicyScopeRequest(), BEN)
    done.set()
    await asyncio.gather(*readers)
    assert all(version == chosen for version, chosen in seen)


# --- any sequence of steps --------------------------------------------------------------------------------------------

SCOPES = st.sampled_from(
    [
        PolicyScope(),
        PolicyScope(),
        PolicyScope(key="gateway", content_type=ContentType.CODE),
        PolicyScope(enforcement=Enforcement.MONITOR),
    ]
)
OWNERS = st.sampled_from(["acme", "acme", "acme", "globex", EVERYONE])
VERSIONS = st.sampled_from("12")
PERSONS = st.sampled_from([ANNA, BEN, PolicyActor(name="ANNA", door=Door.COMMAND, keyless=False)])


class LifeMachine(StoreMachine):
    """Bundles of several owners beside a model: states by version, a stack by scope."""

    context = "orchestration"

    def __init__(self) -> None:
        super().__init__()
        self.life = lifecycle(SqlPolicyRecords(self.database))
        self.content: dict[tuple[str, str], PolicyBundle] = {}
        self.author: dict[tuple[str, str], str] = {}
        self.review: dict[tuple[str, str], str] = {}
        self.stacks: dict[tuple[str, PolicyScope], list[tuple[str | None, int]]] = {}
        self.steps = 0
        self.given: tuple[str, PolicyActivationList] | None = None

    def code(self, doing: Any) -> str | None:
        outcome = self.code_of(doing)
        self.steps += outcome is None
        return outcome

    def code_and_stacks(self, owner: str, doing: Any) -> str | None:
        """The code, and that what is said to be in force is what the stacks say."""
        given: list[PolicyActivationList] = []

        async def note() -> None:
            given.append(await doing)

        outcome = self.code_of(note())
        self.given = (owner, given[0]) if given else None
        return outcome

    def compare(self) -> None:
        if self.given is not None:
            owner, activations = self.given
            shown: dict[PolicyScope, list[tuple[str | None, int]]] = {}
            for one in activations.items:
                shown.setdefault(one.scope, []).append((one.version, one.percent))
            assert shown == {scope: met(stack) for (of, scope), stack in self.stacks.items() if of == owner and stack}

    def expected(self, at: tuple[str, str], *states: str) -> str | None:
        if at not in self.content:
            return "NOT_FOUND"
        return None if self.state(at) in states else "POLICY_STATE"

    def state(self, at: tuple[str, str]) -> str:
        owner, version = at
        stacks = [stack for (of, _), stack in self.stacks.items() if of == owner]
        if self.review[at] == "once active":
            return "active" if any(version == each for stack in stacks for each, _ in met(stack)) else "retired"
        return self.review[at]

    @rule(owner=OWNERS, version=VERSIONS, content=st.sampled_from("ab"), actor=PERSONS, broken=st.booleans())
    def draft(self, owner: str, version: str, content: str, actor: PolicyActor, broken: bool) -> None:
        bundle = a_bundle(version, content, broken=broken and content == "b")
        kept = self.content.setdefault((owner, version), bundle)
        outcome = self.code_of(self.life.draft_bundle(owner, bundle, actor))
        assert outcome == (None if kept == bundle else "CONFLICT")
        if (owner, version) not in self.review:
            self.review[owner, version], self.author[owner, version] = "draft", actor.name
            self.steps += 1

    @rule(owner=OWNERS, version=VERSIONS)
    def prepare(self, owner: str, version: str) -> None:
        """What single rules seldom happen to do in this order: a version that can be activated."""
        self.draft(owner, version, "a", ANNA, broken=False)
        self.validate(owner, version)
        self.approve(owner, version, BEN, alone=False)

    @rule(owner=OWNERS, version=VERSIONS)
    def validate(self, owner: str, version: str) -> None:
        at = owner, version
        expected = self.expected(at, "draft", "validated")
        assert self.code(self.life.validate(owner, "p", version, ANNA)) == expected
        if expected is None:
            self.review[at] = "draft" if self.content[at].data.get("broken") else "validated"

    @rule(owner=OWNERS, version=VERSIONS, actor=PERSONS, alone=st.booleans(), author=st.none() | PERSONS)
    def approve(
        self, owner: str, version: str, actor: PolicyActor, alone: bool, author: PolicyActor | None = None
    ) -> None:
        if author is not None:
            self.draft(owner, version, "a", author, broken=False)
            self.validate(owner, version)
        at = owner, version
        expected = self.expected(at, "validated")
        if expected is None and actor.name.lower() == self.author[at].lower():
            expected = "FOUR_EYES"
        approval = PolicyApproval(single_operator=alone)
        assert self.code(self.life.approve(owner, "p", version, approval, actor)) == expected
        if expected is None:
            self.review[at] = "approved"

    @rule(owner=OWNERS, version=VERSIONS, withdraws=st.booleans())
    def refuse(self, owner: str, version: str, withdraws: bool) -> None:
        at, refusal = (owner, version), PolicyRefusal(reason="no")
        expected = self.expected(at, "draft", "validated", *(["approved"] if withdraws else []))
        doing = self.life.withdraw if withdraws else self.life.reject
        assert self.code(doing(owner, "p", version, refusal, BEN)) == expected
        if expected is None:
            self.review[at] = "withdrawn" if withdraws else "rejected"

    @rule(owner=OWNERS, version=VERSIONS, scope=SCOPES, percent=st.sampled_from([10, 25, 100]), first=st.booleans())
    def activate(self, owner: str, version: str, scope: PolicyScope, percent: int, first: bool) -> None:
        if first:
            self.prepare(owner, version)
        at = owner, version
        expected = self.expected(at, "approved", "active", "retired")
        if owner == EVERYONE and scope.key is not None and expected != "NOT_FOUND":
            expected = "INVALID_REQUEST"
        stack = self.stacks.setdefault((owner, scope), [])
        is_there = bool(stack) and stack[-1] == (version, percent)
        asked = PolicyActivationRequest(scope=scope, percent=percent)
        assert self.code_and_stacks(owner, self.life.activate(owner, "p", version, asked, BEN)) == expected
        if expected is None and not is_there:
            stack.append((version, percent))
            self.review[at] = "once active"
            self.steps += 1
        self.compare()

    @rule(owner=OWNERS, scope=SCOPES)
    def deactivate(self, owner: str, scope: PolicyScope) -> None:
        stack = self.stacks.get((owner, scope), [])
        expected = self.without_top(owner, scope, bool(stack) and stack[-1][0] is not None)
        doing = self.life.deactivate(owner, "p", PolicyScopeRequest(scope=scope), BEN)
        assert self.code_and_stacks(owner, doing) == expected
        if expected is None:
            stack.append((None, 100))
            self.steps += 1
        self.compare()

    @rule(owner=OWNERS, scope=SCOPES)
    def roll_back(self, owner: str, scope: PolicyScope) -> None:
        self.roll_back_once(owner, scope)

    @precondition(lambda self: any(self.stacks.values()))
    @rule(data=st.data(), times=st.integers(1, 3), empties=st.booleans())
    def change_what_is_in_force(self, data: st.DataObject, times: int, empties: bool) -> None:
        """Single rules seldom hit upon a scope that has something to take back."""
        owner, scope = data.draw(st.sampled_from([at for at, stack in self.stacks.items() if stack]))
        if empties:
            self.deactivate(owner, scope)
        for _ in range(times):
            self.roll_back_once(owner, scope)

    def roll_back_once(self, owner: str, scope: PolicyScope) -> None:
        stack = self.stacks.get((owner, scope), [])
        expected = self.without_top(owner, scope, bool(stack))
        doing = self.life.rollback(owner, "p", PolicyScopeRequest(scope=scope), BEN)
        assert self.code_and_stacks(owner, doing) == expected
        if expected is None:
            stack.pop()
            self.steps += 1
        self.compare()

    def without_top(self, owner: str, scope: PolicyScope, has_top: bool) -> str | None:
        if owner == EVERYONE and scope.key is not None:
            return "INVALID_REQUEST"
        if not any(of == owner for of, _ in self.content):
            return "NOT_FOUND"
        return None if has_top else "POLICY_STATE"

    @rule()
    def what_is_told_is_what_happened(self) -> None:
        """States, contents and authors are the model's, and every step is in a history once."""
        owners = {of for of, _ in self.content}
        for owner in owners:
            for one in self.do(self.life.versions(owner, "p")).items:
                at = owner, one.version
                model = (self.state(at), self.content[at].digest, self.author[at])
                assert (one.state.value, one.digest, one.author) == model
        logs = [self.do(self.life.history(owner, "p", limit=1000)).items for owner in owners]
        assert sum(map(len, logs)) == self.steps
        for told in logs:
            assert [one.number for one in told] == list(range(len(told), 0, -1))

    def teardown(self) -> None:
        """Compare at the end of every sequence, and close the database."""
        try:
            self.what_is_told_is_what_happened()
        finally:
            super().teardown()


def met(stack: list[tuple[str | None, int]]) -> list[tuple[str | None, int]]:
    """What some traffic meets, topmost first: shares grow strictly, up to 100 %."""
    found: list[tuple[str | None, int]] = []
    for version, percent in reversed(stack):
        if percent > (found[-1][1] if found else 0):
            found.append((version, percent))
    return found


def test_any_sequence_of_steps_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(LifeMachine, place, loop_thread, max_examples=30, stateful_step_count=25)
