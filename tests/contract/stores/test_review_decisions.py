"""`ReviewDecisions`: what people said of labels, kept beside the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import text

from llama_mapper.adapters.mapping.sql_catalogue_documents import SqlCatalogueDocuments
from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.mapping import ReviewItem, ReviewStatus
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.contracts.reviews import ReviewAcceptance, ReviewCorrection, ReviewStep
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError, ValidationError
from llama_mapper.domain.mapping.ports import UnknownLabel
from llama_mapper.domain.mapping.reviews.desk import ReviewDesk
from llama_mapper.domain.mapping.reviews.ports import Decided, ReviewDecisions
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANNA = Curator(name="anna", door=Door.HTTP, role="admin", keyless=False)
EMAIL = "pii.personal_identifiers.email"


def decided(
    item: ReviewItem, step: ReviewStep, canonical: str | None = None, *, revision: int | None = None
) -> Decided:
    return Decided(
        review_id=item.id,
        revision=item.revision if revision is None else revision,
        step=step,
        canonical=canonical,
        suggested=None,
        taxonomy_version="1.1.0",
        curator=ANNA,
        at=NOON,
        note="as agreed",
    )


def seen(label: str, *suggestions: tuple[str, float], vendor: str = "v", version: str | None = "1") -> UnknownLabel:
    return UnknownLabel(vendor, version, label, 1, suggestions)


async def item_of(queue: ReviewDecisions, tenant: str, label: str) -> ReviewItem:
    page = await queue.page(tenant, limit=100, cursor=None)
    return next(item for item in page.items if item.label == label)


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("mapping")


@pytest.fixture
async def queue(database: Database) -> ReviewDecisions:
    return SqlReviewQueue(database)


async def test_a_decision_and_its_effect_are_kept_together(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    assert await queue.decide("acme", decided(item, ReviewStep.CORRECTED, EMAIL))
    now = await item_of(queue, "acme", "X")
    assert (now.status, now.canonical, now.revision, now.decided_by, now.decided_at) == (
        ReviewStatus.CORRECTED,
        EMAIL,
        1,
        "anna",
        NOON,
    )
    (decision,) = await queue.decisions("acme", item.id)
    assert (decision.number, decision.step, decision.canonical, decision.who, decision.role, decision.note) == (
        1,
        ReviewStep.CORRECTED,
        EMAIL,
        "anna",
        "admin",
        "as agreed",
    )


async def test_of_many_reviewers_at_once_one_decides(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    outcomes = await asyncio.gather(
        *(queue.decide("acme", decided(item, ReviewStep.CORRECTED, f"d.c{number}")) for number in range(8))
    )
    assert sorted(outcomes) == [False] * 7 + [True]
    assert len(await queue.decisions("acme", item.id)) == 1


async def test_a_reopened_label_waits_as_if_nobody_had_decided(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    await queue.decide("acme", decided(item, ReviewStep.CORRECTED, EMAIL))
    await queue.decide("acme", decided(item, ReviewStep.REOPENED, revision=1))
    now = await item_of(queue, "acme", "X")
    assert (now.status, now.canonical, now.decided_at, now.decided_by) == (ReviewStatus.OPEN, None, None, None)
    assert [each.step for each in await queue.decisions("acme", item.id)] == [
        ReviewStep.CORRECTED,
        ReviewStep.REOPENED,
    ]
    assert await queue.training_labels("acme", after=0, limit=10) == []


async def test_a_decided_label_that_is_seen_again_stays_decided(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    await queue.decide("acme", decided(item, ReviewStep.DISMISSED))
    await queue.add("acme", [seen("X")], NOON + timedelta(hours=1))
    now = await item_of(queue, "acme", "X")
    assert (now.status, now.occurrences) == (ReviewStatus.DISMISSED, 2)


async def test_another_tenant_can_neither_see_nor_decide(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    assert await queue.get("globex", item.id) is None
    assert not await queue.decide("globex", decided(item, ReviewStep.CORRECTED, EMAIL))
    assert await queue.decide("acme", decided(item, ReviewStep.CORRECTED, EMAIL))
    assert await queue.decisions("globex", item.id) == []
    assert await queue.training_labels("globex", after=0, limit=10) == []


async def test_the_newest_suggestions_are_kept_three_at_the_most(queue: ReviewDecisions) -> None:
    many = tuple((f"d.c{number}", 0.5 - number / 10) for number in range(5))
    await queue.add("acme", [seen("X", *many)], NOON)
    assert [each.canonical for each in (await item_of(queue, "acme", "X")).suggestions] == ["d.c0", "d.c1", "d.c2"]
    await queue.add("acme", [seen("X")], NOON)
    assert len((await item_of(queue, "acme", "X")).suggestions) == 3
    await queue.add("acme", [seen("X", ("d.other", 0.25))], NOON)
    (suggestion,) = (await item_of(queue, "acme", "X")).suggestions
    assert (suggestion.canonical, suggestion.confidence) == ("d.other", 0.25)


async def test_pages_are_of_one_status_and_one_vendor_if_that_is_asked(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("A"), seen("B", vendor="w"), seen("C")], NOON)
    await queue.decide("acme", decided(await item_of(queue, "acme", "C"), ReviewStep.DISMISSED))

    async def labels(**filters: object) -> set[str]:
        page = await queue.page("acme", limit=10, cursor=None, **filters)  # type: ignore[arg-type]  # of several types
        return {item.label for item in page.items}

    assert await labels() == {"A", "B", "C"}
    assert await labels(status=ReviewStatus.OPEN) == {"A", "B"}
    assert await labels(vendor="w") == {"B"}
    assert await labels(status=ReviewStatus.DISMISSED, vendor="v") == {"C"}


async def test_training_labels_come_in_the_order_of_decisions_and_name_no_person(queue: ReviewDecisions) -> None:
    await queue.add("acme", [seen("A", ("d.x", 0.5)), seen("B"), seen("C", version=None)], NOON)
    for label, step, canonical in (
        ("C", ReviewStep.CORRECTED, EMAIL),
        ("A", ReviewStep.ACCEPTED, "d.x"),
        ("B", ReviewStep.DISMISSED, None),
    ):
        await queue.decide("acme", decided(await item_of(queue, "acme", label), step, canonical))
    first, *rest = await queue.training_labels("acme", after=0, limit=10)
    assert [(each.label, each.canonical, each.vendor_version) for each in (first, *rest)] == [
        ("C", EMAIL, None),
        ("A", "d.x", "1"),
        ("B", None, "1"),
    ]
    assert await queue.training_labels("acme", after=first.position, limit=1) == rest[:1]
    assert "anna" not in "".join(each.model_dump_json() for each in (first, *rest))


async def test_decisions_can_be_neither_changed_nor_deleted(queue: ReviewDecisions, database: Database) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    await queue.decide("acme", decided(item, ReviewStep.DISMISSED))
    for statement in ("UPDATE review_decisions SET who = 'nobody'", "DELETE FROM review_decisions"):
        with pytest.raises(StoreError):
            async with database.writing("acme") as connection:
                await connection.execute(text(statement))
    assert [each.who for each in await queue.decisions("acme", item.id)] == ["anna"]


@pytest.fixture
def desk(queue: ReviewDecisions) -> ReviewDesk:
    return ReviewDesk(queue, {"d.first", "d.second", EMAIL}, "1.1.0", lambda: NOON)


async def test_accepting_takes_the_first_suggestion_or_the_one_named(desk: ReviewDesk, queue: ReviewDecisions) -> None:
    suggestions = (("d.first", 0.5), ("d.second", 0.25))
    await queue.add("acme", [seen("X", *suggestions), seen("Y", *suggestions)], NOON)
    for label, named, means, confidence in (("X", None, "d.first", 0.5), ("Y", "d.second", "d.second", 0.25)):
        item = await item_of(queue, "acme", label)
        detail = await desk.accept("acme", item.id, ReviewAcceptance(canonical=named), ANNA)
        assert (detail.item.status, detail.item.canonical) == (ReviewStatus.ACCEPTED, means)
        assert [(each.step, each.suggested) for each in detail.decisions] == [(ReviewStep.ACCEPTED, confidence)]


@pytest.mark.parametrize(
    ("suggestions", "named", "why"),
    [
        ((), None, "no suggestion"),
        ((("d.first", 0.5),), "d.second", "not among the suggestions"),
        ((("d.gone", 0.5),), None, "not in the taxonomy"),
    ],
)
async def test_what_cannot_be_accepted_is_refused_and_nothing_decided(
    desk: ReviewDesk, queue: ReviewDecisions, suggestions: tuple[tuple[str, float], ...], named: str | None, why: str
) -> None:
    await queue.add("acme", [seen("X", *suggestions)], NOON)
    item = await item_of(queue, "acme", "X")
    with pytest.raises(ValidationError, match=why):
        await desk.accept("acme", item.id, ReviewAcceptance(canonical=named), ANNA)
    assert (await item_of(queue, "acme", "X")).revision == 0


async def test_a_correction_tells_what_a_suggestion_of_the_same_id_was_worth(
    desk: ReviewDesk, queue: ReviewDecisions
) -> None:
    await queue.add("acme", [seen("X", ("d.first", 0.5), ("d.second", 0.25))], NOON)
    item = await item_of(queue, "acme", "X")
    detail = await desk.correct("acme", item.id, ReviewCorrection(canonical="d.second"), ANNA)
    assert detail.decisions[0].suggested == 0.25


async def test_of_two_reviewers_at_the_desk_the_second_gets_a_conflict(
    desk: ReviewDesk, queue: ReviewDecisions
) -> None:
    await queue.add("acme", [seen("X")], NOON)
    item = await item_of(queue, "acme", "X")
    outcomes = await asyncio.gather(
        *(desk.correct("acme", item.id, ReviewCorrection(canonical=each), ANNA) for each in ("d.first", "d.second")),
        return_exceptions=True,
    )
    (refused,) = [each for each in outcomes if isinstance(each, StoreError)]
    assert refused.error_code is ErrorCode.CONFLICT and not refused.retryable


class DecisionMachine(StoreMachine):
    """Labels are queued and decided; the overlay has exactly what is accepted or corrected."""

    context = "mapping"
    labels = st.sampled_from(["A", "B", "é"])

    def __init__(self) -> None:
        super().__init__()
        self.queue = SqlReviewQueue(self.database)
        self.documents = SqlCatalogueDocuments(self.database)
        self.model: dict[tuple[str, str], tuple[ReviewStatus, str | None, int]] = {}
        self.changes: dict[str, int] = {}

    @rule(tenant=TENANTS, label=labels)
    def see(self, tenant: str, label: str) -> None:
        self.do(self.queue.add(tenant, [seen(label)], NOON))
        self.model.setdefault((tenant, label), (ReviewStatus.OPEN, None, 0))

    @rule(
        tenant=TENANTS,
        label=labels,
        step=st.sampled_from(ReviewStep),
        canonical=st.sampled_from(["d.a", "d.b"]),
        late=st.booleans(),
    )
    def decide(self, tenant: str, label: str, step: ReviewStep, canonical: str, late: bool) -> None:
        known = self.model.get((tenant, label))
        if known is None:
            return
        item = self.do(item_of(self.queue, tenant, label))
        means = canonical if step in (ReviewStep.ACCEPTED, ReviewStep.CORRECTED) else None
        done = self.do(self.queue.decide(tenant, decided(item, step, means, revision=item.revision + late)))
        assert done is not late
        if done:
            status = ReviewStatus.OPEN if step is ReviewStep.REOPENED else ReviewStatus(step.value)
            self.model[tenant, label] = (status, means, known[2] + 1)
            self.changes[tenant] = self.changes.get(tenant, 0) + 1

    @rule(tenant=TENANTS)
    def look(self, tenant: str) -> None:
        page = self.do(self.queue.page(tenant, limit=100, cursor=None))
        assert {item.label: (item.status, item.canonical, item.revision) for item in page.items} == {
            label: state for (owner, label), state in self.model.items() if owner == tenant
        }
        standing = self.do(self.documents.standing(tenant))
        assert {each.key.label: each.canonical for each in standing.reviewed} == {
            label: canonical
            for (owner, label), (_, canonical, _) in self.model.items()
            if owner == tenant and canonical is not None
        }
        # A decision that came too late took a position as little as one that was never made.
        assert standing.mark == (self.changes.get(tenant, 0), 0)


def test_any_sequence_of_decisions_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(DecisionMachine, place, loop_thread, stateful_step_count=20)
