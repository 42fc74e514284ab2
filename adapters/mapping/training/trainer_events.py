"""The line protocol between a trainer and its parent. Standard library alone.

A trainer writes one JSON object a line to standard output, `{"event": NAME, …}`, and everything else to standard error.
It ends with one `done`, `stopped` or `error`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TextIO

LINE_LIMIT = 65_536


class TrainerEvent(StrEnum):
    """What a trainer tells."""

    LOADING = "loading"
    """The base model is being read."""
    READY = "ready"
    """`step`: steps done before; `steps`; `trainable` and `parameters`; `left_out`: examples that were too long."""
    IGNORED = "ignored_checkpoint"
    """`name`, `reason`."""
    STEP = "step"
    """`step`, `steps`, `loss`, `learning_rate`, `tokens_per_s`, `memory_bytes`."""
    VALIDATION = "validation"
    """`step`, `loss`, `best`."""
    CHECKPOINT = "checkpoint"
    """`step`."""
    EVALUATING = "evaluating"
    """`done`, `total`."""
    DONE = "done"
    """`step`, `best_step`; the results are in the run's folder."""
    STOPPED = "stopped"
    """`step`: asked to end, it did so after a checkpoint."""
    ERROR = "error"
    """`code`, `message`."""


class TrainerFault(StrEnum):
    """Why a trainer gave up."""

    PACKAGES_MISSING = "packages_missing"
    BASE_MODEL_INVALID = "base_model_invalid"
    RUN_INVALID = "run_invalid"
    DISK_FULL = "disk_full"
    RUN_LOCKED = "run_locked"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    FAILED = "failed"
    """Anything unforeseen; the log has the trace."""


class EventWriter:
    """Tells events; what libraries print goes to standard error from the moment that this is made."""

    def __init__(self) -> None:
        self._out: TextIO = sys.stdout
        sys.stdout = sys.stderr

    def tell(self, event: TrainerEvent, **facts: object) -> None:
        """Write one event, at once."""
        self._out.write(json.dumps({"event": event.value, **facts}) + "\n")
        self._out.flush()


def read_event(line: bytes) -> tuple[TrainerEvent, Mapping[str, Any]] | None:
    """The event of a line, or None for a line that is none."""
    try:
        raw = json.loads(line)
        return TrainerEvent(raw.pop("event")), raw
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
