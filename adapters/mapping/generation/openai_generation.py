"""Models behind OpenAI's `POST /v1/chat/completions`: vLLM, TGI, llama.cpp's server, OpenAI itself and its likes."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from llama_mapper.adapters.mapping.generation.openai_answers import (
    Faulty,
    fault_of,
    generated,
    malformed,
    only_choice,
    parsed,
    taken_out,
)
from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect, body_of, is_wrapped, served, unwrapped
from llama_mapper.adapters.platform.http_calls import open_http_client, openai_url, retry_after
from llama_mapper.adapters.platform.http_steps import heed_status, http_step
from llama_mapper.domain.kernel.trace import CURRENT_TRACE
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

if TYPE_CHECKING:
    import aiohttp

_ANSWER_LIMIT = 4 * 1024 * 1024
_ERROR_LIMIT = 16 * 1024
_PROBE_S = 2.0
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class OpenAiServer:
    """Where a model is asked, and how. `url` is with or without `/v1`; `key_env` names the variable with the API key.

    `concurrency` requests are under way at one time. `adapters` are llama.cpp's LoRA weights, in its order.
    """

    url: str
    model: str
    dialect: Dialect = Dialect.OPENAI
    key_env: str | None = None
    key: str | None = None
    concurrency: int = 16
    adapters: tuple[str, ...] = ()
    version: str | None = None


class OpenAiGeneration:
    """Keeps `Generation` over HTTP: one request a prompt, so many at one time, over kept connections.

    The server batches what is under way together. The protocol has no word for a time limit: when the time is over, or
    the call is cancelled, the connection is closed, and these servers stop generating. A server that asks with
    `Retry-After` to wait is not asked meanwhile (a minute at the most): the fault is `OVERLOADED`.
    """

    def __init__(self, server: OpenAiServer) -> None:
        self._server = server
        self._free = asyncio.Semaphore(server.concurrency)
        self._client: aiohttp.ClientSession | None = None
        self._closed = False
        self._wait_until = -math.inf

    @property
    def name(self) -> str:
        """The dialect and the model."""
        return f"{self._server.dialect}/{self._server.model}"

    async def model_version(self) -> str:
        """What the configuration says, else TGI's revision, or the root or id of the model as it is listed."""
        if self._server.version:
            return self._server.version
        try:
            async with _bounded(monotonic() + _PROBE_S):
                if self._server.dialect is Dialect.TGI:
                    told = (await self._got("/info", versioned=False)).get("model_sha")
                else:
                    entry = served(self._server.dialect, await self._models(), self._server.model) or {}
                    told = entry.get("root") or entry.get("id")
        except Faulty:
            return "unknown"
        return told[:128] if isinstance(told, str) and told.isprintable() and told else "unknown"

    async def unready(self) -> GenerationFault | None:
        """Whether the server lists the model within 2 s."""
        if monotonic() < self._wait_until:
            return GenerationFault.OVERLOADED
        try:
            async with _bounded(monotonic() + _PROBE_S):
                entry = served(self._server.dialect, await self._models(), self._server.model)
        except Faulty as error:
            return GenerationFault.UNAVAILABLE if error.fault is GenerationFault.TIMEOUT else error.fault
        return GenerationFault.MODEL_NOT_LOADED if entry is None else None

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        """One request a prompt, side by side."""
        until = monotonic() + within_s
        if len(prompts) == 1:
            return [await self._answer(prompts[0], until)]
        tasks = [asyncio.create_task(self._answer(prompt, until)) for prompt in prompts]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def stream(self, prompt: Prompt, *, within_s: float) -> AsyncGenerator[str, None]:
        """The text as server-sent events bring it; close the generator to stop early.

        OpenAI's own dialect gives an answer that is not an object in one piece, since it comes inside of one.
        """
        until = monotonic() + within_s
        try:
            # Time is bounded at each wait and not around them all: between two pieces the caller has its own clock.
            async with _bounded(until):
                await self._free.acquire()
            try:
                if is_wrapped(self._server.dialect, prompt.schema):
                    whole = "".join([piece async for piece in self._pieces(prompt, until)])
                    yield taken_out(whole, unwrapped)
                    return
                async with aclosing(self._pieces(prompt, until)) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                self._free.release()
        except Faulty as error:
            raise serving_error(self.name, error.fault, error.wait_s or None) from error

    async def close(self) -> None:
        """Close the connections; what is under way ends with `UNAVAILABLE`."""
        self._closed = True
        if self._client is not None:
            await self._client.close()

    async def _answer(self, prompt: Prompt, until: float) -> Generated | GenerationFault:
        with http_step("POST", self._server.url) as at:
            try:
                async with _bounded(until), self._free, self._posted(prompt, stream=False) as response:
                    heed_status(at, response.status)
                    content = await _read(response, _ANSWER_LIMIT)
                wrapped = is_wrapped(self._server.dialect, prompt.schema)
                return generated(parsed(content), prompt, unwrapped if wrapped else None)
            except Faulty as error:
                at.fail(error.fault.value)
                return error.fault

    async def _pieces(self, prompt: Prompt, until: float) -> AsyncGenerator[str, None]:
        posted = self._posted(prompt, stream=True)
        async with _bounded(until):
            response = await posted.__aenter__()
        try:
            read = 0
            ended = False
            while True:
                async with _bounded(until):
                    line = await response.content.readline()
                if not line:
                    break
                read += len(line)
                if read > _ANSWER_LIMIT:
                    raise malformed()
                data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                if data == b"[DONE]":
                    return
                if data:
                    piece, ended = _piece(parsed(data), ended)
                    if piece:
                        yield piece
            if not ended:
                raise malformed()
        finally:
            await posted.__aexit__(None, None, None)

    @asynccontextmanager
    async def _posted(self, prompt: Prompt, *, stream: bool) -> AsyncIterator[aiohttp.ClientResponse]:
        """The server's answer to a prompt, its status looked at."""
        import orjson

        server = self._server
        if monotonic() < self._wait_until:
            raise Faulty(GenerationFault.OVERLOADED, self._wait_until - monotonic())
        if server.dialect is Dialect.LLAMA_CPP and prompt.adapter not in (None, *server.adapters):
            raise Faulty(GenerationFault.ADAPTER_NOT_FOUND)
        told = body_of(server.dialect, server.model, prompt, server.adapters)
        try:
            body = orjson.dumps({**told, "stream": True} if stream else told)
        except orjson.JSONEncodeError:
            raise Faulty(GenerationFault.REFUSED) from None  # not valid Unicode; the cause would quote it
        url = openai_url(server.url, "/chat/completions")
        async with self._session().post(url, data=body, headers=self._headers(), allow_redirects=False) as response:
            if response.status != 200:
                self._heed(response)
                said = await _read(response, _ERROR_LIMIT, cut=True)
                wait_s = max(0.0, self._wait_until - monotonic())
                raise Faulty(fault_of(response.status, said, prompt.adapter), wait_s)
            yield response

    async def _models(self) -> list[dict[str, Any]]:
        listed = (await self._got("/models")).get("data")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise malformed()
        return listed

    async def _got(self, path: str, *, versioned: bool = True) -> dict[str, Any]:
        base = self._server.url.rstrip("/").removesuffix("/v1")
        url = openai_url(base, path) if versioned else base + path
        async with self._session().get(url, headers=self._headers(), allow_redirects=False) as response:
            content = await _read(response, _ANSWER_LIMIT, cut=True)
            if response.status != 200:
                raise Faulty(fault_of(response.status, content, None))
            return parsed(content)

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Faulty(GenerationFault.UNAVAILABLE)
        if self._client is None:
            self._client = open_http_client(self._server.concurrency + 1)  # one more for the probe
        return self._client

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if trace := CURRENT_TRACE.get():
            headers |= trace.headers
        server = self._server
        key = server.key or (os.environ.get(server.key_env, "") if server.key_env else "")
        if server.key_env and not (key and key.isascii() and key.isprintable()):
            raise Faulty(GenerationFault.UNAVAILABLE)
        return headers | ({"authorization": f"Bearer {key}"} if key else {})

    def _heed(self, response: aiohttp.ClientResponse) -> None:
        if response.status in (429, 503):
            wait_s = retry_after(response.headers.get("retry-after", ""))
            if wait_s:
                self._wait_until = monotonic() + min(wait_s, _LONGEST_WAIT_S)


def _piece(answer: dict[str, Any], ended: bool) -> tuple[str, bool]:
    if answer.get("choices") == [] and "usage" in answer:
        return "", ended
    choice = only_choice(answer)
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    if text is not None and not isinstance(text, str):
        raise malformed()
    return text or "", ended or choice.get("finish_reason") is not None


async def _read(response: aiohttp.ClientResponse, limit: int, *, cut: bool = False) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise malformed()
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > limit:
            if cut:
                break
            raise malformed()
    return bytes(content)


@asynccontextmanager
async def _bounded(until: float) -> AsyncIterator[None]:
    """Bound what is done by the clock of `monotonic`, and turn the driver's errors into faults."""
    import aiohttp

    left = until - monotonic()
    if left <= 0:
        raise Faulty(GenerationFault.TIMEOUT)
    try:
        async with asyncio.timeout(left):
            yield
    except TimeoutError as error:
        raise Faulty(GenerationFault.TIMEOUT) from error
    except aiohttp.ClientResponseError as error:
        raise malformed() from error
    except aiohttp.ClientError as error:
        raise Faulty(GenerationFault.UNAVAILABLE) from error
    except (RuntimeError, ValueError) as error:
        # A session that was closed meanwhile; a line of a stream without end; an address that is none.
        fault = GenerationFault.UNAVAILABLE if isinstance(error, RuntimeError) else GenerationFault.INVALID_ANSWER
        raise Faulty(fault) from error
