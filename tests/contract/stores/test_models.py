"""`ModelRecords`, and the registry of models on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from sqlalchemy import text

from llama_mapper.adapters.mapping.sql_models import SqlModels
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects
from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import (
    ModelArtifact,
    ModelCompatibility,
    ModelDeprecation,
    ModelDoor,
    ModelKind,
    ModelManifest,
    ModelPromotion,
    ModelRemark,
    ModelStage,
    ModelStep,
    ModelVersion,
    RetentionRequest,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.events import Event, StoredModel, StoredVersion
from llama_mapper.domain.mapping.models.ports import ModelRecords
from llama_mapper.domain.mapping.models.states import TRANSITIONS
from tests.support.loops import LoopThread
from tests.support.registered_models import ANNA, HERE, NOON, Shop
from tests.support.store_machines import MOMENTS, TENANTS, TEXTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
STAGING, PRODUCTION = ModelPromotion(stage=ModelStage.STAGING), ModelPromotion(stage=ModelStage.PRODUCTION)
NAME = "llama3_mapper"


def a_version(version: str = "1.0.0", **changes: Any) -> StoredVersion:
    manifest = ModelManifest(
        name=NAME,
        version=version,
        kind=ModelKind.MAPPER,
        base_model="tiny",
        artifacts=(ModelArtifact(path="a", sha256="0" * 64, size=0),),
        **changes,
    )
    return StoredVersion(manifest, "sha256:" + "0" * 64, b'{"payload":"\\u00e4"}')


def an_event(number: int = 1, version: str = "1.0.0", **changes: Any) -> Event:
    told: dict[str, Any] = {
        "step": ModelStep.REGISTERED,
        "stage": ModelStage.CANDIDATE,
        "who": "anna",
        "door": ModelDoor.HTTP,
        "keyless": False,
        "at": NOON,
    }
    return Event(number, version=version, **(told | changes))


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("mapping")


@pytest.fixture
async def records(database: Database) -> ModelRecords:
    return SqlModels(database)


@pytest.fixture
def shop(records: ModelRecords, tmp_path: Path) -> Shop:
    return Shop(records, FolderObjects(tmp_path / "objects"), tmp_path)


async def code_of(awaitable: Awaitable[object]) -> str | None:
    try:
        await awaitable
    except ServiceError as error:
        return error.error_code.value
    return None


async def test_what_was_added_comes_back(records: ModelRecords) -> None:
    full = a_version(
        description="größer",
        data_digest="sha256:" + "a" * 64,
        trained_at=NOON,
        metrics={"a": 0.1, "b": -1e-9},
        compatible=ModelCompatibility(taxonomy=">=1.0.0"),
    )
    events = (
        an_event(1),
        an_event(2, step=ModelStep.DEPRECATED, stage=ModelStage.DEPRECATED, note="x", deprecated_on=NOON, keyless=True),
        an_event(3, version="2.0.0", step=ModelStep.DISCARDED, stage=None),
    )
    assert await records.append("acme", NAME, events[0], full)
    for event in events[1:]:
        assert await records.append("acme", NAME, event)
    assert await records.model("acme", NAME) == StoredModel("acme", NAME, events, (full,))
    assert await records.models("acme") == [StoredModel("acme", NAME, events, (full,))]
    assert await records.mark("acme") == 3
    assert await records.model("globex", NAME) == StoredModel("globex", NAME, (), ())
    assert await records.mark("globex") == 0


async def test_of_concurrent_events_with_one_number_one_is_kept(records: ModelRecords) -> None:
    versions = [a_version(f"{n}.0.0") for n in range(6)]
    outcomes = await asyncio.gather(
        *(records.append("acme", NAME, an_event(1, each.manifest.version), each) for each in versions)
    )
    assert sorted(outcomes) == [False] * 5 + [True]
    model = await records.model("acme", NAME)
    assert model.versions == (versions[outcomes.index(True)],)
    assert len(model.log) == 1


async def test_everyones_models_are_everyones_to_read(records: ModelRecords) -> None:
    await records.append(EVERYONE, NAME, an_event(), a_version())
    assert await records.mark("acme") == await records.mark("globex") == 1
    assert (await records.models("acme")) == []
    assert len(await records.models(EVERYONE)) == 1


async def test_a_version_that_another_software_wrote_hides_no_other(records: ModelRecords, database: Database) -> None:
    await records.append("acme", NAME, an_event(), a_version())
    await records.append("acme", NAME, an_event(2, "2.0.0"), a_version("2.0.0"))
    async with database.writing("acme") as connection:
        unknown = text(
            "INSERT INTO model_versions SELECT tenant_id, name, '3.0.0', 2, digest, :unknown, envelope"
            " FROM model_versions WHERE version = '2.0.0'"
        )
        await connection.execute(unknown, {"unknown": '{"kind": 2}'})
    versions = (await records.model("acme", NAME)).versions
    assert [each.manifest.version for each in versions] == ["1.0.0", "2.0.0"]


@pytest.mark.parametrize("table", ["model_versions", "model_events"])
async def test_the_database_itself_lets_nobody_change_what_was(
    records: ModelRecords, database: Database, table: str
) -> None:
    await records.append("acme", NAME, an_event(), a_version())
    for statement in (f"UPDATE {table} SET name = 'other'", f"DELETE FROM {table}"):
        with pytest.raises(ServiceError):
            async with database.writing("acme") as connection:
                await connection.execute(text(statement))
    assert len((await records.model("acme", NAME)).versions) == 1


class RecordsMachine(StoreMachine):
    context = "mapping"
    owners = TENANTS | st.just(EVERYONE)
    names = st.sampled_from(["a", "B", "a.b_c-d"])

    def __init__(self) -> None:
        super().__init__()
        self.store: ModelRecords = SqlModels(self.database)
        self.model: dict[tuple[str, str], tuple[list[Event], list[StoredVersion]]] = {}

    @rule(
        owner=owners,
        name=names,
        ahead=st.sampled_from([1, 1, 1, 0]),
        step=st.sampled_from([ModelStep.REGISTERED, ModelStep.PROMOTED, ModelStep.PRUNED]),
        stage=st.sampled_from(ModelStage),
        who=TEXTS,
        at=MOMENTS,
    )
    def append(
        self, owner: str, name: str, ahead: int, step: ModelStep, stage: ModelStage, who: str, at: datetime
    ) -> None:
        log, versions = self.model.get((owner, name), ([], []))
        number = max(1, len(log) + ahead)
        free = number == len(log) + 1
        version = f"{number}.0.0" if free else f"{number}.9.9"
        event = an_event(number, version, step=step, stage=stage, who=who, at=at, note=who)
        content = a_version(version) if step is ModelStep.REGISTERED else None
        assert self.do(self.store.append(owner, name, event, content)) is free
        if free:
            log, versions = self.model.setdefault((owner, name), ([], []))
            log.append(event)
            if content is not None:
                versions.append(content)

    @invariant()
    def nothing_is_lost_or_seen_by_others(self) -> None:
        for owner in ("acme", "globex", "a", EVERYONE):
            expected = [
                StoredModel(owner, name, tuple(log), tuple(versions))
                for (whose, name), (log, versions) in sorted(self.model.items())
                if whose == owner
            ]
            assert self.do(self.store.models(owner)) == expected
            both = {owner, EVERYONE}
            assert self.do(self.store.mark(owner)) == sum(
                len(log) for (whose, _), (log, _) in self.model.items() if whose in both
            )


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(RecordsMachine, place, loop_thread, max_examples=6, stateful_step_count=10)


async def test_a_version_goes_from_a_folder_to_production(shop: Shop) -> None:
    made = await shop.published()
    assert (made.version, made.stage, made.created_by) == ("0.1.0", ModelStage.CANDIDATE, "anna")
    assert made.size == sum(artifact.size for artifact in made.manifest.artifacts)
    assert await shop.serving.in_production("acme", ModelKind.MAPPER) == ()
    await shop.registry.promote(EVERYONE, NAME, "0.1.0", STAGING, ANNA)
    assert await shop.serving.in_production("acme", ModelKind.MAPPER) == ()
    info = await shop.registry.promote(EVERYONE, NAME, "0.1.0", PRODUCTION, ANNA)
    assert info.stage is ModelStage.PRODUCTION
    (serving,) = await shop.serving.in_production("acme", ModelKind.MAPPER)
    assert serving.reference == f"{NAME}@0.1.0"
    assert serving.manifest == made.manifest
    history = await shop.registry.history("acme", NAME)
    assert [each.step.value for each in history.items] == ["promoted", "promoted", "registered"]


async def test_the_same_manifest_again_changes_nothing_and_another_is_a_conflict(shop: Shop) -> None:
    made = await shop.published("1.0.0")
    assert await shop.published("1.0.0") == made
    assert await code_of(shop.published("1.0.0", description="other")) == ErrorCode.CONFLICT
    assert len((await shop.registry.history(EVERYONE, NAME)).items) == 1


async def test_what_one_origin_made_is_one_version(shop: Shop) -> None:
    first = await shop.published(origin="job_1")
    assert await shop.published(origin="job_1") == first
    second = await shop.published(origin="job_2", seed=1)
    assert (first.version, second.version) == ("0.1.0", "0.2.0")


async def test_publishers_at_the_same_time_get_numbers_of_their_own(shop: Shop) -> None:
    made = await asyncio.gather(*(shop.published(seed=seed, origin=f"job_{seed}") for seed in range(4)))
    assert sorted(each.version for each in made) == ["0.1.0", "0.2.0", "0.3.0", "0.4.0"]


async def test_nothing_is_registered_that_is_not_there_or_would_not_load(shop: Shop, tmp_path: Path) -> None:
    made = await shop.published("1.0.0")
    missing = made.manifest.model_copy(update={"version": "1.1.0"})
    with pytest.raises(ServiceError, match=r"adapter_config.json was not uploaded") as raised:
        await shop.registry.register(EVERYONE, missing, ANNA)
    assert raised.value.error_code is ErrorCode.MODEL_INVALID
    (tmp_path / "lora-7").mkdir()
    (tmp_path / "lora-7" / "adapter_model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(ServiceError, match="header") as raised:
        await shop.published("2.0.0", seed=7)
    assert raised.value.error_code is ErrorCode.MODEL_INVALID
    assert [each.version for each in (await shop.registry.versions(EVERYONE, NAME)).items] == ["1.0.0"]


async def test_bytes_that_are_not_those_of_the_digest_are_not_kept(shop: Shop) -> None:
    async def content() -> Any:
        yield b"two"

    artifact = ModelArtifact(path="a", sha256="0" * 64, size=3)
    assert await code_of(shop.registry.upload("acme", "m", "1.0.0", artifact, content())) == "ARTIFACT_CORRUPTED"
    assert [each async for each in shop.objects.entries()] == []


async def test_files_of_a_registered_version_never_change(shop: Shop) -> None:
    made = await shop.published("1.0.0")

    async def content() -> Any:
        yield b""

    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    other = ModelArtifact(path="adapter_config.json", sha256=empty, size=0)
    assert await code_of(shop.registry.upload(EVERYONE, NAME, "1.0.0", other, content())) == ErrorCode.MODEL_STATE
    assert (await shop.registry.verify(EVERYONE, NAME, made.version)).sound


@pytest.mark.parametrize(
    "metrics", [{}, {"level2_accuracy": 0.49}, {"level3_accuracy": 0.9}, {"level2_accuracy": -1.0, "x": 9.0}]
)
async def test_nothing_below_the_gate_goes_to_production(shop: Shop, metrics: dict[str, float]) -> None:
    await shop.published("1.0.0", metrics=metrics)
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)
    with pytest.raises(ServiceError, match="level2_accuracy") as raised:
        await shop.registry.promote(EVERYONE, NAME, "1.0.0", PRODUCTION, ANNA)
    assert raised.value.error_code is ErrorCode.MODEL_BELOW_GATE
    assert (await shop.registry.show(EVERYONE, NAME, "1.0.0")).stage is ModelStage.STAGING


async def test_what_does_not_fit_the_catalogue_is_named_and_not_used(shop: Shop, tmp_path: Path) -> None:
    needs = ModelCompatibility(taxonomy=">=2.0.0", crosswalk="9.9.9")
    await shop.published("1.0.0", compatible=needs)
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)
    for attempt in (
        shop.registry.promote(EVERYONE, NAME, "1.0.0", PRODUCTION, ANNA),
        shop.registry.materialise("acme", NAME, "1.0.0", tmp_path / "here"),
        shop.serving.servable("acme", NAME, "1.0.0"),
    ):
        with pytest.raises(
            ServiceError, match=r"taxonomy >=2.0.0, which is 1.1.0 here; it needs crosswalk 9.9.9"
        ) as raised:
            await attempt
        assert raised.value.error_code is ErrorCode.MODEL_INCOMPATIBLE
    (fit,) = (await shop.registry.matrix("acme")).items
    assert not fit.fits
    fits = (await shop.registry.matrix("acme", taxonomy=("1.1.0", "2.3.0"), crosswalk=("9.9.9",))).items
    assert [(each.taxonomy, each.fits) for each in fits] == [("1.1.0", False), ("2.3.0", True)]
    await shop.registry.materialise("acme", NAME, "1.0.0", tmp_path / "here", whatever_fits=True)


async def test_a_model_whose_catalogue_moved_on_is_left_out_and_noted(records: ModelRecords, tmp_path: Path) -> None:
    here = [HERE]
    shop = Shop(records, FolderObjects(tmp_path / "objects"), tmp_path, catalogue=lambda: here[0])
    await shop.published("1.0.0", compatible=ModelCompatibility(taxonomy="<2.0.0"))
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", PRODUCTION, ANNA)
    assert len(await shop.serving.in_production("acme", ModelKind.MAPPER)) == 1
    assert shop.serving.notes() == {}
    here[0] = CatalogueVersions("2.0.0", "1.2.0", "1.1.0")
    assert await shop.serving.in_production("acme", ModelKind.MAPPER) == ()
    assert shop.serving.notes() == {f"model.{NAME}@1.0.0": "it needs taxonomy <2.0.0, which is 2.0.0 here"}


async def test_a_deprecated_model_goes_on_and_warns_before_and_from_its_date(shop: Shop) -> None:
    for version in ("1.0.0", "1.1.0"):
        await shop.published(version)
        await shop.registry.promote(EVERYONE, NAME, version, STAGING, ANNA)
        await shop.registry.promote(EVERYONE, NAME, version, PRODUCTION, ANNA)
    found = await shop.serving.in_production("acme", ModelKind.MAPPER)
    assert [each.manifest.version for each in found] == ["1.1.0", "1.0.0"]
    on = NOON + timedelta(days=60)
    await shop.registry.deprecate(EVERYONE, NAME, "1.1.0", ModelDeprecation(on=on), ANNA)
    assert [each.manifest.version for each in await shop.serving.in_production("acme", ModelKind.MAPPER)] == ["1.0.0"]
    await shop.registry.deprecate(EVERYONE, NAME, "1.0.0", ModelDeprecation(on=on), ANNA)
    (first, _) = await shop.serving.in_production("acme", ModelKind.MAPPER)
    assert first.warning(on - timedelta(days=30, seconds=1)) is None
    assert first.warning(on - timedelta(days=30)) == f"the model {NAME}@1.1.0 will be deprecated on 2026-05-09"
    assert first.warning(on) == f"the model {NAME}@1.1.0 is deprecated since 2026-05-09"
    assert shop.serving.deprecated() == frozenset()
    shop.now = on
    assert len(shop.serving.deprecated()) == 2


async def test_a_tenants_own_model_comes_before_the_installations(shop: Shop) -> None:
    for owner, version in ((EVERYONE, "2.0.0"), ("acme", "1.0.0")):
        await shop.published(version, owner=owner)
        await shop.registry.promote(owner, NAME, version, STAGING, ANNA)
        await shop.registry.promote(owner, NAME, version, PRODUCTION, ANNA)
    of_acme = await shop.serving.in_production("acme", ModelKind.MAPPER)
    of_globex = await shop.serving.in_production("globex", ModelKind.MAPPER)
    assert [each.owner for each in of_acme] == ["acme", EVERYONE]
    assert [each.owner for each in of_globex] == [EVERYONE]
    assert [each.owner.value for each in (await shop.registry.list("acme")).items] == ["tenant"]
    assert await code_of(shop.registry.archive("globex", NAME, "2.0.0", ModelRemark(), ANNA)) == "MODEL_NOT_FOUND"
    assert await code_of(shop.registry.show("globex", NAME, "1.0.0")) == "MODEL_NOT_FOUND"


async def spoil(shop: Shop, version: ModelVersion, path: str) -> None:
    """Change one byte of an artifact in the store."""
    (content,) = (shop.folder / "objects").rglob(f"*/{version.version}/*/{path}/.content-*")
    raw = bytearray(content.read_bytes())
    raw[-1] ^= 1
    content.write_bytes(raw)


async def test_a_changed_artifact_is_found_and_never_goes_to_production(shop: Shop, tmp_path: Path) -> None:
    made = await shop.published("1.0.0")
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)
    await spoil(shop, made, "adapter_model.safetensors")
    check = await shop.registry.verify(EVERYONE, NAME, "1.0.0")
    assert not check.sound
    assert "adapter_model.safetensors" in check.problems[0]
    assert await code_of(shop.registry.promote(EVERYONE, NAME, "1.0.0", PRODUCTION, ANNA)) == "ARTIFACT_CORRUPTED"
    target = tmp_path / "target" / "here"
    assert await code_of(shop.registry.materialise(EVERYONE, NAME, "1.0.0", target)) == "ARTIFACT_CORRUPTED"
    assert list(target.parent.iterdir()) == []
    assert not any((tmp_path / "scratch").iterdir())


async def test_a_missing_artifact_is_found(shop: Shop, tmp_path: Path) -> None:
    await shop.published("1.0.0")
    async for entry in shop.objects.entries():
        await shop.objects.delete(entry.key)
        break
    assert not (await shop.registry.verify(EVERYONE, NAME, "1.0.0")).sound
    assert await code_of(shop.registry.materialise(EVERYONE, NAME, "1.0.0", tmp_path / "x")) == "ARTIFACT_CORRUPTED"


async def test_a_manifest_that_nobody_signed_or_that_was_changed_is_found(shop: Shop, database: Database) -> None:
    await shop.published("1.0.0")
    assert (await shop.registry.verify(EVERYONE, NAME, "1.0.0")).sound
    raw = (await shop.records.model(EVERYONE, NAME)).versions[0]
    better = raw.manifest.model_copy(update={"version": "2.0.0", "metrics": {"level2_accuracy": 1.0}})
    await shop.records.append(EVERYONE, NAME, an_event(2, "2.0.0"), StoredVersion(better, raw.digest, raw.envelope))
    check = await shop.registry.verify(EVERYONE, NAME, "2.0.0")
    assert check.problems[0] == f"the manifest of {NAME} 2.0.0 is not what was signed"
    envelope = json.loads(raw.envelope)
    envelope["signatures"][0]["sig"] = envelope["signatures"][0]["sig"][::-1].lstrip("=") + "=="
    broken = StoredVersion(raw.manifest, raw.digest, json.dumps(envelope).encode())
    with pytest.raises(ServiceError):
        await shop.shelf.require_sound(EVERYONE, broken)
    shop.trusted.clear()
    check = await shop.registry.verify(EVERYONE, NAME, "1.0.0")
    assert "not among the trusted keys" in check.problems[0]
    assert await code_of(shop.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)) == "ARTIFACT_CORRUPTED"


async def test_a_signed_manifest_is_not_another_owners(shop: Shop) -> None:
    await shop.published("1.0.0", owner="acme")
    taken = (await shop.records.model("acme", NAME)).versions[0]
    await shop.records.append(EVERYONE, NAME, an_event(), taken)
    check = await shop.registry.verify("globex", NAME, "1.0.0")
    assert check.problems[0] == f"the manifest of {NAME} 1.0.0 is not what was signed"


async def test_a_version_is_put_into_a_folder_whole_and_once(shop: Shop, tmp_path: Path) -> None:
    made = await shop.published("1.0.0")
    target = tmp_path / "served" / "model"
    done: list[int] = []
    await shop.registry.materialise("acme", NAME, "1.0.0", target, tell=done.append)
    assert done[-1] == made.size
    names = {path.name for path in target.iterdir()}
    assert names == {artifact.path for artifact in made.manifest.artifacts} | {
        "model-manifest.json",
        "model-envelope.json",
    }
    await shop.registry.materialise("acme", NAME, "1.0.0", target)
    (target / "adapter_config.json").write_text("{}")
    assert await code_of(shop.registry.materialise("acme", NAME, "1.0.0", target)) == ErrorCode.CONFLICT
    assert [path.name for path in target.parent.iterdir()] == ["model"]


async def test_retention_tells_first_and_then_removes_and_the_log_stays(shop: Shop) -> None:
    for number in range(4):
        await shop.published(f"1.{number}.0", seed=number)
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)
    await shop.registry.promote(EVERYONE, NAME, "1.0.0", PRODUCTION, ANNA)
    asked = RetentionRequest(keep={ModelStage.CANDIDATE: 1})
    told = await shop.registry.retain(EVERYONE, asked, ANNA)
    assert [each.version for each in told.removed] == ["1.1.0", "1.2.0"]
    assert told.kept == 2
    assert (await shop.registry.verify(EVERYONE, NAME, "1.1.0")).sound
    done = await shop.registry.retain(EVERYONE, asked.model_copy(update={"dry_run": False}), ANNA)
    assert done.removed == told.removed
    assert done.freed == told.freed > 0
    left = {key.split("/")[3] for key in [each.key async for each in shop.objects.entries()]}
    assert left == {"1.0.0", "1.3.0"}
    assert (await shop.registry.show(EVERYONE, NAME, "1.1.0")).pruned
    assert (await shop.registry.verify(EVERYONE, NAME, "1.1.0")).sound is False
    assert await code_of(shop.registry.promote(EVERYONE, NAME, "1.1.0", STAGING, ANNA)) == ErrorCode.MODEL_STATE
    assert (await shop.registry.verify(EVERYONE, NAME, "1.0.0")).sound
    again = await shop.registry.retain(EVERYONE, asked.model_copy(update={"dry_run": False}), ANNA)
    assert again.removed == ()


async def test_what_something_uses_is_never_removed(records: ModelRecords, tmp_path: Path) -> None:
    async def in_use(owner: str) -> list[tuple[str, str]]:
        return [(NAME, "1.0.0")]

    shop = Shop(records, FolderObjects(tmp_path / "objects"), tmp_path, keep=0, in_use=in_use)
    await shop.published("1.0.0")
    await shop.published("1.1.0", seed=1)
    report = await shop.registry.retain(EVERYONE, RetentionRequest(dry_run=False), ANNA)
    assert [each.version for each in report.removed] == ["1.1.0"]
    assert (await shop.registry.verify(EVERYONE, NAME, "1.0.0")).sound


async def test_a_version_that_is_promoted_while_others_are_removed_stays(records: ModelRecords, tmp_path: Path) -> None:
    looks = 0

    async def in_use(owner: str) -> list[tuple[str, str]]:
        nonlocal looks
        looks += 1
        if looks == 2:  # after the first look, by which the version was to go
            await own.registry.promote(EVERYONE, NAME, "1.0.0", STAGING, ANNA)
        return []

    own = Shop(records, FolderObjects(tmp_path / "objects"), tmp_path, in_use=in_use)
    await own.published("1.0.0")
    asked = RetentionRequest(keep={ModelStage.CANDIDATE: 0}, dry_run=False)
    report = await own.registry.retain(EVERYONE, asked, ANNA)
    assert looks == 2
    assert (report.removed, report.kept) == ((), 1)
    assert (await own.registry.verify(EVERYONE, NAME, "1.0.0")).sound


async def test_a_removal_that_was_cut_off_is_finished_by_the_next(shop: Shop) -> None:
    await shop.published("1.0.0")
    await shop.published("1.1.0", seed=1)
    who, door = ANNA.name, ANNA.door
    pruned = Event(3, ModelStep.PRUNED, "1.0.0", ModelStage.ARCHIVED, who, door, False, NOON)
    await shop.records.append(EVERYONE, NAME, pruned)
    report = await shop.registry.retain(EVERYONE, RetentionRequest(dry_run=False), ANNA)
    assert [(each.version, each.stage) for each in report.removed] == [("1.0.0", None)]
    assert {each.key.split("/")[3] async for each in shop.objects.entries()} == {"1.1.0"}


async def test_the_same_registration_asked_for_again_is_the_version_that_is_there(shop: Shop) -> None:
    first = await shop.published()
    assert (await shop.published()).version == first.version
    assert (await shop.published(seed=1)).version != first.version
    assert (await shop.published(metrics={"level2_accuracy": 0.9})).version != first.version


async def test_files_that_nobody_registers_go_after_a_day_and_use_their_number_up(shop: Shop) -> None:
    made = await shop.published("1.0.0")
    for file in made.manifest.artifacts:
        source = shop.folder / "lora-0" / file.path
        await shop.registry.upload(EVERYONE, NAME, "9.0.0", file, source)
    shop.now = datetime.now(NOON.tzinfo)
    asked = RetentionRequest(dry_run=False)
    assert (await shop.registry.retain(EVERYONE, asked, ANNA)).removed == ()
    shop.now += timedelta(days=2)
    report = await shop.registry.retain(EVERYONE, asked, ANNA)
    assert [(each.version, each.stage) for each in report.removed] == [("9.0.0", None)]
    assert await code_of(shop.published("9.0.0")) == ErrorCode.MODEL_STATE
    assert {each.key.split("/")[3] async for each in shop.objects.entries()} == {"1.0.0"}
    assert (await shop.published(seed=77)).version == "9.1.0"


async def test_a_promotion_and_a_removal_at_once_leave_nothing_that_does_not_load(shop: Shop) -> None:
    for number in range(6):
        await shop.published(f"1.{number}.0", seed=number)
    asked = RetentionRequest(keep=dict.fromkeys(ModelStage, 0), dry_run=False)
    await asyncio.gather(
        *(code_of(shop.registry.promote(EVERYONE, NAME, f"1.{n}.0", STAGING, ANNA)) for n in range(6)),
        shop.registry.retain(EVERYONE, asked, ANNA),
    )
    for info in (await shop.registry.versions(EVERYONE, NAME)).items:
        if not info.pruned:
            assert (await shop.registry.verify(EVERYONE, NAME, info.version)).sound


class RegistryMachine(StoreMachine):
    """Versions that are published, moved and removed, beside a model of their stages."""

    context = "mapping"
    numbers = st.integers(0, 4)
    root: Path

    def __init__(self) -> None:
        super().__init__()
        place = self.root / f"{id(self)}"
        self.shop = Shop(SqlModels(self.database), FolderObjects(place / "objects"), place, keep=1)
        self.stages: dict[str, ModelStage] = {}
        self.pruned: set[str] = set()
        self.order: list[str] = []

    @rule(number=numbers, good=st.booleans())
    def publish(self, number: int, good: bool) -> None:
        version = f"1.{number}.0"
        metrics = {"level2_accuracy": 0.9 if good else 0.1}
        if version in self.stages:
            return
        self.do(self.shop.published(version, seed=number, metrics=metrics))
        self.stages[version] = ModelStage.CANDIDATE
        self.order.append(version)
        self.good = {**getattr(self, "good", {}), version: good}

    @rule(number=numbers, stage=st.sampled_from(ModelStage))
    def move(self, number: int, stage: ModelStage) -> None:
        version = f"1.{number}.0"
        registry = self.shop.registry
        match stage:
            case ModelStage.STAGING | ModelStage.PRODUCTION:
                moved = registry.promote(EVERYONE, NAME, version, ModelPromotion(stage=stage), ANNA)
            case ModelStage.DEPRECATED:
                moved = registry.deprecate(EVERYONE, NAME, version, ModelDeprecation(), ANNA)
            case ModelStage.ARCHIVED:
                moved = registry.archive(EVERYONE, NAME, version, ModelRemark(), ANNA)
            case _:
                return
        code = self.code_of(moved)
        before = self.stages.get(version)
        if before is None:
            assert code == "MODEL_NOT_FOUND"
        elif stage not in TRANSITIONS[before] and not (before is stage is ModelStage.DEPRECATED):
            assert code == "MODEL_STATE"
        elif stage is ModelStage.PRODUCTION and not self.good[version]:
            assert code == "MODEL_BELOW_GATE"
        else:
            assert code is None
            self.stages[version] = stage

    @rule()
    def prune(self) -> None:
        report = self.do(self.shop.registry.retain(EVERYONE, RetentionRequest(dry_run=False), ANNA))
        for each in report.removed:
            assert self.stages[each.version] is not ModelStage.PRODUCTION
            self.stages[each.version] = ModelStage.ARCHIVED
            self.pruned.add(each.version)

    @invariant()
    def the_registry_points_at_nothing_that_does_not_load(self) -> None:
        listed = []
        if self.stages:
            listed = list(self.do(self.shop.registry.versions(EVERYONE, NAME)).items)
        assert {each.version: each.stage for each in listed} == self.stages
        assert {each.version for each in listed if each.pruned} == self.pruned
        for each in listed:
            sound = self.do(self.shop.registry.verify(EVERYONE, NAME, each.version)).sound
            assert sound is not each.pruned

    @invariant()
    def what_serves_is_good(self) -> None:
        serving = self.do(self.shop.serving.in_production("acme", ModelKind.MAPPER))
        assert all(self.good[each.manifest.version] for each in serving)
        there = {version for version, stage in self.stages.items() if stage is ModelStage.PRODUCTION}
        if there:
            assert {each.manifest.version for each in serving} == there


def test_whatever_happens_the_registry_points_at_what_loads(
    place: StorePlace, loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine = type("Machine", (RegistryMachine,), {"root": tmp_path_factory.mktemp("registry")})
    run_machine(machine, place, loop_thread, max_examples=5, stateful_step_count=12)
