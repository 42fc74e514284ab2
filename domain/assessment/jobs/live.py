"""A job as the process that holds it sees it: what waits, what runs, what was not written yet. In memory alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from llama_mapper.domain.assessment.jobs.model import JobKey, characters_of
from llama_mapper.domain.assessment.jobs.ports import ItemOutcome
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.jobs import JobStatus
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.domain.kernel.trace import TraceContext


@dataclass(frozen=True, slots=True)
class LiveItem:
    """One item that waits. Its request, which has the content, is dropped when it has run."""

    index: int
    assessment_id: str
    request: AssessmentRequest


class LiveJob:
    """A job that this process holds for `principal`.

    `ending` says what becomes of what was not run, once somebody ended the job.
    """

    def __init__(
        self,
        key: JobKey,
        items: Sequence[LiveItem],
        trace: TraceContext | None,
        principal: Principal | None = None,
    ) -> None:
        self.key = key
        self.items = deque(items)
        self.trace = trace
        self.principal = principal
        self.running: set[asyncio.Task[ItemOutcome | None]] = set()
        self.started_at: datetime | None = None
        self.unwritten: list[ItemOutcome] = []
        self.dirty = False
        self.ending: JobStatus | None = None
        self.ended = asyncio.Event()

    @property
    def tenant_id(self) -> str:
        """Whose."""
        return self.key.tenant_id

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return len(self.items)

    @property
    def idle(self) -> bool:
        """Whether nothing of it waits or runs."""
        return not self.items and not self.running

    def take(self, now: datetime) -> LiveItem:
        """The next item, which now runs."""
        if self.started_at is None:
            self.started_at, self.dirty = now, True
        return self.items.popleft()

    def settled(self, outcome: ItemOutcome) -> None:
        """Note what became of an item, to be written."""
        self.unwritten.append(outcome)
        self.dirty = True

    def drop(self, ending: JobStatus) -> int:
        """Let go of what waits, and stop what runs; return how many characters that frees."""
        self.ending = self.ending or ending
        freed = sum(characters_of(item.request) for item in self.items)
        self.items.clear()
        for task in self.running:
            task.cancel()
        return freed
