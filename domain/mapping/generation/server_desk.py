"""Operating servers that run models: every step is recorded before it is taken, and again with what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.contracts.model_servers import (
    MAX_SERVED,
    ModelLoad,
    ModelServerInfo,
    ModelServerList,
    ModelStatistics,
    ModelUnload,
    ServedModelInfo,
    ServedStatisticsInfo,
    ServerAction,
    ServerHistory,
    ServerStep,
    ServerStepState,
)
from llama_mapper.domain.contracts.models import ModelActor
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ModelServingError, NotFoundError, ServiceError
from llama_mapper.domain.mapping.generation.serving import ModelServer, ServedModel


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server of the settings, and the models of it that they need."""

    name: str
    kind: str
    server: ModelServer
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A step to record; `of` is the number of the step that begun it, 0 for one that begins."""

    server: str
    model: str
    action: ServerAction
    state: ServerStepState
    actor: ModelActor
    at: datetime
    of: int = 0
    code: str = ""
    note: str = ""


class ServerSteps(Protocol):
    """Where steps are kept; none is ever changed. Raises `STORE_UNAVAILABLE`."""

    async def add(self, step: Step) -> int:
        """Keep a step and give its number; numbers grow."""
        ...

    async def newest(self, server: str, limit: int) -> Sequence[ServerStep]:
        """The newest of a server, newest first."""
        ...


class ModelServerDesk:
    """Keeps `ModelServerApi`."""

    def __init__(self, servers: Sequence[KnownServer], steps: ServerSteps, clock: Clock) -> None:
        self.known = tuple(servers)
        self._by_name = {server.name: server for server in servers}
        self._steps = steps
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()

    async def servers(self) -> ModelServerList:
        """See `ModelServerApi.servers`; they are asked side by side."""
        return ModelServerList(items=tuple(await asyncio.gather(*map(told, self.known))))

    async def server(self, name: str) -> ModelServerInfo:
        """See `ModelServerApi.server`."""
        return await told(self._known(name))

    async def load(self, name: str, model: str, asked: ModelLoad, actor: ModelActor) -> ModelServerInfo:
        """See `ModelServerApi.load`."""
        known = self._known(name)
        begun = self._begun(known, model, ServerAction.LOAD, asked.note, actor)
        return await self._take(known, begun, lambda: known.server.load(model, parameters=asked.parameters or None))

    async def unload(self, name: str, model: str, asked: ModelUnload, actor: ModelActor) -> ModelServerInfo:
        """See `ModelServerApi.unload`."""
        known = self._known(name)
        begun = self._begun(known, model, ServerAction.UNLOAD, asked.note, actor)
        return await self._take(known, begun, lambda: known.server.unload(model))

    async def statistics(self, name: str, model: str) -> ModelStatistics:
        """See `ModelServerApi.statistics`."""
        found = await self._known(name).server.statistics(model)
        items = tuple(
            ServedStatisticsInfo(
                version=each.version[:64],
                requests=each.requests,
                failures=each.failures,
                executions=each.executions,
                queue_s=each.queue_s,
                compute_s=each.compute_s,
            )
            for each in found[:MAX_SERVED]
        )
        return ModelStatistics(server=name, model=model, items=items)

    async def history(self, name: str, *, limit: int = 100) -> ServerHistory:
        """See `ModelServerApi.history`."""
        return ServerHistory(items=tuple(await self._steps.newest(self._known(name).name, limit)))

    async def close(self) -> None:
        """Give up what is under way; the record then says no more than that it was begun."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _begun(self, known: KnownServer, model: str, action: ServerAction, note: str, actor: ModelActor) -> Step:
        return Step(known.name, model, action, ServerStepState.BEGUN, actor, self._clock(), note=note)

    async def _take(self, known: KnownServer, begun: Step, do: Callable[[], Awaitable[None]]) -> ModelServerInfo:
        number = await self._steps.add(begun)
        task = asyncio.create_task(self._carried_out(begun, number, do))
        self._under_way.add(task)
        task.add_done_callback(self._over)
        # Whoever gives up waiting does not end what was begun: how it ended is recorded too.
        await asyncio.shield(task)
        return await told(known)

    async def _carried_out(self, begun: Step, number: int, do: Callable[[], Awaitable[None]]) -> None:
        try:
            await do()
        except ServiceError as error:
            await self._ended(begun, number, ServerStepState.FAILED, error.error_code.value)
            raise
        await self._ended(begun, number, ServerStepState.DONE)

    async def _ended(self, begun: Step, number: int, state: ServerStepState, code: str = "") -> None:
        await self._steps.add(replace(begun, state=state, of=number, code=code, at=self._clock()))

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever still waits; nobody else is to be warned of it

    def _known(self, name: str) -> KnownServer:
        found = self._by_name.get(name)
        if found is None:
            raise NotFoundError("the settings have no such model server")
        return found


async def told(known: KnownServer) -> ModelServerInfo:
    """The server as it is now; raise nothing that it causes."""
    try:
        models = await known.server.index()
        ready = await known.server.ready()
    except ModelServingError as error:
        fault = fault_in(error)
        return ModelServerInfo(name=known.name, kind=known.kind, ready=False, fault=fault, missing=known.expected)
    return ModelServerInfo(
        name=known.name,
        kind=known.kind,
        ready=ready,
        missing=not_ready(known.expected, models),
        models=tuple(
            ServedModelInfo(
                name=each.name[:256],
                version=each.version[:64],
                state=each.state[:64],
                ready=each.ready,
                reason=" ".join(each.reason.split())[:512],
                expected=each.name in known.expected,
            )
            for each in models[:MAX_SERVED]
        ),
    )


def not_ready(expected: Sequence[str], models: Sequence[ServedModel]) -> tuple[str, ...]:
    """Those of `expected` of which no version is ready."""
    there = {each.name for each in models if each.ready}
    return tuple(name for name in expected if name not in there)


def fault_in(error: ModelServingError) -> str:
    """The fault's name, as the message ends in it: `triton/index: unavailable`."""
    return error.message.rpartition(": ")[2][:64]
