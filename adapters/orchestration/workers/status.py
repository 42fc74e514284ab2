"""How the worker pool is doing, as metrics and readiness checks ask."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker process, or the gap that one left. `pid` is None while none is running.

    `ready` and `loading` name detectors; `running` counts the jobs it was sent and has not answered; `restarts` counts
    the processes that this one follows; `memory_bytes` is resident memory, None where the system does not tell.
    """

    pid: int | None
    ready: tuple[str, ...]
    loading: str | None
    running: int
    restarts: int
    reason: str | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The pool at one moment. `waiting` counts callers, `queued` those whose job was not yet sent to a worker.

    `readiness` says of each detector why it cannot be asked, None if it can.
    """

    workers: tuple[WorkerStatus, ...]
    waiting: int
    queued: int
    readiness: Mapping[str, str | None]


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        return None
