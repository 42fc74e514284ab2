"""A gRPC connection to NVIDIA Triton, opened when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from llama_mapper.adapters.mapping.generation.openai_answers import Faulty
from llama_mapper.adapters.mapping.generation.secret_headers import HeaderFiles
from llama_mapper.adapters.mapping.generation.triton_faults import fault_of
from llama_mapper.domain.kernel.trace import CURRENT_TRACE
from llama_mapper.domain.mapping.generation.ports import GenerationFault

_MESSAGE_LIMIT = 16 * 1024 * 1024
_KEEPALIVE_S = 30.0


@dataclass(frozen=True, slots=True)
class TritonAddress:
    """Where the server's gRPC port is: `host:port`. `headers` go with every call, for a gateway that wants a token;
    `header_files` are headers whose values are in files, read again when they change.

    `certificates` are a PEM file of authorities; given or not, `tls` decides whether the connection is encrypted.
    `own_certificate` and `own_key` are PEM files too, for a server that wants to know who calls. `message_limit` is in
    bytes, each way. A connection that was silent for `keepalive_s` is tried.
    """

    target: str
    tls: bool = False
    certificates: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    own_certificate: Path | None = None
    own_key: Path | None = None
    header_files: Mapping[str, Path] = field(default_factory=dict)
    message_limit: int = _MESSAGE_LIMIT
    keepalive_s: float = _KEEPALIVE_S


class TritonConnection:
    """tritonclient's asyncio client over one channel, which finds a server that was away again by itself."""

    def __init__(self, address: TritonAddress) -> None:
        self._address = address
        self._secret = HeaderFiles(address.header_files) if address.header_files else None
        self._client: Any = None
        self._closed = False

    def client(self) -> Any:
        """The client; raises `Faulty` once the connection is closed."""
        if self._closed:
            raise Faulty(GenerationFault.UNAVAILABLE)
        if self._client is None:
            from tritonclient.grpc.aio import InferenceServerClient

            address = self._address
            try:
                self._client = InferenceServerClient(
                    address.target,
                    ssl=address.tls,
                    root_certificates=address.certificates,
                    certificate_chain=address.own_certificate,
                    private_key=address.own_key,
                    channel_args=_channel(address),
                )
            except OSError as error:  # a file of certificates that went away
                raise Faulty(GenerationFault.TLS_FAILED) from error
        return self._client

    def headers(self) -> dict[str, str]:
        """For every call: the address's, and the trace that this belongs to."""
        headers = dict(self._address.headers)
        if self._secret is not None:
            headers |= self._secret.values()
        if trace := CURRENT_TRACE.get():
            headers |= trace.headers
        return headers

    async def close(self) -> None:
        """End what is under way."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _channel(address: TritonAddress) -> list[tuple[str, int | str]]:
    """A connection that was lost is tried again after 0.1 s and at the latest every 2 s, not every 2 minutes."""
    return [
        ("grpc.max_send_message_length", address.message_limit),
        ("grpc.max_receive_message_length", address.message_limit),
        ("grpc.primary_user_agent", "llama-mapper"),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.keepalive_time_ms", round(address.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]


@asynccontextmanager
async def bounded(until: float, adapter: str | None = None) -> AsyncIterator[float]:
    """Bound what is done by the clock of `monotonic`, and turn the client's errors into `Faulty`; gives the rest."""
    import grpc
    from tritonclient.utils import InferenceServerException

    left = until - monotonic()
    if left <= 0:
        raise Faulty(GenerationFault.TIMEOUT)
    try:
        async with asyncio.timeout(left):
            yield left
    except TimeoutError as error:
        raise Faulty(GenerationFault.TIMEOUT) from error
    except InferenceServerException as error:
        raise Faulty(fault_of(error.status() or "", error.message() or "", adapter)) from None  # it may quote
    except grpc.aio.AioRpcError as error:
        raise Faulty(fault_of(error.code().name, error.details() or "", adapter)) from None
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Faulty(GenerationFault.UNAVAILABLE) from error  # not we were cancelled, but the call: by `close`
    except (grpc.aio.UsageError, asyncio.InvalidStateError, grpc.RpcError) as error:
        raise Faulty(GenerationFault.UNAVAILABLE) from error  # closed meanwhile
