"""Serving an application with uvicorn, after everything behind it has started."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.containers.commands import start_logging
from llama_mapper.entrypoints.http.services import application_of, is_loopback
from llama_mapper.entrypoints.settings import Settings
from llama_mapper.entrypoints.version import service_version

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from llama_mapper.entrypoints.containers.running import Running

_BACKLOG = 2048

Start = Callable[[Settings], AbstractAsyncContextManager["Running"]]


def serve_context(context: str, settings: Settings) -> None:
    """Serve the monolith (`all`) or one context until a signal ends it; return when connections are drained.

    Raises `CONFIGURATION_INVALID` if the address is open to others and no credential protects it, or is taken.
    """
    start_logging(settings)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(context, settings))
    else:
        uvloop.run(_serve(context, settings))


def _start(context: str) -> Start:
    if context == "all":
        from llama_mapper.entrypoints.containers.root import running_monolith

        return partial(running_monolith, jobs=True)
    from llama_mapper.entrypoints.containers import split

    return {
        "orchestration": split.running_front,
        "analysis": split.running_analysis_service,
        "mapping": split.running_mapping_service,
    }[context]


async def _serve(context: str, settings: Settings) -> None:
    with _listening(settings) as listener:
        async with _start(context)(settings) as running:
            keyless = not await running.platform.api_keys().list()
            if keyless and not is_loopback(settings.host) and (settings.link_secret is None or context in _FRONT):
                raise ConfigurationError(
                    f"there is no API key, so the server may not listen on {settings.host}: "
                    "create one with 'llama-mapper keys create --tenant NAME', or listen on 127.0.0.1"
                )
            _listen(listener)
            server = uvicorn.Server(
                uvicorn_config(application_of(running, settings, front=context in _FRONT), settings.trusted_proxies)
            )
            sys.stdout.write(greeting(context, listener.getsockname()[1], settings.host, keyless=keyless))
            sys.stdout.flush()
            # What start-up made lives for ever: keep the collector from walking it again and again.
            gc.collect()
            gc.freeze()
            # uvicorn raises the signal that ended it again when it has drained; what runs behind is still to be closed.
            for ending in (signal.SIGINT, signal.SIGTERM):
                signal.signal(ending, _already_ending)
            await server.serve(sockets=[listener])


def _listen(listener: socket.socket) -> None:
    """Begin to take connections; of two servers that started at once on one port, one is told here."""
    try:
        listener.listen(_BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _already_ending(_: int, __: FrameType | None) -> None:
    return None


def _listening(settings: Settings) -> socket.socket:
    """The listening socket; raise `CONFIGURATION_INVALID` if the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        hint = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise ConfigurationError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}{hint}") from error
    return listener


def uvicorn_config(app: Starlette, trusted_proxies: tuple[str, ...]) -> uvicorn.Config:
    """How uvicorn serves; a forwarded client address is believed from `trusted_proxies` alone."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=bool(trusted_proxies),  # by default it would believe whoever connects from this machine
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=10,
    )


def greeting(context: str, port: int, host: str, *, keyless: bool) -> str:
    """What the terminal shows when the server listens: where, for whom, and a request to try."""
    name = f"[{host}]" if ":" in host else host
    base = f"http://{name}:{port}"
    lines = [f"llama-mapper {service_version()} serves {_SERVED[context]} on {base}"]
    if keyless and is_loopback(host):
        lines.append("No API key exists: only this machine can connect, and every caller is the tenant 'local'.")
    if context in _FRONT:
        credential = "" if keyless else " -H 'authorization: Bearer KEY'"
        lines += [
            f"Detectors load in the background; {base}/readyz tells which are ready. API: {base}/docs",
            "Try:",
            f"  curl -s {base}/v1/assessments{credential} -H 'content-type: application/json' \\",
            """    -d '{"content": "My card is 4111 1111 1111 1111, mail me at anna@example.com", """
            """"frameworks": ["soc2", "gdpr"]}'""",
        ]
    return "\n".join(lines) + "\n"


_FRONT = frozenset({"all", "orchestration"})
_SERVED = {
    "all": "the whole chain",
    "orchestration": "orchestration and the chain over links",
    "analysis": "analysis",
    "mapping": "mapping",
}
