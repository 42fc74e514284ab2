"""The training jobs of a server that runs elsewhere, for the commands about them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from llama_mapper.domain.contracts.training import TrainingJob, TrainingJobPage, TrainingLog, TrainingRequest

_ANSWER_S = 30.0


class RemoteTraining(Protocol):
    """A server's training jobs, as the holder of one key sees them."""

    async def submit(self, request: TrainingRequest) -> TrainingJob:
        """Queue a job."""
        ...

    async def page(self, *, limit: int) -> TrainingJobPage:
        """The newest jobs."""
        ...

    async def get(self, job_id: str) -> TrainingJob:
        """One job; raise `NOT_FOUND`."""
        ...

    async def logs(self, job_id: str, *, lines: int) -> TrainingLog:
        """The end of a job's log; raise `NOT_FOUND`."""
        ...

    async def cancel(self, job_id: str) -> TrainingJob:
        """End a job; raise `NOT_FOUND`."""
        ...


def open_remote_training(url: str, key: str | None) -> AbstractAsyncContextManager[RemoteTraining]:
    """The training jobs of the server at `url`, as whoever has the API key `key`."""
    from llama_mapper.adapters.links.http_training import open_training_jobs

    return open_training_jobs(url, key, _ANSWER_S)
