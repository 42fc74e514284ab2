"""The jobs of a server that runs elsewhere, for the commands about them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from llama_mapper.domain.contracts.jobs import Job, JobPage

_ANSWER_S = 30.0


class RemoteJobs(Protocol):
    """A server's jobs, as the holder of one key sees them."""

    async def page(self, *, limit: int, cursor: str | None = None) -> JobPage:
        """The newest jobs."""
        ...

    async def get(self, job_id: str) -> Job:
        """One job; raise `NOT_FOUND`."""
        ...

    async def cancel(self, job_id: str) -> Job:
        """End a job; raise `NOT_FOUND`."""
        ...


def open_remote_jobs(url: str, key: str | None) -> AbstractAsyncContextManager[RemoteJobs]:
    """The jobs of the server at `url`, as whoever has the API key `key`."""
    from llama_mapper.adapters.links.http_jobs import open_jobs

    return open_jobs(url, key, _ANSWER_S)
