"""Requests without end, each unlike all others, and what became of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

import httpx2
import orjson

from bench.soak.cast import BUNDLE, CAST
from bench.soak.figures import Answers
from bench.soak.promises import SUCCESS, broken_by, statuses_of

_FILLING = (
    "the",
    "report",
    "of",
    "this",
    "quarter",
    "is",
    "ready",
    "and",
    "we",
    "shall",
    "read",
    "it",
    "on",
    "Thursday",
)
_KEYED = 5
"""One assessment in so many has an `Idempotency-Key`: without Valkey their answers are kept in the server's memory."""
_TOLD = 20
"""Broken promises that are told in words; all are counted."""


class Traffic:
    """Sends, checks and counts. `assessed` is the share that goes through the whole chain."""

    def __init__(self, client: httpx2.AsyncClient, assessed: float, seed: int) -> None:
        self._client = client
        self._assessed = assessed
        self._draw = random.Random(seed)
        self.sent = 0
        self.answered = 0
        self._statuses: Counter[str] = Counter()
        self._outcomes: dict[str, Counter[str]] = {part.name: Counter() for part in CAST}
        self._lost: list[str] = []
        self._refused: list[str] = []
        self._broken: list[str] = []
        self._broken_count = 0
        self.latencies_s: list[float] = []
        self.whole_in_a_row = 0
        self.last_gap_at = monotonic()
        """When the last answer came in which a detector is missing."""

    async def run(self, workers: int, until: Callable[[], bool]) -> None:
        """Send at this concurrency until told otherwise; each request that was begun is waited for."""

        async def work() -> None:
            while not until():
                await self._one()

        await asyncio.gather(*(work() for _ in range(workers)))

    async def _one(self) -> None:
        self.sent += 1
        number = self.sent
        content = self._content(number)
        chain = self._draw.random() < self._assessed
        body: dict[str, Any] = {"content": content, "policy_bundle": BUNDLE}
        headers = {"content-type": "application/json"}
        if chain:
            body["frameworks"] = ["soc2"]
            if number % _KEYED == 0:
                headers["idempotency-key"] = f"soak-{number}"
        began = perf_counter()
        try:
            answer = await self._client.post(
                "/v1/assessments" if chain else "/v1/orchestrate", content=orjson.dumps(body), headers=headers
            )
        except httpx2.HTTPError as error:
            self._note(self._lost, f"request {number}: {type(error).__name__}")
            return
        self.latencies_s.append(perf_counter() - began)
        self.answered += 1
        self._statuses[str(answer.status_code)] += 1
        if answer.status_code not in (200, 206):
            self._note(self._refused, f"request {number}: {answer.status_code} {answer.text[:300]}")
            return
        record = orjson.loads(answer.content)
        self._read(record["orchestration"] if chain else record, answer.status_code, content, number)

    def _read(self, record: dict[str, Any], status: int, content: str, number: int) -> None:
        for broken in broken_by(record, status, content):
            self._broken_count += 1
            self._note(self._broken, f"request {number}: {broken}")
        statuses = statuses_of(record)
        for name, outcome in statuses.items():
            self._outcomes.setdefault(name, Counter())[outcome] += 1
        if all(outcome == SUCCESS for outcome in statuses.values()):
            self.whole_in_a_row += 1
        else:
            self.whole_in_a_row = 0
            self.last_gap_at = monotonic()

    def _content(self, number: int) -> str:
        words = self._draw.choices(_FILLING, k=self._draw.randrange(20, 120))
        for part in CAST:
            for _ in range(self._draw.choice((0, 0, 1, 2))):
                words.insert(self._draw.randrange(len(words)), part.word)
        return f"{number}: {' '.join(words)}."

    def told(self) -> Answers:
        """What came back so far."""
        return Answers(
            sent=self.sent,
            answered=self.answered,
            by_status=dict(self._statuses),
            outcomes={name: dict(counts) for name, counts in self._outcomes.items()},
            lost=self._lost,
            refused=self._refused,
            broken=self._broken,
            broken_count=self._broken_count,
        )

    @staticmethod
    def _note(notes: list[str], note: str) -> None:
        if len(notes) < _TOLD:
            notes.append(note)
