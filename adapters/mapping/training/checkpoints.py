"""The checkpoints of a run: whole, verified, the newest few and the best. Standard library alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.adapters.mapping.training.durable_files import (
    TEMPORARY,
    CorruptFolderError,
    publish_folder,
    verified_folder,
)

_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was verified: after how many steps it was made, where it is, and what it tells of itself."""

    step: int
    path: Path
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class IgnoredCheckpoint:
    """A folder that cannot be gone on from, and why."""

    name: str
    reason: str


class CheckpointFolder:
    """Folders `step-NNNNNNNN` below `root`. One process writes at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def path_of(self, step: int) -> Path:
        """Where the checkpoint of a step is."""
        return self._root / f"step-{step:08d}"

    def save(self, step: int, files: Mapping[str, bytes], facts: Mapping[str, object]) -> Path:
        """Keep a checkpoint; raise `DiskFullError`, and leave those before untouched, where there is no room."""
        path = self.path_of(step)
        publish_folder(path, files, {**facts, "step": step})
        return path

    def newest(self) -> tuple[Checkpoint | None, list[IgnoredCheckpoint]]:
        """The newest checkpoint whose every file is as it was written, and the newer ones that had to be passed over.

        What a save that did not end has left behind is named too, and removed.
        """
        ignored = []
        for left in sorted(self._root.glob(f"{TEMPORARY}*")):
            ignored.append(IgnoredCheckpoint(left.name.removeprefix(TEMPORARY), "it was not written to its end"))
            shutil.rmtree(left, ignore_errors=True)
        for step in reversed(self.steps()):
            path = self.path_of(step)
            try:
                facts = verified_folder(path)
                if facts.get("step") != step:
                    raise CorruptFolderError("its manifest tells of another step")
            except CorruptFolderError as error:
                ignored.append(IgnoredCheckpoint(path.name, str(error)))
            else:
                return Checkpoint(step, path, facts), ignored
        return None, ignored

    def steps(self) -> list[int]:
        """Steps of which there is a folder, ascending; nothing about them is verified."""
        found = (_NAME.fullmatch(path.name) for path in self._root.iterdir() if path.is_dir())
        return sorted(int(match[1]) for match in found if match)

    def prune(self, keep: int, best: int | None) -> None:
        """Remove all but the newest `keep` and the one of step `best`."""
        for step in self.steps()[:-keep]:
            if step != best:
                shutil.rmtree(self.path_of(step), ignore_errors=True)
