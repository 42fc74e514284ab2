"""What a trainer is told: the one description of a run that parent and trainer share.

The trainer reads this module in an interpreter that has torch and little else, so that it imports the standard library
alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

SPEC_VERSION = 1


class TrainingTask(StrEnum):
    """What a model is trained for; each has an adapter of its own over its own base model."""

    MAPPER = "mapper"
    """Vendor label → canonical label (`llama3_mapper`)."""
    ANALYST = "analyst"
    """Analysis facts → short structured explanation (`phi3_analyst`)."""


class Precision(StrEnum):
    """Number format of forward and backward passes; the adapter's weights are always 32-bit."""

    AUTO = "auto"
    """bfloat16 on a GPU that has it, else float32."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Quantization(StrEnum):
    """How the frozen base model's weights are held."""

    AUTO = "auto"
    """4-bit where there is a GPU and bitsandbytes, else none."""
    NONE = "none"
    NF4 = "nf4"
    """4-bit NormalFloat with double quantisation (QLoRA, Dettmers et al. 2023); needs a GPU and bitsandbytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """How to train. Steps are optimiser steps, each over `batch_size` times `accumulation` examples."""

    steps: int = 300
    batch_size: int = 4
    accumulation: int = 2
    learning_rate: float = 3e-4
    """At the end of the warm-up; then a half cosine down to 0 at the last step."""
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    target_modules: tuple[str, ...] = ()
    """Names of linear layers to adapt; empty: the attention projections that the architecture has."""
    max_tokens: int = 512
    """Longer examples are left out and counted, never cut."""
    seed: int = 0
    evaluate_every: int = 25
    save_every: int = 25
    keep_checkpoints: int = 2
    """Newest checkpoints that stay, besides the best one."""
    patience: int = 4
    """Evaluations without a lower validation loss after which training ends; 0 never ends it early."""
    minimum_gain: float = 0.0
    """By how much a validation loss must be lower to count as such."""
    validation_limit: int = 64
    """Examples of the validation split that are used, the same ones every time."""
    test_limit: int = 200
    """Examples of the test split that the finished adapter and the base model are asked; 0: none."""
    precision: Precision = Precision.AUTO
    quantization: Quantization = Quantization.AUTO

    def __post_init__(self) -> None:
        counts = (self.steps, self.batch_size, self.accumulation, self.rank, self.alpha, self.keep_checkpoints)
        if min(counts) < 1 or min(self.evaluate_every, self.save_every, self.validation_limit) < 1:
            raise ValueError("counts are 1 or more")
        if self.max_tokens < 16 or min(self.patience, self.test_limit, self.seed) < 0:
            raise ValueError("max_tokens is 16 or more; patience, test_limit and seed are 0 or more")
        if not 0.0 <= self.warmup_share < 1.0 or not 0.0 <= self.dropout < 1.0:
            raise ValueError("warmup_share and dropout are from 0 to below 1")
        rates = (self.learning_rate, self.weight_decay, self.max_gradient_norm, self.minimum_gain)
        if not all(math.isfinite(rate) for rate in rates) or self.learning_rate <= 0 or self.max_gradient_norm <= 0:
            raise ValueError("learning_rate and max_gradient_norm are positive")
        if min(self.weight_decay, self.minimum_gain) < 0:
            raise ValueError("weight_decay and minimum_gain are not negative")

    @property
    def examples_a_step(self) -> int:
        """Examples that one optimiser step learns from."""
        return self.batch_size * self.accumulation

    def learning_rate_at(self, step: int) -> float:
        """The rate of step 1 to `steps`: linear warm-up, then a half cosine."""
        return self.learning_rate * self.rate_share(step - 1)

    def rate_share(self, done: int) -> float:
        """Share of `learning_rate` after `done` steps, as a scheduler counts them."""
        warm = math.ceil(self.steps * self.warmup_share)
        if done < warm:
            return (done + 1) / (warm + 1)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (done - warm) / max(1, self.steps - warm))))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """A run: task, base model (a local folder, or a GGUF file), how to train, and the digest of the data."""

    task: TrainingTask
    base_model: str
    data_digest: str
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)

    @property
    def digest(self) -> str:
        """`sha256:` of everything that must be the same for a run to go on from a checkpoint."""
        return digest_of({"version": SPEC_VERSION, **asdict(self)})

    def to_json(self) -> str:
        """As the trainer reads it."""
        return json.dumps({"version": SPEC_VERSION, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TrainingSpec:
        """What `to_json` gave; raise `ValueError` for anything else."""
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.pop("version", None) != SPEC_VERSION:
            raise ValueError("the run description is of another version")
        try:
            return cls(
                task=TrainingTask(raw.pop("task")),
                base_model=raw.pop("base_model"),
                data_digest=raw.pop("data_digest"),
                hyperparameters=hyperparameters_from(raw.pop("hyperparameters")),
                **raw,
            )
        except (KeyError, TypeError) as error:
            raise ValueError("the run description is incomplete") from error


def hyperparameters_from(raw: Mapping[str, Any]) -> Hyperparameters:
    """Hyperparameters from plain data; raise `ValueError` for an unknown name or a bad value."""
    known = {entry.name for entry in fields(Hyperparameters)}
    if unknown := sorted(raw.keys() - known):
        raise ValueError(f"unknown hyperparameters: {', '.join(unknown)}")
    values = dict(raw)
    if "precision" in values:
        values["precision"] = Precision(values["precision"])
    if "quantization" in values:
        values["quantization"] = Quantization(values["quantization"])
    if "target_modules" in values:
        values["target_modules"] = tuple(values["target_modules"])
    return Hyperparameters(**values)


def digest_of(value: object) -> str:
    """`sha256:` of a value's JSON with sorted keys."""
    return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
