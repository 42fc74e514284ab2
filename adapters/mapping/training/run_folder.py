"""The folder of a run: data, description, checkpoints, figures and result. What is there already decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.training.durable_files import (
    CorruptFolderError,
    publish_folder,
    verified_folder,
    write_file,
)
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.training.card import markdown_of
from llama_mapper.domain.mapping.training.dataset import DataSet, Split
from llama_mapper.domain.mapping.training.spec import Hyperparameters, TrainingSpec, TrainingTask


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths within a run's folder."""

    path: Path

    @property
    def log(self) -> Path:
        """What the trainer writes for people."""
        return self.path / "trainer.log"

    @property
    def artifact(self) -> Path:
        """The finished adapter with its papers."""
        return self.path / "artifact"

    @property
    def chart(self) -> Path:
        """The losses, drawn."""
        return self.path / "loss.svg"

    def begun(self) -> TrainingSpec | None:
        """The description of the run that was begun here, or None. Raise `TRAINING_FAILED` if it cannot be read."""
        try:
            return TrainingSpec.from_json((self.path / "job.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unusable("job.json cannot be read") from error

    def prepare(
        self, task: TrainingTask, base_model: Path, hyperparameters: Hyperparameters, build: Callable[[], DataSet]
    ) -> TrainingSpec:
        """Write data and description, unless a run was begun here: then it is gone on with as it was.

        Raise `TRAINING_FAILED` if what is here was changed, and `OSError` where it cannot be written.
        """
        spec = self.begun()
        if spec is not None:
            self._verify(spec)
            return spec
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = build()
        digest = data.digest
        files = {f"{split.value}.jsonl": b"".join(_rows(data, split)) for split in Split}
        files["card.json"] = json.dumps(data.card, indent=1, ensure_ascii=False).encode()
        files["card.md"] = markdown_of(data.card).encode()
        publish_folder(self.path / "data", files, {"digest": digest})
        spec = TrainingSpec(
            task=task, base_model=str(base_model.absolute()), data_digest=digest, hyperparameters=hyperparameters
        )
        write_file(self.path / "job.json", spec.to_json().encode())
        return spec

    def card(self) -> dict[str, Any]:
        """The data set's card."""
        card: dict[str, Any] = json.loads((self.path / "data" / "card.json").read_bytes())
        return card

    def evaluation(self) -> dict[str, Any]:
        """What the trainer found at the end."""
        found: dict[str, Any] = json.loads((self.path / "evaluation.json").read_bytes())
        return found

    def publish_artifact(self, metrics: dict[str, float], spec: TrainingSpec) -> int:
        """Put the finished adapter with its papers in place; return after how many steps its weights were made.

        Raise `TRAINING_FAILED` if the trainer's files are not as it wrote them.
        """
        source = self.path / "adapter"
        try:
            facts = verified_folder(source)
        except CorruptFolderError as error:
            raise _unusable(f"the finished adapter was changed: {error}") from error
        step = facts.get("step")
        files = {"adapter_model.safetensors": (source / "adapter_model.safetensors").read_bytes()}
        config = json.loads((source / "adapter_config.json").read_bytes())
        config["base_model_name_or_path"] = Path(spec.base_model).name
        files["adapter_config.json"] = json.dumps(config, indent=1, sort_keys=True).encode()
        files["card.json"] = (self.path / "data" / "card.json").read_bytes()
        figures = {"metrics": metrics, "hyperparameters": json.loads(spec.to_json())["hyperparameters"], "step": step}
        files["metrics.json"] = json.dumps(figures, indent=1, sort_keys=True).encode()
        told = {
            "task": spec.task.value,
            "base_model": Path(spec.base_model).name,
            "data_digest": spec.data_digest,
            "spec_digest": spec.digest,
            "step": step,
        }
        publish_folder(self.artifact, files, told)
        return step if isinstance(step, int) else 0

    def _verify(self, spec: TrainingSpec) -> None:
        try:
            facts = verified_folder(self.path / "data")
        except CorruptFolderError as error:
            raise _unusable(f"the data set was changed: {error}") from error
        if facts.get("digest") != spec.data_digest:
            raise _unusable("the data set is not the one that the run was begun with")


def _rows(data: DataSet, split: Split) -> Iterator[bytes]:
    for example in data.of(split):
        yield json.dumps(example.row(), ensure_ascii=False).encode() + b"\n"


def _unusable(message: str) -> MappingError:
    return MappingError(f"the run's folder cannot be used: {message}", ErrorCode.TRAINING_FAILED, retryable=False)
