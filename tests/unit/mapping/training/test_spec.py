"""The description of a run."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.training import (
    ReviewedLabel,
    TrainingData,
    TrainingHyperparameters,
    TrainingKind,
    TrainingRequest,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.training.dataset import Recipe
from llama_mapper.domain.mapping.training.orders import order_of
from llama_mapper.domain.mapping.training.ports import TrainingKey
from llama_mapper.domain.mapping.training.spec import Hyperparameters, TrainingSpec, TrainingTask, hyperparameters_from

SPEC = TrainingSpec(task=TrainingTask.MAPPER, base_model="/m", data_digest="sha256:0")
KEY = TrainingKey("acme", "train_1")


def test_a_spec_is_read_as_it_was_written() -> None:
    spec = replace(SPEC, hyperparameters=Hyperparameters(target_modules=("a", "b"), steps=7))
    assert TrainingSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("bad", ["{}", "[]", "3", '{"version": 1}', '{"version": 2, "task": "mapper"}'])
def test_another_text_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="run description"):
        TrainingSpec.from_json(bad)


def test_an_unknown_hyperparameter_is_refused() -> None:
    raw = json.loads(SPEC.to_json())
    raw["hyperparameters"]["momentum"] = 1
    with pytest.raises(ValueError, match="momentum"):
        TrainingSpec.from_json(json.dumps(raw))


@pytest.mark.parametrize("name", [field.name for field in fields(Hyperparameters)])
def test_every_hyperparameter_is_in_the_digest(name: str) -> None:
    values: dict[str, Any] = {"target_modules": ("x",), "precision": "float32", "quantization": "none"}
    changed = values.get(name, 0.01 if isinstance(getattr(SPEC.hyperparameters, name), float) else 77)
    other = replace(SPEC, hyperparameters=hyperparameters_from({name: changed}))
    assert other.digest != SPEC.digest


@given(steps=st.integers(1, 500), warmup=st.floats(0.0, 0.9))
def test_the_rate_rises_then_falls_and_never_leaves_its_range(steps: int, warmup: float) -> None:
    hyper = Hyperparameters(steps=steps, warmup_share=warmup)
    rates = [hyper.learning_rate_at(step) for step in range(1, steps + 1)]
    assert all(0.0 < rate <= hyper.learning_rate for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0},
        {"dropout": 1.0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"patience": -1},
        {"max_tokens": 3},
    ],
)
def test_figures_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are"):
        Hyperparameters(**bad)


def test_the_door_has_the_same_defaults_as_the_trainer() -> None:
    door = TrainingHyperparameters().model_dump()
    assert hyperparameters_from(door) == Hyperparameters()
    assert door.keys() == {field.name for field in fields(Hyperparameters)} - {"target_modules"}
    assert Recipe(**TrainingData().model_dump()) == Recipe()
    assert TrainingData().model_dump().keys() == {field.name for field in fields(Recipe)}
    assert {kind.value for kind in TrainingKind} == {task.value for task in TrainingTask}


def request(**changes: Any) -> TrainingRequest:
    return TrainingRequest(**{"kind": TrainingKind.MAPPER, "base_model": "small", **changes})


def test_an_order_takes_over_what_was_asked() -> None:
    label = ReviewedLabel(vendor="v", label="L", canonical="pii.names")
    asked = request(
        reviewed_labels=(label,), data=TrainingData(seed=3), hyperparameters=TrainingHyperparameters(steps=9)
    )
    order = order_of(KEY, asked, {"small": Path("/m")}, {"pii.names"})
    assert (order.base_model, order.recipe.seed, order.hyperparameters.steps) == (Path("/m"), 3, 9)
    assert [(known.key.label, known.canonical) for known in order.reviewed] == [("L", "pii.names")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request(base_model="other"), "known are small"),
        (request(reviewed_labels=(ReviewedLabel(vendor="v", label="L", canonical="pii.other"),)), "reviewed_labels.0"),
    ],
)
def test_an_order_that_cannot_be_is_refused(asked: TrainingRequest, said: str) -> None:
    with pytest.raises(ServiceError, match=said) as caught:
        order_of(KEY, asked, {"small": Path("/m")}, {"pii.names"})
    assert caught.value.error_code is ErrorCode.INVALID_REQUEST
