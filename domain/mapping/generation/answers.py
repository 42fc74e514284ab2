"""Answers of a model that are kept, so that long work goes on where it stood."""

from __future__ import annotations

from typing import Protocol

from llama_mapper.domain.mapping.cascade.ports import Ranking


class AnswerJournal(Protocol):
    """Rankings by question: a digest of all that the ranking depends on."""

    def known(self, question: str) -> Ranking | None:
        """What was kept for a question; None if nothing was."""
        ...

    def keep(self, question: str, ranking: Ranking) -> None:
        """Keep a ranking durably: after the return it survives a kill. The first one kept for a question stays."""
        ...


class MemoryAnswerJournal:
    """Keeps what `AnswerJournal` promises, but for surviving the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Ranking] = {}

    def known(self, question: str) -> Ranking | None:
        """What was kept for a question."""
        return self._kept.get(question)

    def keep(self, question: str, ranking: Ranking) -> None:
        """Keep a ranking until the process ends."""
        self._kept.setdefault(question, ranking)
