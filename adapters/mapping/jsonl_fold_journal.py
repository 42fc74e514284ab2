"""Finished folds of an evaluation in a file, one JSON line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.json_lines import JsonLines, open_json_lines
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.evaluation.journal import refuse_second
from llama_mapper.domain.mapping.evaluation.ports import BatchTime, FoldResult, SubjectAnswer

_FORMAT = "llama-mapper evaluation state 1"


class JsonlFoldJournal:
    """Keeps what `FoldJournal` promises. Lines are appended and synced; a line that a kill cut short is dropped."""

    def __init__(self, lines: JsonLines, kept: dict[tuple[str, str], FoldResult]) -> None:
        self._lines = lines
        self._kept = kept

    def finished(self) -> Sequence[FoldResult]:
        """Every fold in the file."""
        return tuple(self._kept.values())

    def keep(self, result: FoldResult) -> None:
        """Append a fold and sync; raise `STORE_UNAVAILABLE` if that fails, with the file as it was."""
        refuse_second(result, self._kept)
        self._lines.append(asdict(result))
        self._kept[result.subject, result.fold] = result


@contextmanager
def open_fold_journal(path: Path, plan: str) -> Iterator[JsonlFoldJournal]:
    """The journal in the file `path`, made if it is missing; `plan` is a digest of what is evaluated.

    Raises `CONFLICT` if the file is of another plan or in use by another process, `CONFIGURATION_INVALID` if it cannot
    be opened or is no such file.
    """
    kept: dict[tuple[str, str], FoldResult] = {}

    def read(row: dict[str, Any]) -> None:
        result = _result(row)
        kept[result.subject, result.fold] = result

    header = {"format": _FORMAT, "plan": plan}
    with open_json_lines(path, header, read, what="an evaluation's state", who="evaluation") as lines:
        yield JsonlFoldJournal(lines, kept)


def _result(row: dict[str, Any]) -> FoldResult:
    return FoldResult(
        subject=row["subject"],
        fold=row["fold"],
        answers=tuple(
            SubjectAnswer(**{**one, "stage": MappingStage(one["stage"]), "suggestions": tuple(one["suggestions"])})
            for one in row["answers"]
        ),
        fit_s=row["fit_s"],
        batches=tuple(BatchTime(**one) for one in row["batches"]),
        singles=tuple((place, seconds) for place, seconds in row["singles"]),
    )
