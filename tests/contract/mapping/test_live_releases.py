"""Releases of models in the running mapping context: two real servers over loopback, one canary between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.mapping.model_folders import files_in
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelMappingResponse, LabelQuery
from llama_mapper.domain.contracts.models import ModelDescription, ModelKind, ModelRemark
from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    EvaluationSummary,
    Release,
    ReleaseActor,
    ReleaseDoor,
    ReleaseGates,
    ReleaseMode,
    ReleaseNote,
    ReleaseState,
    VariantKind,
)
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, MappingError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.entrypoints.containers.mapping import MappingContainer, running_mapping
from llama_mapper.entrypoints.containers.models import ModelsContainer, running_models
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings
from tests.support.detector_servers import DetectorServer, detector_servers
from tests.support.registered_models import ANNA as REGISTRAR
from tests.support.registered_models import lora_folder

OLD, NEW = "mapper@1.0.0", "mapper@1.1.0"
MONEY, HEALTH = "pii.financial_data", "pii.health_records"
GOOD = EvaluationSummary(digest="sha256:" + "a" * 64, figures={"level2_accuracy": 0.8})
ANNA = ReleaseActor(name="anna", door=ReleaseDoor.HTTP)
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[DetectorServer, ...]]:
    """Two servers of chat completions."""
    with detector_servers({}, {}) as both:
        yield both


@pytest.fixture
def models(servers: tuple[DetectorServer, ...]) -> tuple[DetectorServer, ...]:
    """The old model says money, the new one health."""
    for server, canonical in zip(servers, (MONEY, HEALTH), strict=True):
        server.behave("good", reply=json.dumps({"id": canonical}), models=["m"], forget=True)
    return servers


def settings(folder: Path, models: tuple[DetectorServer, ...], **changes: Any) -> Settings:
    entries = [
        {"kind": "vllm", "url": server.url, "model": "m", "release": release}
        for server, release in zip(models, (OLD, NEW), strict=True)
    ]
    told = {"generation": entries, "generation_form": "id", "mapping_stages": (), "release_interval_s": 0.05}
    return Settings.load(data_dir=folder, mapping_stage_timeout_ms=20_000, **told | changes)


@asynccontextmanager
async def mapping_with(configured: Settings) -> AsyncIterator[MappingContainer]:
    async with running_mapping(PlatformContainer(settings=configured)) as mapping:
        yield mapping


async def mapped(mapping: MappingContainer, *labels: str, tenant: str = "acme") -> LabelMappingResponse:
    queries = tuple(LabelQuery(vendor="newcomer", label=label) for label in labels)
    asked = LabelMappingRequest(labels=queries, tenant_id=tenant, min_confidence=0.3)
    return await mapping.service().map_labels(asked)


def meanings(answer: LabelMappingResponse) -> set[str | None]:
    return {each.canonical for each in answer.mappings}


def canary(**changes: Any) -> CanaryStart:
    plan: dict[str, Any] = {
        "kind": VariantKind.MODEL,
        "baseline": OLD,
        "candidate": NEW,
        "evaluation": GOOD,
        "stages": (100.0,),
        "min_requests": 1_000,
        "compare_percent": 0.0,
        "gates": ReleaseGates(latency_ratio=None),
    }
    return CanaryStart(**plan | changes)


async def begun(mapping: MappingContainer, plan: CanaryStart | BlueGreenStart) -> Release:
    made = await mapping.releases().service.start(plan, ANNA)
    await mapping.releases().router.refresh()
    return made


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_the_first_model_answers_until_a_release_gives_the_next_its_part(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    async with mapping_with(settings(tmp_path, models)) as mapping:
        releases = mapping.releases()
        assert meanings(await mapped(mapping, "ONE", "TWO")) == {MONEY}
        assert models[1].counted()["requests"] == 0
        made = await begun(mapping, canary(excluded_tenants=("globex",)))
        answer = await mapped(mapping, "ONE", "TWO")
        assert meanings(answer) == {HEALTH}, "what the old model said of these labels is not taken for the new one's"
        assert meanings(await mapped(mapping, "ONE", "TWO", tenant="globex")) == {MONEY}
        await mapped(mapping, "ONE", "TWO")  # from now on the servers' own versions are known
        again = await mapped(mapping, "ONE", "TWO")
        assert meanings(again) == {HEALTH}
        assert again.token_usage is not None
        assert again.token_usage.prompt_tokens == 0, "the new model's answers are remembered, too"
        await releases.observations.flush()
        candidate = (await releases.service.release(made.id)).arms[1]
        assert (candidate.requests, candidate.labels, candidate.abstained) == (3, 6, 0)
        await releases.service.roll_back(made.id, ReleaseNote(note="no"), ANNA)
        await releases.router.refresh()
        assert meanings(await mapped(mapping, "ONE", "TWO")) == {MONEY}


async def test_a_completed_release_is_in_force_after_a_restart(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    configured = settings(tmp_path, models)
    async with mapping_with(configured) as mapping:
        service = mapping.releases().service
        made = await begun(mapping, canary(min_requests=1, min_seconds=0.0))
        await mapped(mapping, "ONE")
        await mapping.releases().observations.flush()

        async def completed() -> bool:
            return (await service.release(made.id)).state is ReleaseState.COMPLETED

        await until(completed)
    async with mapping_with(configured) as mapping:
        assert meanings(await mapped(mapping, "THREE")) == {HEALTH}
    alone = settings(tmp_path, models).model_copy(update={"generation": configured.generation[:1]})
    async with mapping_with(alone) as mapping:
        assert "mapper@1.1.0 is in force and does not run here" in mapping.releases().notes()["releases.in_force"]
        assert meanings(await mapped(mapping, "FOUR")) == {None}


async def test_a_candidate_that_fails_is_rolled_back_by_itself_and_no_label_loses_its_answer(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    async with mapping_with(settings(tmp_path, models)) as mapping:
        releases = mapping.releases()
        made = await begun(mapping, canary(stages=(50.0, 100.0)))
        models[1].behave("status", status=500)
        for number in range(150):
            assert meanings(await mapped(mapping, f"LABEL_{number}")) == {MONEY}

        async def rolled_back() -> bool:
            await releases.observations.flush()
            return (await releases.service.release(made.id)).state is ReleaseState.ROLLED_BACK

        await until(rolled_back)


async def test_a_blue_green_candidate_is_validated_with_labels_before_the_switch(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    suite = tmp_path / "suite.jsonl"
    labels = ("PATIENT_RECORD", "MEDICAL_DIAGNOSIS", "HEALTH_CONDITION")
    cases = [{"vendor": "newcomer", "label": label, "canonical": HEALTH} for label in labels]
    suite.write_text("".join(json.dumps(case) + "\n" for case in cases))
    async with mapping_with(settings(tmp_path, models, release_suite=suite)) as mapping:
        service, router = mapping.releases().service, mapping.releases().router
        made = await begun(
            mapping,
            BlueGreenStart(
                mode=ReleaseMode.BLUE_GREEN, kind=VariantKind.MODEL, baseline=OLD, candidate=NEW, evaluation=GOOD
            ),
        )
        models[1].behave("good", reply=json.dumps({"id": MONEY}))
        failed = await service.validate(made.id, ANNA)
        assert not failed.report.passed
        with pytest.raises(MappingError):
            await service.switch(made.id, ReleaseNote(), ANNA)
        models[1].behave("good", reply=json.dumps({"id": HEALTH}))
        assert (await service.validate(made.id, ANNA)).report.passed
        await service.switch(made.id, ReleaseNote(), ANNA)
        await router.refresh()
        assert meanings(await mapped(mapping, "ONE")) == {HEALTH}
        await service.switch_back(made.id, ReleaseNote(), ANNA)
        await router.refresh()
        assert meanings(await mapped(mapping, "ONE")) == {MONEY}


async def test_the_form_of_the_prompt_is_released_beside_the_model(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    async with mapping_with(settings(tmp_path, models)) as mapping:
        plan = canary(kind=VariantKind.PROMPT, baseline="id", candidate="option")
        made = await begun(mapping, plan)
        models[0].behave("good", reply='"A"')
        answer = await mapped(mapping, "ONE")
        assert None not in meanings(answer)
        await mapping.releases().observations.flush()
        assert (await mapping.releases().service.release(made.id)).arms[1].labels == 1


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (canary(candidate="mapper@9.9.9"), "no model of the setting `generation` has the release mapper@9.9.9"),
        (canary(baseline="mapper@0.9.0"), "has the release mapper@0.9.0"),
        (canary(baseline=NEW, candidate=OLD), f"the model in force is {OLD}"),
        (canary(kind=VariantKind.PROMPT, baseline="id", candidate="poem"), "no form of the prompt is called poem"),
        (canary(kind=VariantKind.STRATEGY, baseline="cascade", candidate="guess"), "guess is no strategy"),
        (canary(kind=VariantKind.TAXONOMY, baseline="v1", candidate="v2"), "versions of a taxonomy are not released"),
    ],
)
async def test_what_cannot_answer_here_is_not_released(
    models: tuple[DetectorServer, ...], tmp_path: Path, plan: CanaryStart, said: str
) -> None:
    async with mapping_with(settings(tmp_path, models)) as mapping:
        with pytest.raises(MappingError, match=said) as raised:
            await mapping.releases().service.start(plan, ANNA)
        assert raised.value.error_code is ErrorCode.RELEASE_STATE
        assert (await mapping.releases().service.releases()).items == ()


def test_a_release_is_named_by_one_model(models: tuple[DetectorServer, ...], tmp_path: Path) -> None:
    twice = [{"kind": "vllm", "url": server.url, "release": OLD} for server in models]
    with pytest.raises(ConfigurationError, match="release"):
        Settings.load(data_dir=tmp_path, generation=twice)


@asynccontextmanager
async def with_registry(configured: Settings) -> AsyncIterator[tuple[MappingContainer, ModelsContainer]]:
    platform = PlatformContainer(settings=configured)
    async with running_mapping(platform) as mapping, running_models(platform, mapping.database()) as registry:
        yield mapping, registry


async def registered(registry: ModelsContainer, folder: Path, version: str, accuracy: float) -> None:
    files = await files_in(lora_folder(folder / version, seed=len(version)))
    metrics = {"level2_accuracy": accuracy, "Labels/held-out": 100.0}
    described = ModelDescription(
        name="mapper", version=version, kind=ModelKind.MAPPER, base_model="tiny", metrics=metrics
    )
    await registry.publisher().publish(EVERYONE, described, files, REGISTRAR)


async def test_a_registered_model_is_admitted_by_the_registrys_figures(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    async with with_registry(settings(tmp_path / "data", models)) as (mapping, registry):
        service = mapping.releases().service
        await registered(registry, tmp_path, "1.1.0", 0.81)
        with pytest.raises(MappingError, match="is not the registered one") as raised:
            await service.start(canary(evaluation=GOOD), ANNA)
        assert raised.value.error_code is ErrorCode.RELEASE_GATE_FAILED
        made = await service.start(canary(evaluation=None), ANNA)
        assert made.plan.evaluation is not None
        assert made.plan.evaluation.figures == {"level2_accuracy": 0.81}


async def test_a_registered_model_below_the_gate_is_not_released(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    async with with_registry(settings(tmp_path / "data", models)) as (mapping, registry):
        await registered(registry, tmp_path, "1.1.0", 0.3)
        with pytest.raises(MappingError, match=r"below the gate: level2_accuracy must be at least 0\.5 and is 0\.3"):
            await mapping.releases().service.start(canary(evaluation=None), ANNA)


async def test_a_version_that_the_registry_archives_answers_no_more(
    models: tuple[DetectorServer, ...], tmp_path: Path
) -> None:
    async with with_registry(settings(tmp_path / "data", models)) as (mapping, registry):
        await registered(registry, tmp_path, "1.1.0", 0.81)
        await begun(mapping, canary(evaluation=None))
        assert meanings(await mapped(mapping, "ONE")) == {HEALTH}
        note = ModelRemark(note="found wanting")
        await registry.registry().archive(EVERYONE, "mapper", "1.1.0", note, REGISTRAR)
        await mapping.releases().watch.look()
        assert "archived" in mapping.releases().notes()[f"model.{NEW}"]
        assert meanings(await mapped(mapping, "TWO")) == {MONEY}, "the baseline answers in its place"
        with pytest.raises(MappingError, match="archived"):
            await mapping.releases().service.start(canary(evaluation=None), ANNA)
