"""The jobs of a server that runs elsewhere, for the commands about them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_mapper.adapters.links.http_jobs import HttpJobs

_ANSWER_S = 30.0


def open_remote_jobs(url: str, key: str | None) -> AbstractAsyncContextManager[HttpJobs]:
    """The jobs of the server at `url`, as whoever has the API key `key`."""
    from llama_mapper.adapters.links.http_jobs import open_jobs

    return open_jobs(url, key, _ANSWER_S)
