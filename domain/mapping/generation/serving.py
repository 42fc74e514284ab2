"""What running models need from outside: a server whose models can be loaded, listed and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One version of a model in the server's repository; `version` is empty where none was ever loaded.

    `state` is the server's word (`READY`, `LOADING`, `UNLOADING`, `UNAVAILABLE`), empty for a model never loaded.
    `reason` is what it says about a version that is not ready.
    """

    name: str
    version: str
    state: str
    reason: str = ""

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self.state == "READY"


@dataclass(frozen=True, slots=True)
class ServedStatistics:
    """What one version has done since it was loaded.

    `requests` answered, `failures` not answered, `executions` of the model: fewer than requests where the server
    batches. Seconds are sums over the answered requests: waiting in the queue, and in the model.
    """

    name: str
    version: str
    requests: int
    failures: int
    executions: int
    queue_s: float
    compute_s: float


class ModelServer(Protocol):
    """The server behind `Generation` and embeddings, as an operator or a release sees it.

    Everything raises `ModelServingError`: `SERVICE_UNAVAILABLE` if the server cannot be asked, `REQUEST_TIMEOUT` if it
    took too long, `NOT_FOUND` for a model that its repository does not have.
    """

    async def live(self) -> bool:
        """Whether the server runs; raise nothing."""
        ...

    async def ready(self) -> bool:
        """Whether the server takes requests, and all that it loads at the start is loaded; raise nothing."""
        ...

    async def index(self) -> Sequence[ServedModel]:
        """What the repository has, loaded or not."""
        ...

    async def load(self, name: str, *, parameters: Mapping[str, str] | None = None) -> None:
        """Load a model, or load it again from what the repository now has; return when it is ready.

        `parameters` are laid over those of the model's configuration. If loading fails, raise
        `UPSTREAM_INVALID_RESPONSE`; what was loaded before goes on answering.
        """
        ...

    async def unload(self, name: str) -> None:
        """Take a model out of service once its requests are answered; one that is not loaded stays so."""
        ...

    async def statistics(self, name: str) -> Sequence[ServedStatistics]:
        """One entry a loaded version."""
        ...

    async def close(self) -> None:
        """Free the connection. A second call does nothing."""
        ...
