"""What a checkpoint has besides the adapter, and the record of steps. Torch is imported where it is used."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.training.durable_files import write_file


@dataclass(slots=True)
class Progress:
    """How far training is: steps done, the best validation so far, and evaluations since without a gain."""

    step: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    without_gain: int = 0
    ended_early: bool = False

    def judge(self, loss: float, minimum_gain: float, patience: int) -> bool:
        """Take in a validation loss; True if it is the best so far."""
        if self.best_loss is None or loss < self.best_loss - minimum_gain:
            self.best_loss, self.best_step, self.without_gain = loss, self.step, 0
            return True
        self.without_gain += 1
        self.ended_early = 0 < patience <= self.without_gain
        return False

    def facts(self) -> dict[str, Any]:
        """As a manifest holds it."""
        return {
            "step": self.step,
            "best_loss": self.best_loss,
            "best_step": self.best_step,
            "without_gain": self.without_gain,
            "ended_early": self.ended_early,
        }


def pack_state(optimizer: Any, scheduler: Any, examples_seen: int) -> bytes:
    """Optimiser, schedule, random number generators and data position, as `torch.save` writes them."""
    import io

    import torch

    buffer = io.BytesIO()
    torch.save(
        {
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "examples_seen": examples_seen,
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "python_random": json.dumps(random.getstate()),
        },
        buffer,
    )
    return buffer.getvalue()


def unpack_state(content: bytes, optimizer: Any, scheduler: Any) -> int:
    """Put back what `pack_state` took; return the data position. Nothing but tensors and plain values is unpickled."""
    import io

    import torch

    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["torch_random"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_random"])
    version, words, gauss = json.loads(state["python_random"])
    random.setstate((version, tuple(words), gauss))
    return int(state["examples_seen"])


class MetricsFile:
    """`metrics.jsonl`: a line a step and a line a validation, each step once, whatever was killed and gone on with."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def cut_after(self, step: int) -> None:
        """Forget lines of later steps, and a line that was not written to its end."""
        kept = []
        if self._path.exists():
            for line in self._path.read_bytes().splitlines(keepends=True):
                try:
                    if line.endswith(b"\n") and json.loads(line)["step"] <= step:
                        kept.append(line)
                except (ValueError, KeyError, TypeError):
                    continue
        write_file(self._path, b"".join(kept))

    def add(self, **figures: object) -> None:
        """Write one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
