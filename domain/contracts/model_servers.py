"""Servers that run models: what they have, loading and unloading, and what was done to them by whom."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count
from llama_mapper.domain.contracts.models import ModelActor, ModelNote, PersonName

MAX_SERVED = 4096
"""Entries of a server's repository, and of a model's statistics, that are told."""

ModelServerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ServedModelName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
ParameterName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]
ParameterText = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]
Seconds = Annotated[float, Field(ge=0.0)]


class ServerAction(StrEnum):
    """What is done to a model on its server."""

    LOAD = "load"
    UNLOAD = "unload"


class ServerStepState(StrEnum):
    """How far a step came."""

    BEGUN = "begun"
    """It was asked for. Where nothing follows, whoever asked died meanwhile."""
    DONE = "done"
    FAILED = "failed"


class ServedModelInfo(Contract):
    """One version of a model in a server's repository."""

    name: Annotated[str, Field(max_length=256)]
    version: Annotated[str, Field(max_length=64)]
    """Empty where none was ever loaded."""
    state: Annotated[str, Field(max_length=64)]
    """The server's word: `READY`, `LOADING`, `UNLOADING`, `UNAVAILABLE`; empty for one that was never loaded."""
    ready: bool
    reason: Annotated[str, Field(max_length=512)] = ""
    """What the server says about a version that is not ready."""
    expected: bool
    """Whether the settings need the model."""


class ModelServerInfo(Contract):
    """A server and what it has."""

    name: ModelServerName
    kind: Annotated[str, Field(max_length=32)]
    ready: bool
    """Whether it answers and takes requests."""
    fault: Annotated[str, Field(max_length=64)] | None = None
    """Why it could not be asked: `unavailable`, `tls_failed`, `timeout`; null where it could."""
    missing: Annotated[tuple[str, ...], Field(max_length=256)] = ()
    """Models that the settings need and that are not ready."""
    models: Annotated[tuple[ServedModelInfo, ...], Field(max_length=MAX_SERVED)] = ()


class ModelServerList(Contract):
    """All servers of the settings, in their order."""

    items: Annotated[tuple[ModelServerInfo, ...], Field(max_length=64)]


class ModelLoad(Contract):
    """How to load a model."""

    parameters: Annotated[dict[ParameterName, ParameterText], Field(max_length=32)] = Field(default_factory=dict)
    """Laid over the parameters of the model's configuration until it is loaded again."""
    note: ModelNote = ""
    """Why; it is kept."""


class ModelUnload(Contract):
    """Why a model is taken out of service."""

    note: ModelNote = ""


class ServedStatisticsInfo(Contract):
    """What one version has done since it was loaded."""

    version: Annotated[str, Field(max_length=64)]
    requests: Count
    """Answered."""
    failures: Count
    executions: Count
    """Runs of the model: fewer than requests where the server batches."""
    queue_s: Seconds
    """Seconds of all answered requests in the queue."""
    compute_s: Seconds
    """Seconds of all answered requests in the model."""


class ModelStatistics(Contract):
    """What a model's loaded versions have done."""

    server: ModelServerName
    model: ServedModelName
    items: Annotated[tuple[ServedStatisticsInfo, ...], Field(max_length=MAX_SERVED)]


class ServerStep(Contract):
    """One thing that was done to a model on a server."""

    number: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=1)]
    """The number of the step that begun it; its own where it is that one."""
    server: ModelServerName
    model: ServedModelName
    action: ServerAction
    state: ServerStepState
    code: Annotated[str, Field(max_length=64)] = ""
    """The error's code, of one that failed."""
    who: PersonName
    door: Annotated[str, Field(max_length=32)]
    keyless: bool
    at: datetime
    note: ModelNote = ""


class ServerHistory(Contract):
    """What was done to a server's models, newest first."""

    items: Annotated[tuple[ServerStep, ...], Field(max_length=1000)]


class ModelServerApi(Protocol):
    """The servers that run models, for the operator. Raises `NOT_FOUND` for a server that the settings do not have."""

    async def servers(self) -> ModelServerList:
        """All of them; one that cannot be asked says why."""
        ...

    async def server(self, name: str) -> ModelServerInfo:
        """One of them."""
        ...

    async def load(self, name: str, model: str, asked: ModelLoad, actor: ModelActor) -> ModelServerInfo:
        """Load a model, or load it again; the server as it is then.

        Raises `NOT_FOUND` for a model that the server's repository does not have, `UPSTREAM_INVALID_RESPONSE` for one
        that does not load, `SERVICE_UNAVAILABLE` and `REQUEST_TIMEOUT`.
        """
        ...

    async def unload(self, name: str, model: str, asked: ModelUnload, actor: ModelActor) -> ModelServerInfo:
        """Take a model out of service; raises as `load`."""
        ...

    async def statistics(self, name: str, model: str) -> ModelStatistics:
        """What a model has done; raises as `load`."""
        ...

    async def history(self, name: str, *, limit: int = 100) -> ServerHistory:
        """The newest steps."""
        ...
