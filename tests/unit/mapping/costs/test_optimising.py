"""The optimiser's pipeline: it runs when it is due, tells once, and changes settings only where the tenant says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from llama_mapper.domain.contracts.curation import Curator, DocumentStep
from llama_mapper.domain.contracts.mapping_settings import MappingSettings, OptimisationTerms
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError, ValidationError
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.optimising import ROLE, CostOptimiser
from llama_mapper.domain.mapping.costs.spending import NANO, Amount
from llama_mapper.domain.mapping.costs.uses import Use, UseKind
from llama_mapper.domain.mapping.documents.ports import NewDocument, StoredDocument
from llama_mapper.domain.mapping.settings.desk import MappingSettingsDesk
from tests.unit.mapping.costs.ledgers import Ledger, Sink

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANNA = Curator(name="anna", door=Door.HTTP, role="admin", keyless=False)
EVERY_WEEK = OptimisationTerms(every_days=7, min_labels=100, max_loss=0.05)


class Documents:
    """One tenant's settings in memory."""

    def __init__(self) -> None:
        self.kept: list[StoredDocument] = []

    async def document(self, owner: str, kind: object, name: str, number: int | None = None) -> StoredDocument | None:
        if number is not None:
            return next((each for each in self.kept if each.number == number), None)
        return self.kept[-1] if self.kept else None

    async def newest(self, owner: str, kind: object) -> list[StoredDocument]:
        return self.kept[-1:]

    async def versions(self, owner: str, kind: object, name: str) -> list[StoredDocument]:
        return list(reversed(self.kept))

    async def add(self, owner: str, new: NewDocument) -> StoredDocument:
        if new.number != len(self.kept) + 1:
            raise StoreError("quicker", ErrorCode.CONFLICT)
        fields = {name: getattr(new, name) for name in NewDocument.__slots__ if name != "kind"}
        self.kept.append(StoredDocument(position=new.number, **fields))
        return self.kept[-1]


class World:
    """A tenant, acme, that uses a model; `now` moves."""

    def __init__(self, every_days: int = 7) -> None:
        self.now = NOON
        self.ledger, self.sink, self.documents = Ledger(), Sink(), Documents()
        self.meter = CostMeter(self.ledger, lambda: self.now)
        self.desk = MappingSettingsDesk(self.documents, "1.1.0", lambda: self.now)  # type: ignore[arg-type]  # what it asks for is there
        self.optimiser = CostOptimiser(
            self.ledger, self.meter, self.desk, self.sink, lambda: self.now, every_days=every_days
        )

    async def set(self, terms: OptimisationTerms, **fields: object) -> None:
        settings = MappingSettings.model_validate({"optimisation": terms, **fields})
        await self.desk.put("acme", settings, ANNA, expected=None, note="")

    async def use(self, labels: int = 1_000, early: int = 58) -> None:
        """Map labels of which a tenth goes to the model, whose answers early stages would have given as well."""
        cascade, model = MappingStrategy.CASCADE, MappingStage.MODEL
        asked = labels // 10
        self.meter.use(
            "acme",
            [
                (Use(cascade, UseKind.ANSWERED, MappingStage.CATALOGUE_EXACT, 97), labels - asked),
                (Use(cascade, UseKind.ANSWERED, model, 80), asked),
                (Use(cascade, UseKind.ASKED, model), asked),
                (Use(cascade, UseKind.PASSED_ON, model, early), asked),
            ],
        )
        self.meter.record("acme", "vllm/dear", Amount(calls=asked, labels=asked, nanodollars=asked * NANO // 100))
        await self.meter.flush()


async def test_a_run_keeps_and_announces_what_it_recommends_and_changes_nothing_by_itself() -> None:
    world = World()
    await world.set(EVERY_WEEK)
    await world.use()
    told = await world.optimiser.run("acme")
    assert (told.recommendation.change, told.recommendation.forecast) == (True, "cascade@0.55")
    assert told.recommendation.saving == pytest.approx(1.0)
    assert told.applied_version is None
    assert world.sink.recommended == [told]
    assert (await world.optimiser.recommendations("acme")).items == (told,)
    assert (await world.optimiser.recommendations("other")).items == ()
    assert len(world.documents.kept) == 1
    with pytest.raises(StoreError) as refused:
        await world.optimiser.run("acme")
    assert refused.value.error_code is ErrorCode.CONFLICT


async def test_what_is_applied_is_a_version_of_the_settings_that_can_be_taken_back() -> None:
    world = World()
    await world.set(replace_terms(EVERY_WEEK, apply=True), offline=False)
    await world.use()
    told = await world.optimiser.run("acme")
    assert told.applied_version == 2
    own = await world.desk.get("acme")
    assert own.settings is not None
    assert own.version is not None
    assert (own.settings.min_confidence, own.settings.offline, own.settings.optimisation.apply) == (0.55, False, True)
    assert (own.version.role, own.version.note) == (ROLE, told.recommendation.reason)
    assert (await world.optimiser.recommendations("acme")).items[0].applied_version == 2
    back = await world.desk.rollback("acme", 1, ANNA, expected=2)
    assert back.version is not None
    assert back.version.step is DocumentStep.ROLLED_BACK
    assert back.settings is not None
    assert back.settings.min_confidence is None


async def test_small_losses_are_applied_until_together_they_reach_what_the_tenant_permits() -> None:
    world = World()
    await world.set(replace_terms(EVERY_WEEK, apply=True, window_days=1, max_loss=0.04))
    for expected in (True, False):
        await world.use()
        told = await world.optimiser.run("acme")
        assert told.recommendation.change is expected, told.recommendation.reason
        world.now += timedelta(days=1)
    await world.set(replace_terms(EVERY_WEEK, apply=True, window_days=1, max_loss=0.04), offline=False)
    world.now += timedelta(days=1)
    await world.use()
    assert (await world.optimiser.run("acme")).recommendation.change, "a person decided anew"


async def test_a_tenant_that_maps_is_looked_at_when_it_is_due_and_not_before() -> None:
    world = World(every_days=7)
    await world.set(OptimisationTerms(min_labels=100, max_loss=0.05))
    ran = []
    for day in range(16):
        world.now = NOON + timedelta(days=day)
        await world.use(labels=60)
        ran += [day for _ in range(3) if await world.optimiser.consider("acme") is not None]
    assert ran == [1, 8, 15], "on the first day there are too few labels to judge by"
    assert len(world.sink.recommended) == 3


async def test_the_tenants_interval_stands_over_the_installations_and_none_is_never() -> None:
    daily, never = World(every_days=0), World(every_days=0)
    await daily.set(replace_terms(EVERY_WEEK, every_days=1))
    for world in (daily, never):
        for day in range(3):
            world.now = NOON + timedelta(days=day)
            await world.use()
            await world.optimiser.consider("acme")
    assert (len(daily.sink.recommended), len(never.sink.recommended)) == (3, 0)


async def test_two_processes_tell_it_once() -> None:
    world = World()
    await world.set(EVERY_WEEK)
    await world.use()
    other = CostOptimiser(world.ledger, world.meter, world.desk, world.sink, lambda: NOON, every_days=7)
    found = [await each.consider("acme") for each in (world.optimiser, other)]
    assert [each is None for each in found] == [False, True]
    assert len(world.sink.recommended) == 1


async def test_what_is_not_written_yet_counts_and_other_days_do_not() -> None:
    world = World()
    await world.use()
    world.now += timedelta(days=40)
    world.meter.use("acme", [(Use(MappingStrategy.CASCADE, UseKind.ANSWERED, MappingStage.OVERLAY, 98), 7)])
    today = world.now.date()
    found = await world.optimiser.optimisation("acme", today - timedelta(days=29), today)
    assert (found.labels, found.unknown_labels, found.cost) == (7, 0, 0.0)
    whole = await world.optimiser.optimisation("acme", NOON.date(), today, max_loss=1.0)
    assert (whole.labels, whole.max_loss) == (1_007, 1.0)
    assert whole.cost == pytest.approx(1.0)
    assert [each.stage for each in whole.stages] == ["catalogue_exact", "overlay", "model"]
    with pytest.raises(ValidationError):
        await world.optimiser.optimisation("acme", today, NOON.date())


def replace_terms(terms: OptimisationTerms, **changes: object) -> OptimisationTerms:
    return OptimisationTerms.model_validate({**terms.model_dump(), **changes})
