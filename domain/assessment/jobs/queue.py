"""Who is next: tenants take turns, so that one tenant's thousand items do not hold up another's one."""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """A job with items that wait."""

    @property
    def tenant_id(self) -> str:
        """Whose."""
        ...

    @property
    def waiting(self) -> int:
        """Items that wait."""
        ...


Job = TypeVar("Job", bound=Queued)


class FairQueue(Generic[Job]):
    """Jobs by tenant; each call of `next` is the next tenant's turn. Within a tenant, the oldest job first."""

    def __init__(self) -> None:
        self._turns: deque[str] = deque()
        self._jobs: dict[str, deque[Job]] = {}

    def add(self, job: Job) -> None:
        """Queue a job behind the others of its tenant."""
        jobs = self._jobs.get(job.tenant_id)
        if jobs is None:
            self._jobs[job.tenant_id] = deque([job])
            self._turns.append(job.tenant_id)
        else:
            jobs.append(job)

    def next(self) -> Job | None:
        """The job of which the caller must now take one item; None if nothing waits."""
        while self._turns:
            tenant_id = self._turns.popleft()
            jobs = self._jobs[tenant_id]
            while jobs and not jobs[0].waiting:
                jobs.popleft()
            if jobs:
                self._turns.append(tenant_id)
                return jobs[0]
            del self._jobs[tenant_id]
        return None

    def remove(self, job: Job) -> None:
        """Forget a job; harmless if it is not here."""
        jobs = self._jobs.get(job.tenant_id)
        if jobs is not None and job in jobs:
            jobs.remove(job)
