"""The training jobs of a running server, for whoever holds one of its administrators' API keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.domain.contracts.training import TrainingJob, TrainingJobPage, TrainingLog, TrainingRequest

_PATH = "/v1/training/jobs"


class HttpTrainingJobs:
    """Submits, looks at and cancels jobs. Errors are the server's own, and those of `HttpLink` where it is away."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def submit(self, request: TrainingRequest) -> TrainingJob:
        """Queue a job."""
        return await self._link.post(_PATH, request, TrainingJob)

    async def page(self, *, limit: int) -> TrainingJobPage:
        """The jobs of the key's tenant, newest first."""
        return await self._link.get(_PATH, TrainingJobPage, {"limit": str(limit)})

    async def get(self, job_id: str) -> TrainingJob:
        """One job; raise `NOT_FOUND`."""
        return await self._link.get(_of(job_id), TrainingJob)

    async def logs(self, job_id: str, *, lines: int) -> TrainingLog:
        """The end of a job's log; raise `NOT_FOUND`."""
        return await self._link.get(f"{_of(job_id)}/logs", TrainingLog, {"lines": str(lines)})

    async def cancel(self, job_id: str) -> TrainingJob:
        """End a job; raise `NOT_FOUND`."""
        return await self._link.delete(_of(job_id), TrainingJob)


@asynccontextmanager
async def open_training_jobs(url: str, key: str | None, timeout_s: float) -> AsyncIterator[HttpTrainingJobs]:
    """The training jobs of the server at `url`."""
    async with open_client(url, secret=key, timeout_s=timeout_s) as client:
        yield HttpTrainingJobs(HttpLink(client, "llama-mapper", timeout_s, wrong_link=frozenset()))


def _of(job_id: str) -> str:
    return f"{_PATH}/{quote(job_id, safe='')}"
