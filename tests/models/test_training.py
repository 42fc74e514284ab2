"""Real training with torch and peft: the same numbers however often it is killed, and nothing half-written."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.training.checkpoints import CheckpointFolder
from llama_mapper.adapters.mapping.training.durable_files import verified_folder
from llama_mapper.adapters.mapping.training.registry_registration import RegistryRegistration
from llama_mapper.adapters.mapping.training.trainer_events import TrainerEvent
from llama_mapper.domain.contracts.models import ModelStage
from llama_mapper.domain.contracts.training import TrainingProgress
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.training.dataset import Recipe
from llama_mapper.domain.mapping.training.ports import TrainedModel, TrainingStoppedError
from llama_mapper.domain.mapping.training.spec import TrainingTask
from llama_mapper.entrypoints.containers.models import open_models
from llama_mapper.entrypoints.containers.training import data_set_of
from llama_mapper.entrypoints.settings import Settings
from tests.models.training_runs import (
    Events,
    an_order,
    losses,
    only,
    prepared,
    small_data,
    trained,
    training_in,
)
from tests.support.models import environment_of_models, run_program
from tests.support.servers import ROOT

TOLERANCE = 1e-5


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Trainers inherit the environment; more threads are slower on a busy machine."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
async def uninterrupted(models_python: Path, tiny_llama: Path, place: Path) -> tuple[Path, Events]:
    """A run from its first step to its end."""
    folder = prepared(place / "uninterrupted", an_order(tiny_llama))
    events, status = await trained(models_python, folder)
    assert status == 0, (folder / "trainer.log").read_text()[-3000:]
    return folder, events


@pytest.fixture(scope="module")
async def killed(models_python: Path, tiny_llama: Path, place: Path) -> Path:
    """The same run, killed while it did its eighth step: its last checkpoint is of the sixth."""
    folder = prepared(place / "killed", an_order(tiny_llama))
    events, status = await trained(
        models_python, folder, kill_after=lambda event, facts: event is TrainerEvent.STEP and facts["step"] == 7
    )
    assert status == -signal.SIGKILL
    assert not only(events, TrainerEvent.DONE)
    checkpoints = CheckpointFolder(folder / "checkpoints")
    for late in [step for step in checkpoints.steps() if step > 6]:  # the kill may have come a step late
        shutil.rmtree(checkpoints.path_of(late))
    assert checkpoints.steps()[-2:] == [4, 6]
    return folder


def copied(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(folder, folder.with_name(name)))


def same(first: list[tuple[str, int, float]], second: list[tuple[str, int, float]]) -> None:
    assert [row[:2] for row in first] == [row[:2] for row in second]
    for one, other in zip(first, second, strict=True):
        assert one[2] == pytest.approx(other[2], abs=TOLERANCE), one


def test_a_run_learns_evaluates_and_leaves_the_newest_and_the_best_checkpoint(
    uninterrupted: tuple[Path, Events],
) -> None:
    folder, events = uninterrupted
    [ready] = only(events, TrainerEvent.READY)
    assert (ready["step"], ready["left_out"]) == (0, 0)
    assert 0 < ready["trainable"] < 0.5 * ready["parameters"]
    steps = only(events, TrainerEvent.STEP)
    assert [step["step"] for step in steps] == list(range(1, 13))
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert all(step["tokens_per_s"] > 0 and step["memory_bytes"] > 0 for step in steps)
    assert max(step["learning_rate"] for step in steps) <= 0.01
    [done] = only(events, TrainerEvent.DONE)
    kept = CheckpointFolder(folder / "checkpoints").steps()
    assert kept == sorted({8, 9, 12, done["best_step"]})
    evaluation = json.loads((folder / "evaluation.json").read_bytes())
    for who in ("adapter", "base"):
        assert 0.0 <= evaluation[who]["level3_accuracy"] <= evaluation[who]["level2_accuracy"] <= 1.0
        assert evaluation[who]["examples"] == 6.0
    assert verified_folder(folder / "adapter")["step"] == done["best_step"]
    rows = losses(folder)
    assert [step for kind, step, _ in rows if kind == "validation"] == [4, 8, 12]


async def test_a_killed_run_does_the_same_steps_with_the_same_numbers(
    models_python: Path, uninterrupted: tuple[Path, Events], killed: Path
) -> None:
    folder = copied(killed, "gone_on")
    events, status = await trained(models_python, folder)
    assert status == 0
    assert only(events, TrainerEvent.READY)[0]["step"] == 6
    assert [step["step"] for step in only(events, TrainerEvent.STEP)] == list(range(7, 13))
    same(losses(folder), losses(uninterrupted[0]))
    first, second = (json.loads((path / "evaluation.json").read_bytes()) for path in (folder, uninterrupted[0]))
    assert first["adapter"] == second["adapter"]
    assert first["step"] == second["step"]


async def test_a_broken_checkpoint_is_named_and_the_one_before_is_gone_on_from(
    models_python: Path, uninterrupted: tuple[Path, Events], killed: Path
) -> None:
    folder = copied(killed, "broken")
    newest = folder / "checkpoints" / "step-00000006" / "trainer_state.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    (folder / "checkpoints" / ".tmp-step-00000009").mkdir()
    events, status = await trained(models_python, folder)
    assert status == 0
    assert {ignored["name"] for ignored in only(events, TrainerEvent.IGNORED)} == {"step-00000006", "step-00000009"}
    assert only(events, TrainerEvent.READY)[0]["step"] == 4
    same(losses(folder), losses(uninterrupted[0]))


async def test_a_full_disk_ends_the_run_clearly_and_leaves_the_last_checkpoint(
    models_python: Path, killed: Path, place: Path
) -> None:
    folder = copied(killed, "full")
    size = (folder / "checkpoints" / "step-00000006" / "trainer_state.pt").stat().st_size
    limited = place / "limited-python"
    limited.write_text(
        f"#!{sys.executable}\nimport os, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 2}, {size // 2}))\n"
        f"os.execv({str(models_python)!r}, [{str(models_python)!r}, *sys.argv[1:]])\n"
    )
    limited.chmod(0o755)
    with pytest.raises(ServiceError) as caught:
        await training_in(folder, limited).carry_out(an_order(Path("unused")), lambda _: None, asyncio.Event())
    assert caught.value.error_code is ErrorCode.TRAINING_FAILED
    assert caught.value.message.startswith("disk_full: no room to write step-")
    assert caught.value.retryable
    found, ignored = CheckpointFolder(folder / "checkpoints").newest()
    assert found is not None
    assert (found.step, ignored) == (6, [])


async def test_a_cancelled_run_is_killed_at_once_and_can_be_gone_on_with(
    models_python: Path, uninterrupted: tuple[Path, Events], killed: Path, place: Path
) -> None:
    folder = copied(killed, "cancelled")
    order = an_order(Path("what the folder says decides"))
    training = training_in(folder, models_python)
    begun = asyncio.Event()
    shown: list[TrainingProgress] = []

    def tell(progress: TrainingProgress) -> None:
        shown.append(progress)
        if progress.step >= 8:
            begun.set()

    run = asyncio.create_task(training.carry_out(order, tell, asyncio.Event()))
    async with asyncio.timeout(120):
        await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not trainers_of(folder)

    stop = asyncio.Event()
    stop.set()
    with pytest.raises(TrainingStoppedError):
        await training.carry_out(order, lambda _: None, stop)

    trained = await training.carry_out(order, tell, asyncio.Event())
    same(losses(folder), losses(uninterrupted[0]))
    assert trained.metrics["level2_accuracy"] >= trained.metrics["level3_accuracy"] >= 0.0
    assert "base_level2_accuracy" in trained.metrics
    assert sorted(path.name for path in trained.folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "card.json", "manifest.json", "metrics.json",
    ]  # fmt: skip
    assert verified_folder(trained.folder)["data_digest"] == trained.data_digest == small_data().digest
    assert b"<svg" in (folder / "loss.svg").read_bytes()
    assert "evaluating" in {progress.stage for progress in shown}
    await registered_once(trained, place)


async def registered_once(trained: TrainedModel, place: Path) -> None:
    async with open_models(Settings.load(data_dir=place / "data")) as models:
        registration = RegistryRegistration(models.publisher)
        (reference,) = {await registration.register(trained) for _ in range(2)}
        name, version = reference.split("@")
        kept = await models.registry.show("acme", name, version)
        assert (name, kept.manifest.code_digest, kept.stage) == ("mapper", trained.spec_digest, ModelStage.CANDIDATE)
        assert (await models.registry.verify("acme", name, version)).sound
        weights = trained.folder / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1])
        with pytest.raises(ServiceError) as caught:
            await registration.register(trained)
        assert caught.value.error_code is ErrorCode.STORE_UNAVAILABLE


_PARENT = """
import asyncio, sys
from pathlib import Path
from llama_mapper.adapters.mapping.training.trainer_process import running_trainer
async def run():
    async with running_trainer(Path(sys.argv[1]), Path(sys.argv[2])) as trainer:
        async for event, facts in trainer.events():
            print(trainer.pid, event.value, flush=True)
asyncio.run(run())
"""


async def test_a_trainer_dies_with_its_parent_and_no_two_work_in_one_folder(models_python: Path, killed: Path) -> None:
    folder = copied(killed, "orphaned")
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, models_python, folder],
        stdout=subprocess.PIPE,
        env=environment_of_models(),
        cwd=ROOT,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline().split()[0])
    try:
        events, status = await trained(models_python, folder)
        assert status == 1
        assert [facts["code"] for facts in only(events, TrainerEvent.ERROR)] == ["run_locked"]
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    until = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < until, "the trainer outlived its parent"
        await asyncio.sleep(0.05)


async def test_training_ends_early_and_the_analysts_adapter_is_trained_the_same_way(
    models_python: Path, tiny_phi3: Path, place: Path
) -> None:
    small = {"batch_size": 2, "accumulation": 1, "validation_limit": 2, "test_limit": 1}
    changes = {"patience": 1, "minimum_gain": 1e6, "evaluate_every": 2}
    order = replace(an_order(tiny_phi3, TrainingTask.ANALYST, **small, **changes), recipe=Recipe(examples=60))
    folder = place / "analyst"
    training = training_in(folder, models_python, data_set_of)
    trained = await training.carry_out(order, lambda _: None, asyncio.Event())
    assert trained.task is TrainingTask.ANALYST
    assert trained.steps == 2, "the best, since nothing gained enough after it"
    assert [step for kind, step, _ in losses(folder) if kind == "train"] == [1, 2, 3, 4]
    assert 0.0 <= trained.metrics["valid_json"] <= 1.0
    assert json.loads((trained.folder / "adapter_config.json").read_bytes())["target_modules"] == ["o_proj", "qkv_proj"]


async def test_another_runs_checkpoints_are_refused(models_python: Path, killed: Path) -> None:
    folder = copied(killed, "foreign")
    described = json.loads((folder / "job.json").read_text())
    described["hyperparameters"]["learning_rate"] = 0.5
    (folder / "job.json").write_text(json.dumps(described))
    with pytest.raises(ServiceError, match="belong to another base model"):
        await training_in(folder, models_python).carry_out(an_order(Path("x")), lambda _: None, asyncio.Event())


_ENCODED = """
import json, sys
from transformers import AutoTokenizer
from llama_mapper.adapters.mapping.training.lora_examples import *
for folder in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    long = ChatExample("Choose.", "A or B?", '"B"', {})
    short = ChatExample("Choose.", "A?", '"A"', {})
    examples = [encode(tokenizer, each) for each in (long, short)]
    ids, mask, labels = batch_of(examples, padding_of(tokenizer))
    served = tokenizer.apply_chat_template(
        [{"role": "system", "content": "Choose."}, {"role": "user", "content": "A or B?"}],
        add_generation_prompt=True, tokenize=False)
    learnt = [[token for token in row if token != IGNORED] for row in labels.tolist()]
    print(json.dumps({
        "same_prompt": tokenizer(served, add_special_tokens=False)["input_ids"] == list(examples[0].prompt),
        "learnt": [tokenizer.decode(row) for row in learnt],
        "masked": [int(row.sum()) == len(each) for row, each in zip(mask, examples)],
        "aligned": bool(((labels == IGNORED) | (labels == ids)).all()),
    }))
"""


def test_the_loss_is_on_the_answer_alone_and_the_prompt_is_servings(
    models_python: Path, tiny_llama: Path, tiny_phi3: Path, smollm2: Path
) -> None:
    out = run_program(models_python, "-c", _ENCODED, tiny_llama, tiny_phi3, smollm2)
    found = [json.loads(line) for line in out.splitlines()]
    for each, end in zip(found, ("<|eot_id|>", "<|end|>", "<|im_end|>"), strict=True):
        assert each["same_prompt"]
        assert each["learnt"] == [f'"B"{end}', f'"A"{end}']
        assert each["masked"] == [True, True]
        assert each["aligned"]


_LOADED = """
import sys
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
base, adapter = sys.argv[1:]
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
saved, loaded = load_file(adapter + "/adapter_model.safetensors"), get_peft_model_state_dict(model)
assert saved.keys() == loaded.keys() and all(saved[name].equal(loaded[name]) for name in saved)
assert any(saved[name].abs().max() > 0 for name in saved if "lora_B" in name), "it learnt nothing"
print("ok")
"""


def test_the_finished_adapter_is_one_that_peft_loads(
    models_python: Path, tiny_llama: Path, uninterrupted: tuple[Path, Events]
) -> None:
    assert run_program(models_python, "-c", _LOADED, tiny_llama, uninterrupted[0] / "adapter").strip() == "ok"


async def test_smollm2_learns_the_small_task_in_a_few_steps(
    models_python: Path, smollm2_gguf: Path, place: Path
) -> None:
    small = {"steps": 5, "batch_size": 2, "accumulation": 1, "validation_limit": 2, "test_limit": 2}
    once = {"evaluate_every": 5, "save_every": 5}
    order = an_order(smollm2_gguf, TrainingTask.MAPPER, **small, **once, learning_rate=3e-3, dropout=0.0)
    folder = place / "smollm2"
    trained = await training_in(folder, models_python).carry_out(order, lambda _: None, asyncio.Event())
    learnt = [loss for kind, _, loss in losses(folder) if kind == "train"]
    assert min(learnt[1:]) < 0.8 * learnt[0]
    assert trained.metrics["examples"] == 2.0
    assert (trained.folder / "adapter_model.safetensors").stat().st_size < 10_000_000


def trainers_of(folder: Path) -> list[int]:
    """Processes whose command names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
