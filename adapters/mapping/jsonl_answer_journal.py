"""Answers of models to questions about labels in a file, one JSON line each. A question is there as a digest alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.json_lines import JsonLines, open_json_lines
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking

_FORMAT = "llama-mapper model answers 1"


class JsonlAnswerJournal:
    """Keeps what `AnswerJournal` promises."""

    def __init__(self, lines: JsonLines, kept: dict[str, Ranking]) -> None:
        self._lines = lines
        self._kept = kept

    def known(self, question: str) -> Ranking | None:
        """What the file has for a question."""
        return self._kept.get(question)

    def keep(self, question: str, ranking: Ranking) -> None:
        """Append a ranking and sync; raise `STORE_UNAVAILABLE` if that fails, with the file as it was."""
        if question not in self._kept:
            self._lines.append({"question": question, **_plain(ranking)})
            self._kept[question] = ranking


@contextmanager
def open_answer_journal(path: Path) -> Iterator[JsonlAnswerJournal]:
    """The journal in the file `path`, made if it is missing; it may hold answers of any models.

    Raises `CONFLICT` if another process has it, `CONFIGURATION_INVALID` if it cannot be opened or is no such file.
    """
    kept: dict[str, Ranking] = {}

    def read(row: dict[str, Any]) -> None:
        kept[row["question"]] = _ranking(row)

    with open_json_lines(path, {"format": _FORMAT}, read, what="models' answers", who="calibration") as lines:
        yield JsonlAnswerJournal(lines, kept)


def _plain(ranking: Ranking) -> dict[str, Any]:
    return {
        "candidates": [[one.canonical, one.score, one.support] for one in ranking.candidates],
        "fault": ranking.fault,
        "tokens": [ranking.prompt_tokens, ranking.completion_tokens],
        "answered_by": ranking.answered_by,
        "microdollars": str(ranking.microdollars),
        "identity": ranking.identity,
    }


def _ranking(row: dict[str, Any]) -> Ranking:
    try:
        cost = Decimal(row["microdollars"])
    except InvalidOperation as error:
        raise ValueError("a cost is a number") from error
    prompt_tokens, completion_tokens = row["tokens"]
    return Ranking(
        tuple(Candidate(canonical, score, support) for canonical, score, support in row["candidates"]),
        row["fault"],
        prompt_tokens,
        completion_tokens,
        row["answered_by"],
        cost,
        row["identity"],
    )
