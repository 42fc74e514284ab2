"""Models on NVIDIA Triton, over gRPC: its vLLM backend on a GPU, or the Python backend of deploy/triton/cpu."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Any

from llama_mapper.adapters.mapping.generation.chat_templates import ChatTemplate
from llama_mapper.adapters.mapping.generation.openai_answers import Faulty, malformed
from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress, TritonConnection, bounded
from llama_mapper.adapters.mapping.generation.triton_tensors import (
    PromptTensors,
    ServedShape,
    answer_of,
    shape_of,
    text_of,
)
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

_PROBE_S = 2.0
_ASK_AGAIN = frozenset({GenerationFault.MODEL_NOT_LOADED, GenerationFault.UNAVAILABLE, GenerationFault.REFUSED})
"""After these the model's configuration may be another one."""


@dataclass(frozen=True, slots=True)
class TritonModel:
    """Which model of which server. `version` is a version's number, empty for the one that the server prefers.

    `concurrency` requests are under way at one time. `template` is how conversations are written; None takes what the
    model's configuration says in its parameter `chat_template`.
    """

    address: TritonAddress
    model: str
    version: str = ""
    concurrency: int = 32
    template: ChatTemplate | None = None


class TritonGeneration:
    """Keeps `Generation`: one request a prompt, so many at one time, over one connection.

    The server batches what is under way together. Each request carries its time limit, and is cancelled on the server
    when the time is over, the call is cancelled or the stream is closed. A model that answers once a request (not
    decoupled) is asked by the unary call, any other by a stream of its own.
    """

    def __init__(self, model: TritonModel) -> None:
        self._model = model
        self._connection = TritonConnection(model.address)
        self._free = asyncio.Semaphore(model.concurrency)
        self._learning = asyncio.Lock()
        self._known: tuple[ServedShape, PromptTensors] | None = None

    @property
    def name(self) -> str:
        """`triton` and the model."""
        return f"triton/{self._model.model}"

    async def model_version(self) -> str:
        """The version that answers, with the configuration's parameter `release` where it has one: `1+mapper-2.0.1`."""
        try:
            async with bounded(monotonic() + _PROBE_S):
                client, headers = self._connection.client(), self._connection.headers()
                told = await client.get_model_metadata(self._model.model, self._model.version, headers=headers)
                shape, _ = await self._learnt()
        except Faulty:
            return "unknown"
        versions = [each for each in told.versions if each.isdecimal()]
        if not versions:
            return "unknown"
        release = shape.parameters.get("release", "")[:64]
        newest = self._model.version or max(versions, key=int)
        return f"{newest}+{release}" if release and release.isprintable() else newest

    async def unready(self) -> GenerationFault | None:
        """Whether the server says within 2 s that the model is ready."""
        try:
            async with bounded(monotonic() + _PROBE_S):
                client, headers = self._connection.client(), self._connection.headers()
                ready = await client.is_model_ready(self._model.model, self._model.version, headers=headers)
        except Faulty as error:
            return GenerationFault.UNAVAILABLE if error.fault is GenerationFault.TIMEOUT else error.fault
        return None if ready else GenerationFault.MODEL_NOT_LOADED

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
        """The text as responses bring it; close the generator to stop early."""
        until = monotonic() + within_s
        try:
            # Time is bounded at each wait and not around them all: between two pieces the caller has its own clock.
            async with bounded(until):
                await self._free.acquire()
            try:
                async with aclosing(self._pieces(prompt, until)) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                self._free.release()
        except Faulty as error:
            raise serving_error(self.name, error.fault) from error

    async def close(self) -> None:
        """Close the connection; what is under way ends with `UNAVAILABLE`."""
        await self._connection.close()

    async def _answer(self, prompt: Prompt, until: float) -> Generated | GenerationFault:
        try:
            async with bounded(until, prompt.adapter), self._free:
                return await self._asked(prompt, until)
        except Faulty as error:
            self._doubt(error.fault)
            return error.fault

    async def _asked(self, prompt: Prompt, until: float) -> Generated:
        shape, tensors = await self._learnt()
        inputs = tensors.written(prompt, stream=False)
        if shape.decoupled:
            result = await self._streamed(inputs, until)
        else:
            result = await self._connection.client().infer(
                self._model.model,
                inputs,
                model_version=self._model.version,
                timeout=_microseconds(until),
                client_timeout=max(0.0, until - monotonic()),
                headers=self._connection.headers(),
            )
        return answer_of(result, prompt)

    async def _streamed(self, inputs: list[Any], until: float) -> Any:
        """The only response of a decoupled model that was asked for its answer in one piece."""
        responses = self._responses(inputs, until)
        results = []
        try:
            async for result, error in responses:
                results.append(_checked(result, error))
        finally:
            responses.cancel()
        if len(results) != 1:
            raise malformed()
        return results[0]

    async def _pieces(self, prompt: Prompt, until: float) -> AsyncGenerator[str, None]:
        adapter = prompt.adapter
        try:
            async with bounded(until, adapter):
                shape, tensors = await self._learnt()
            if not shape.decoupled:
                async with bounded(until, adapter):
                    whole = await self._asked(prompt, until)
                yield whole.text
                return
            responses = self._responses(tensors.written(prompt, stream=True), until)
            try:
                while True:
                    async with bounded(until, adapter):
                        arrived = await anext(responses, None)
                        piece = None if arrived is None else text_of(_checked(*arrived))
                    if piece is None:
                        return
                    if piece:
                        yield piece
            finally:
                responses.cancel()
        except Faulty as error:
            self._doubt(error.fault)
            raise

    def _responses(self, inputs: list[Any], until: float) -> Any:
        request = {
            "model_name": self._model.model,
            "model_version": self._model.version,
            "inputs": inputs,
            "timeout": _microseconds(until),
        }
        return self._connection.client().stream_infer(
            _one(request), stream_timeout=max(0.0, until - monotonic()), headers=self._connection.headers()
        )

    async def _learnt(self) -> tuple[ServedShape, PromptTensors]:
        """What the server's configuration of the model says, asked once."""
        async with self._learning:
            if self._known is None:
                client, headers = self._connection.client(), self._connection.headers()
                told = await client.get_model_config(self._model.model, self._model.version, headers=headers)
                shape = shape_of(told.config)
                template = self._model.template or shape.template
                if template is None:
                    raise Faulty(GenerationFault.REFUSED)  # nobody says how to write a conversation for it
                self._known = shape, PromptTensors(shape, template)
            return self._known

    def _doubt(self, fault: GenerationFault) -> None:
        if fault in _ASK_AGAIN:
            self._known = None


def _checked(result: Any, error: Any) -> Any:
    if error is not None:
        raise error
    return result


def _microseconds(until: float) -> int:
    return max(1, int((until - monotonic()) * 1e6))


async def _one(request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield request
