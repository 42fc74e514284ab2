"""`ServerSteps` and `ModelUses`, and what retention makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from llama_mapper.adapters.mapping.sql_model_uses import SqlModelUses
from llama_mapper.adapters.mapping.sql_models import SqlModels
from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.adapters.mapping.sql_server_steps import SqlServerSteps
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.model_servers import ServerAction, ServerStepState
from llama_mapper.domain.contracts.models import ModelDeprecation, ModelPromotion, ModelStage, RetentionRequest
from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.generation.server_desk import Step
from llama_mapper.domain.mapping.models.uses import HELD, ModelsInService, ModelWarnings, UsedModels
from llama_mapper.domain.mapping.releases.in_play import versions_in_play
from tests.support.registered_models import ANNA, Shop
from tests.support.releases import ANNA as RELEASER
from tests.support.releases import Process, canary
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NAME = "llama3_mapper"


def step(state: ServerStepState = ServerStepState.BEGUN, of: int = 0, server: str = "gpu") -> Step:
    return Step(server, NAME, ServerAction.LOAD, state, ANNA, NOON, of=of, note="why")


async def test_steps_are_numbered_as_they_come_and_told_newest_first(fresh: Fresh) -> None:
    steps = SqlServerSteps(await fresh("mapping"))
    first = await steps.add(step())
    other = await steps.add(step(server="cpu"))
    second = await steps.add(step(ServerStepState.DONE, of=first))
    assert first < other < second
    told = await steps.newest("gpu", 10)
    assert [(each.number, each.of, each.state.value) for each in told] == [
        (second, first, "done"),
        (first, first, "begun"),
    ]
    assert [each.number for each in await steps.newest("gpu", 1)] == [second]
    assert (told[0].who, told[0].at, told[0].note) == ("anna", NOON, "why")


async def test_steps_that_come_at_once_are_all_kept(fresh: Fresh, place: StorePlace) -> None:
    database = await fresh("mapping")
    second = await place.reopen(database)
    numbers = await asyncio.gather(*(SqlServerSteps(each).add(step()) for each in (database, second) for _ in range(6)))
    await second.close()
    assert sorted(numbers) == list(range(1, 13))


async def test_no_step_is_ever_changed(fresh: Fresh) -> None:
    database = await fresh("mapping")
    await SqlServerSteps(database).add(step())
    for statement in ("UPDATE model_server_steps SET who = 'nobody'", "DELETE FROM model_server_steps"):
        with pytest.raises(StoreError):
            async with database.writing() as connection:
                await connection.execute(text(statement))


async def test_what_processes_say_counts_until_it_is_old(fresh: Fresh) -> None:
    uses = SqlModelUses(await fresh("mapping"))
    await uses.say("one", {(NAME, "1.0.0"), (NAME, "1.1.0")}, NOON)
    await uses.say("two", {(NAME, "1.0.0")}, NOON + timedelta(hours=1))
    await uses.say("one", (), NOON + timedelta(hours=2))
    assert await uses.since(NOON) == [(NAME, "1.0.0"), (NAME, "1.1.0")]
    assert await uses.since(NOON + timedelta(minutes=1)) == [(NAME, "1.0.0")]
    await uses.say("one", {(NAME, "1.1.0")}, NOON + timedelta(hours=3))
    assert await uses.since(NOON + timedelta(hours=2)) == [(NAME, "1.1.0")]
    await uses.forget_before(NOON + timedelta(hours=2))
    assert await uses.since(NOON) == [(NAME, "1.1.0")]


async def keeping_nothing(shop: Shop) -> list[str]:
    """The versions whose files go if no stage keeps any that is not used."""
    asked = RetentionRequest(keep=dict.fromkeys(ModelStage, 0), dry_run=False)
    found = (await shop.registry.retain(EVERYONE, asked, ANNA)).removed
    return [each.version for each in found]


def used_by(database: Database, shop: Callable[[], Shop]) -> UsedModels:
    async def released(kind: VariantKind) -> frozenset[str]:
        return versions_in_play(await SqlReleases(database).standing(), kind)

    return UsedModels(SqlModelUses(database), released, lambda: shop().now)


async def test_retention_spares_what_a_process_answers_with_across_restarts_until_a_week_after(
    fresh: Fresh, place: StorePlace, tmp_path: Path
) -> None:
    database = await fresh("mapping")
    shops: list[Shop] = []
    in_use = used_by(database, lambda: shops[0])
    shops.append(Shop(SqlModels(database), FolderObjects(tmp_path / "objects"), tmp_path, keep=0, in_use=in_use))
    shop = shops[0]
    for version in ("1.0.0", "1.1.0"):
        await shop.published(version)
        await shop.registry.promote(EVERYONE, NAME, version, ModelPromotion(stage=ModelStage.STAGING), ANNA)
    warnings = ModelWarnings()

    async def told() -> str:
        return f"1+{NAME}@1.0.0"

    def a_process() -> ModelsInService:
        sources = {MappingStage.MODEL: told}
        servable = shop.serving.servable
        return ModelsInService("host/8080", sources, SqlModelUses(database), servable, warnings, lambda: shop.now)

    await a_process().look()
    # The process is gone now; another one, which knows only the database, applies the rules.
    again = await place.reopen(database)
    other = Shop(
        SqlModels(again), FolderObjects(tmp_path / "objects"), tmp_path, keep=0, in_use=used_by(again, lambda: shops[0])
    )
    other.trusted |= shop.trusted
    assert await keeping_nothing(other) == ["1.1.0"]
    assert (await other.registry.verify(EVERYONE, NAME, "1.0.0")).sound
    shop.now += HELD - timedelta(seconds=1)
    assert await keeping_nothing(other) == []
    await a_process().look()  # it came back, and said so again
    shop.now += HELD - timedelta(seconds=1)
    assert await keeping_nothing(other) == []
    shop.now += timedelta(seconds=2)
    assert await keeping_nothing(other) == ["1.0.0"]
    await again.close()


async def test_retention_spares_the_arms_of_a_release_and_what_it_left_in_force(fresh: Fresh, tmp_path: Path) -> None:
    database = await fresh("mapping")
    shops: list[Shop] = []
    in_use = used_by(database, lambda: shops[0])
    shops.append(Shop(SqlModels(database), FolderObjects(tmp_path / "objects"), tmp_path, keep=0, in_use=in_use))
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        await shops[0].published(version)
    plan = canary(baseline=f"{NAME}@1.0.0", candidate=f"{NAME}@1.1.0")
    await Process(SqlReleases(database), lambda: shops[0].now).releases.start(plan, RELEASER)
    assert await keeping_nothing(shops[0]) == ["1.2.0"]


async def test_models_that_answer_are_warned_of_before_and_after_their_date(fresh: Fresh, tmp_path: Path) -> None:
    database = await fresh("mapping")
    shop = Shop(SqlModels(database), FolderObjects(tmp_path / "objects"), tmp_path)
    await shop.published("1.0.0")
    for stage in (ModelStage.STAGING, ModelStage.PRODUCTION):
        await shop.registry.promote(EVERYONE, NAME, "1.0.0", ModelPromotion(stage=stage), ANNA)
    on = shop.now + timedelta(days=40)
    await shop.registry.deprecate(EVERYONE, NAME, "1.0.0", ModelDeprecation(on=on), ANNA)
    warnings = ModelWarnings()

    async def told() -> str:
        return f"{NAME}@1.0.0,unknown,1+nobody@1.0.0"

    seen = ModelsInService(
        "p", {MappingStage.MODEL: told}, SqlModelUses(database), shop.serving.servable, warnings, lambda: shop.now
    )
    await seen.look()
    assert (seen.notes(), warnings.of(MappingStage.MODEL), seen.ending()) == ({}, None, frozenset())
    shop.now = on - timedelta(days=29)
    await seen.look()
    said = f"the model {NAME}@1.0.0 will be deprecated on {on.date()}"
    assert seen.notes() == {f"model.{NAME}@1.0.0": said}
    assert (warnings.of(MappingStage.MODEL), warnings.of(MappingStage.EMBEDDING)) == (said, None)
    assert seen.ending() == {f"{NAME}@1.0.0"}
    assert not seen.deprecated()
    shop.now = on
    await seen.look()
    assert not seen.ending()
    assert seen.deprecated() == {f"{NAME}@1.0.0"}
    await database.close()
    await seen.look()
    assert seen.trouble is not None
    assert f"model.{NAME}@1.0.0" in seen.notes()
