"""Wiring of the servers that run models: how to reach each, the desk of whoever operates them, and their watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.generation.server_desk import KnownServer, ModelServerDesk
from llama_mapper.domain.mapping.generation.server_watch import ServerWatch

if TYPE_CHECKING:
    from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
    from llama_mapper.adapters.platform.database import Database
    from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
    from llama_mapper.entrypoints.model_settings import ModelServerSettings
    from llama_mapper.entrypoints.settings import Settings

_LOOK_EVERY_S = 10.0
_WHILE_AWAY_S = 2.0


def server_named(settings: Settings, name: str) -> ModelServerSettings:
    """The server of that name; raise `CONFIGURATION_INVALID` if there is none."""
    found = next((server for server in settings.model_servers if server.name == name), None)
    if found is None:
        raise ConfigurationError(f"model_servers has no {name}")
    return found


def triton_address(server: ModelServerSettings) -> TritonAddress:
    """How to reach the server; raise `CONFIGURATION_INVALID` for a file that cannot be used."""
    _require_tritonclient()
    from llama_mapper.adapters.mapping.generation.secret_headers import header_value
    from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress

    for setting, path in (
        ("tls_authorities", server.tls_authorities),
        ("tls_certificate", server.tls_certificate),
        ("tls_key", server.tls_key),
    ):
        if path is not None:
            _require_pem(server.name, setting, path)
    for path in server.header_files.values():
        header_value(path)
    return TritonAddress(
        server.url,
        tls=server.tls,
        certificates=server.tls_authorities,
        headers=dict(server.headers),
        own_certificate=server.tls_certificate,
        own_key=server.tls_key,
        header_files=dict(server.header_files),
        message_limit=server.message_limit,
        keepalive_s=server.keepalive_s,
    )


def expected_models(settings: Settings, server: ModelServerSettings) -> tuple[str, ...]:
    """The models of a server that the settings need, in order, each once."""
    asked = [model.model for model in settings.generation if model.server == server.name]
    if "embedding" in settings.mapping_stages and settings.mapping_embeddings == "triton":
        asked += [settings.mapping_embeddings_served] * (settings.mapping_embeddings_server == server.name)
    return tuple(dict.fromkeys((*server.models, *asked)))


@dataclass(frozen=True, slots=True)
class RunningServers:
    """The desk, and what the watch saw last."""

    desk: ModelServerDesk
    watch: ServerWatch

    def notes(self) -> Mapping[str, str]:
        """Which servers and models are not ready, for `/readyz`."""
        return self.watch.notes()


@asynccontextmanager
async def running_model_servers(
    settings: Settings, database: Database, metrics: PrometheusMetrics | None = None
) -> AsyncIterator[RunningServers]:
    """The servers of the settings, looked at again and again within the block. Nothing is connected where there is
    none."""
    async with open_servers(settings, database) as desk:
        watch = ServerWatch(desk.known)
        is_watched = bool(settings.model_servers) and not settings.mapping_offline
        if metrics is not None and is_watched:
            metrics.gauge(
                "llama_mapper_served_models_not_ready",
                "Models of model servers that the settings need and that are not ready.",
                lambda: len(watch.notes()),
            )
        looking = asyncio.create_task(_keep_looking(watch)) if is_watched else None
        try:
            yield RunningServers(desk, watch)
        finally:
            if looking is not None:
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking


@asynccontextmanager
async def open_servers(settings: Settings, database: Database) -> AsyncIterator[ModelServerDesk]:
    """The desk alone, for commands; `database` is the mapping context's, open by the time that it is used."""
    from llama_mapper.adapters.mapping.sql_server_steps import SqlServerSteps
    from llama_mapper.domain.kernel.clock import system_clock

    servers = _servers(settings)
    desk = ModelServerDesk(servers, SqlServerSteps(database), system_clock)
    try:
        yield desk
    finally:
        await desk.close()
        for server in servers:
            await server.server.close()


@asynccontextmanager
async def open_servers_alone(settings: Settings) -> AsyncIterator[ModelServerDesk]:
    """The same with the mapping context's database, for commands."""
    from llama_mapper.entrypoints.containers.databases import database_for, open_database

    async with open_database(database_for(settings, "mapping")) as database, open_servers(settings, database) as desk:
        yield desk


def _servers(settings: Settings) -> Sequence[KnownServer]:
    from llama_mapper.adapters.mapping.generation.triton_models import TritonModels

    return [
        KnownServer(
            each.name,
            each.kind,
            TritonModels(triton_address(each), load_limit_s=each.load_timeout_s),
            expected_models(settings, each),
        )
        for each in settings.model_servers
    ]


async def _keep_looking(watch: ServerWatch) -> None:
    while True:
        await watch.look()
        await asyncio.sleep(_WHILE_AWAY_S if watch.notes() else _LOOK_EVERY_S)


def _require_pem(server: str, setting: str, path: Path) -> None:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"model_servers: {setting} of {server} cannot be read: {error.strerror}") from error
    if b"-----BEGIN " not in text:
        raise ConfigurationError(f"model_servers: {setting} of {server} is no PEM file")


def _require_tritonclient() -> None:
    from importlib.util import find_spec

    if find_spec("tritonclient") is None:
        raise ConfigurationError("model_servers needs the package tritonclient: install 'llama-mapper[triton]'")
