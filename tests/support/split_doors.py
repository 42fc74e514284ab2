"""The three services of a split installation in this process, joined by real HTTP on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from llama_mapper.entrypoints.containers.split import (
    running_analysis_service,
    running_front,
    running_mapping_service,
)
from llama_mapper.entrypoints.http.server import uvicorn_config
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.doors import Door

SECRET = "only the three services know this"


@dataclass(frozen=True, slots=True)
class SplitDoor(Door):
    """The front door, and what reached the contexts behind it: method, path as it was sent, and headers."""

    reached: dict[str, list[tuple[str, str, dict[str, str]]]]
    urls: dict[str, str]


@dataclass(slots=True)
class _Noting:
    app: ASGIApp
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["raw_path"].decode(), headers))
        await self.app(scope, receive, send)


@asynccontextmanager
async def open_split(
    folder: Path, *, secret: str | None = SECRET, front: Mapping[str, object] | None = None, **options: object
) -> AsyncIterator[SplitDoor]:
    """The front door over the other two, each with data of its own; no detectors. `front` are settings of its own."""
    shared = {"detector_workers": 0, "link_secret": secret, **options}
    urls: dict[str, str] = {}
    reached: dict[str, list[tuple[str, str, dict[str, str]]]] = {}
    async with AsyncExitStack() as stack:
        for context, start in (("analysis", running_analysis_service), ("mapping", running_mapping_service)):
            settings = Settings.load(data_dir=folder / context, **shared)
            running = await stack.enter_async_context(start(settings))
            noting = _Noting(application_of(running, settings, front=False))
            urls[context], reached[context] = await stack.enter_async_context(served(noting)), noting.seen
        links = {f"{context}_url": url for context, url in urls.items()} | dict(front or {})
        settings = Settings.load(data_dir=folder / "orchestration", **shared, **links)
        running = await stack.enter_async_context(running_front(settings))
        transport = httpx2.ASGITransport(application_of(running, settings, front=True))
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60.0)
        )
        yield SplitDoor(running, client, reached, urls)


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """An application on a port of 127.0.0.1 that nobody uses, as its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn_config(app, ()))  # type: ignore[arg-type]  # any application will do
    # `serve` would take over the signals of the process that runs the tests.
    task = asyncio.create_task(server._serve([listener]))
    try:
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
