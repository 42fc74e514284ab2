"""Runs of training that tests make: small data, a folder each, and what is in it afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.training.lora_training import LoraTraining
from llama_mapper.adapters.mapping.training.run_folder import RunFolder
from llama_mapper.adapters.mapping.training.trainer_events import TrainerEvent
from llama_mapper.adapters.mapping.training.trainer_process import running_trainer
from llama_mapper.domain.mapping.training.dataset import DataSet, Recipe, Source, Split, TrainingExample, rows_digest
from llama_mapper.domain.mapping.training.ports import TrainingKey, TrainingOrder
from llama_mapper.domain.mapping.training.spec import Hyperparameters, TrainingTask

KEY = TrainingKey("acme", "train_1")
CHOICES = {'"A"': "pii.names.first", '"B"': "pii.numbers.card", '"C"': None}
WORDS = {'"A"': ("name", "person", "surname"), '"B"': ("card", "number", "digits"), '"C"': ("thing", "other", "stuff")}

Events = list[tuple[TrainerEvent, Mapping[str, Any]]]


def small_data() -> DataSet:
    """Sixty short questions with three answers."""
    examples = []
    for number in range(60):
        answer = tuple(CHOICES)[number % 3]
        word = WORDS[answer][number // 3 % 3]
        split = Split.TRAIN if number < 42 else Split.VALIDATION if number < 51 else Split.TEST
        examples.append(
            TrainingExample(
                split=split,
                source=Source.VOCABULARY,
                vendor=f"v-{split.value}",
                subject=CHOICES[answer] or "none",
                form=f"{word}{number}",
                system="Choose.",
                user=f"A. name\nB. card\nC. none\n{word}_{number}",
                answer=answer,
                choices=CHOICES,
            )
        )
    card = {
        "task": "mapper", "digest": rows_digest(tuple(examples)), "code_version": "0", "seed": 0, "rights": "ours",
        "splits": {}, "sources": {}, "answers": {"none_of_these": 0, "meaningless": 0}, "left_out": 0, "versions": {},
        "digests": {}, "template_version": "0", "vendors": {}, "categories": {},
    }  # fmt: skip
    return DataSet(tuple(examples), card)


def an_order(base_model: Path, task: TrainingTask = TrainingTask.MAPPER, **changes: Any) -> TrainingOrder:
    """Twelve steps with dropout, checkpoints every third and evaluations every fourth; a step takes a while."""
    figures: dict[str, Any] = {
        "steps": 12,
        "batch_size": 8,
        "accumulation": 6,
        "learning_rate": 0.01,
        "dropout": 0.2,
        "evaluate_every": 4,
        "save_every": 3,
        "keep_checkpoints": 3,
        "patience": 0,
        "test_limit": 6,
        "max_tokens": 1024,
        **changes,
    }
    return TrainingOrder(
        key=KEY, task=task, base_model=base_model, hyperparameters=Hyperparameters(**figures), recipe=Recipe()
    )


def training_in(
    folder: Path, python: Path, build: Callable[[TrainingOrder], DataSet] = lambda _: small_data()
) -> LoraTraining:
    """What carries out one run in `folder`."""
    return LoraTraining(lambda _: folder, python, build)


def prepared(folder: Path, order: TrainingOrder) -> Path:
    """A folder with data and description, where nothing was trained yet."""
    RunFolder(folder).prepare(order.task, order.base_model, order.hyperparameters, small_data)
    return folder


async def trained(
    python: Path, folder: Path, *, kill_after: Callable[[TrainerEvent, Mapping[str, Any]], bool] | None = None
) -> tuple[Events, int]:
    """Everything that a trainer tells in `folder`, and its exit status; it is killed after the event that says so."""
    events: Events = []
    async with asyncio.timeout(300), running_trainer(python, folder) as trainer:
        async for event, facts in trainer.events():
            events.append((event, facts))
            if kill_after is not None and kill_after(event, facts):
                os.kill(trainer.pid, signal.SIGKILL)
        return events, await trainer.wait()


def losses(folder: Path) -> list[tuple[str, int, float]]:
    """What the metrics file has: kind, step and loss, in order."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        ("train", row["step"], row["loss"]) if "loss" in row else ("validation", row["step"], row["validation_loss"])
        for row in rows
    ]


def only(events: Events, kind: TrainerEvent) -> list[Mapping[str, Any]]:
    """The facts of one kind of event, in order."""
    return [facts for event, facts in events if event is kind]
