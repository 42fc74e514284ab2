"""What is seen of the server from outside while it works: memory, open files, readiness, metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

import httpx2

_METRIC = re.compile(
    r'^llama_mapper_detector_(breaker|breaker_transitions_total)\{detector="(\w+)",(?:state|to)="(\w+)"\} (\S+)$', re.M
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment: `progress` from 0 to 1, resident memory of all its processes in MB."""

    at_s: float
    progress: float
    answered: int
    memory_mb: float
    files: int
    sockets: int


@dataclass(frozen=True, slots=True)
class Breakers:
    """What `/metrics` tells of the breakers: (detector, state) → 1 or 0, and → times that it came to that state."""

    states: dict[tuple[str, str], float]
    transitions: dict[tuple[str, str], float]

    def opened(self, detector: str) -> int:
        """How often it opened."""
        return int(self.transitions.get((detector, "open"), 0))

    def closed(self, detector: str) -> bool:
        """Whether it is closed now."""
        return self.states.get((detector, "closed")) == 1.0


class Watch:
    """Samples the server process `pid` and follows its `/readyz`."""

    def __init__(self, client: httpx2.AsyncClient, pid: int) -> None:
        self._client = client
        self._pid = pid
        self._began = monotonic()
        self.samples: list[Sample] = []
        self.notes: dict[str, str] = {}
        self.unready: list[str] = []

    def take(self, progress: float, answered: int) -> None:
        """Add a sample."""
        self.samples.append(self.sample(progress, answered))

    async def look(self) -> None:
        """Read `/readyz`."""
        answer = await self._client.get("/readyz")
        told = answer.json()
        self.notes = told["notes"]
        if answer.status_code != 200:
            self.unready.append(answer.text[:300])

    async def until_noted(self, subject: str, limit_s: float, *, gone: bool = False) -> float | None:
        """Seconds until `/readyz` has a note on `subject` (or has none any more); None if that did not come about."""
        began = monotonic()
        while monotonic() - began < limit_s:
            await self.look()
            if (subject in self.notes) is not gone:
                return monotonic() - began
            await asyncio.sleep(0.1)
        return None

    async def breakers(self) -> Breakers:
        """Read `/metrics`."""
        text = (await self._client.get("/metrics")).text
        states: dict[tuple[str, str], float] = {}
        transitions: dict[tuple[str, str], float] = {}
        for kind, detector, state, value in _METRIC.findall(text):
            (states if kind == "breaker" else transitions)[detector, state] = float(value)
        return Breakers(states, transitions)

    def sample(self, progress: float, answered: int) -> Sample:
        """The server now."""
        family = [self._pid, *_children(self._pid)]
        memory = sum(_resident_kb(pid) for pid in family) / 1024
        links = _links(self._pid)
        sockets = sum(link.startswith("socket:") for link in links)
        return Sample(monotonic() - self._began, progress, answered, memory, len(links), sockets)


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in told.read_text().split()] if told.exists() else []


def _resident_kb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def _links(pid: int) -> list[str]:
    links = []
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                links.append(str(entry.readlink()))
    return links


def at_quarter(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """The usual value around the 25 % mark."""
    near = [of(each) for each in samples if 0.2 <= each.progress <= 0.3]
    return median(near) if near else of(min(samples, key=lambda each: abs(each.progress - 0.25)))


def at_end(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """The usual value over the last tenth."""
    near = [of(each) for each in samples if each.progress >= 0.9]
    return median(near) if near else of(samples[-1])


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Of the least-squares line; 0 for fewer than two points."""
    pairs = list(points)
    if len(pairs) < 2:
        return 0.0
    x_mean = sum(x for x, _ in pairs) / len(pairs)
    y_mean = sum(y for _, y in pairs) / len(pairs)
    spread = sum((x - x_mean) ** 2 for x, _ in pairs)
    return sum((x - x_mean) * (y - y_mean) for x, y in pairs) / spread if spread else 0.0
