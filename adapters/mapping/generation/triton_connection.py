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
from llama_mapper.adapters.mapping.generation.triton_faults import fault_of
from llama_mapper.domain.kernel.trace import CURRENT_TRACE
from llama_mapper.domain.mapping.generation.ports import GenerationFault

_MESSAGE_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TritonAddress:
    """Where the server's gRPC port is: `host:port`. `headers` go with every call, for a gateway that wants a token.

    `certificates` are a PEM file of authorities; given or not, `tls` decides whether the connection is encrypted.
    """

    target: str
    tls: bool = False
    certificates: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class TritonConnection:
    """tritonclient's asyncio client over one channel, which finds a server that was away again by itself."""

    def __init__(self, address: TritonAddress) -> None:
        self._address = address
        self._client: Any = None
        self._closed = False

    def client(self) -> Any:
        """The client; raises `Faulty` once the connection is closed."""
        if self._closed:
            raise Faulty(GenerationFault.UNAVAILABLE)
        if self._client is None:
            from tritonclient.grpc.aio import InferenceServerClient

            authorities = self._address.certificates
            self._client = InferenceServerClient(
                self._address.target,
                ssl=self._address.tls,
                root_certificates=None if authorities is None else str(authorities),
                channel_args=_CHANNEL,
            )
        return self._client

    def headers(self) -> dict[str, str]:
        """For every call: the address's, and the trace that this belongs to."""
        headers = dict(self._address.headers)
        if trace := CURRENT_TRACE.get():
            headers |= trace.headers
        return headers

    async def close(self) -> None:
        """End what is under way."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()


# A connection that was lost is tried again after 0.1 s and at the latest every 2 s, not every 2 minutes.
_CHANNEL = [
    ("grpc.max_send_message_length", _MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
    ("grpc.primary_user_agent", "llama-mapper"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 30_000),
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
