"""The jobs of a running server, for whoever holds one of its API keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.domain.contracts.jobs import Job, JobPage


class HttpJobs:
    """Looks at jobs and cancels them. Errors are the server's own, and those of `HttpLink` where it is not reached."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def page(self, *, limit: int, cursor: str | None = None) -> JobPage:
        """The jobs of the key's tenant, newest first."""
        params = {"limit": str(limit)} | ({"cursor": cursor} if cursor is not None else {})
        return await self._link.get("/v1/jobs", JobPage, params)

    async def get(self, job_id: str) -> Job:
        """One job; raise `NOT_FOUND`."""
        return await self._link.get(_path(job_id), Job)

    async def cancel(self, job_id: str) -> Job:
        """End a job; raise `NOT_FOUND`."""
        return await self._link.delete(_path(job_id), Job)


@asynccontextmanager
async def open_jobs(url: str, key: str | None, timeout_s: float) -> AsyncIterator[HttpJobs]:
    """The jobs of the server at `url`."""
    async with open_client(url, secret=key, timeout_s=timeout_s) as client:
        yield HttpJobs(HttpLink(client, "llama-mapper", timeout_s, wrong_link=frozenset()))


def _path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"
