"""Embeddings by a model on NVIDIA Triton: `text` → `embedding`; the server batches. See deploy/triton."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from time import monotonic
from typing import Any

from llama_mapper.adapters.mapping.generation.openai_answers import Faulty, malformed
from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress, TritonConnection, bounded
from llama_mapper.adapters.mapping.generation.triton_tensors import array_of
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import GenerationFault

_TOGETHER = 64
"""Texts of one request: the largest batch that deploy/triton's configuration admits."""
_PROBE_S = 10.0


class TritonEmbeddings:
    """Texts → unit vectors. The same text gives the same vector but for rounding: what is batched with it may change
    the last bits.
    """

    def __init__(
        self, connection: TritonConnection, model: str, number: str, version: str, dimensions: int, concurrency: int
    ) -> None:
        self._connection, self._model, self._dimensions = connection, model, dimensions
        # Each request names the number, so that vectors of other weights never come unnoticed.
        self._number, self._version = number, version
        self._free = asyncio.Semaphore(concurrency)

    @classmethod
    async def opened(
        cls, address: TritonAddress, model: str = "embeddings", *, concurrency: int = 8
    ) -> TritonEmbeddings:
        """Ask the server what it has; raise `ModelServingError` if it cannot be asked or the model is not loaded.

        `ConfigurationError`: the model does not make vectors.
        """
        connection, name = TritonConnection(address), f"triton/{model}"
        try:
            number, version, sizes = await _told(connection, model)
        except Faulty as error:
            await connection.close()
            raise serving_error(name, error.fault) from error
        if len(sizes) != 1 or sizes[0] < 1:
            await connection.close()
            raise ConfigurationError(f"{name} gives no embedding of fixed size")
        return cls(connection, model, number, version, sizes[0], concurrency)

    @property
    def version(self) -> str:
        """The server's name and number of the model, when it was opened; the configuration's `release` with it."""
        return self._version

    async def current_version(self) -> str:
        """What the server says now; raise `SERVICE_UNAVAILABLE` or `REQUEST_TIMEOUT`."""
        try:
            return (await _told(self._connection, self._model))[1]
        except Faulty as error:
            raise serving_error(f"triton/{self._model}", error.fault) from error

    @property
    def dimensions(self) -> int:
        """Numbers a vector has."""
        return self._dimensions

    async def embed(self, texts: Sequence[str], *, within_s: float) -> Sequence[array[float]]:
        """One unit vector a text, in order; raise `SERVICE_UNAVAILABLE` or `REQUEST_TIMEOUT`."""
        until = monotonic() + within_s
        parts = [texts[first : first + _TOGETHER] for first in range(0, len(texts), _TOGETHER)]
        tasks = [asyncio.create_task(self._embedded(part, until)) for part in parts]
        try:
            done = await asyncio.gather(*tasks)
        except BaseException as error:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if isinstance(error, Faulty):
                raise serving_error(f"triton/{self._model}", error.fault) from error
            raise
        return [vector for part in done for vector in part]

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _embedded(self, texts: Sequence[str], until: float) -> list[array[float]]:
        async with bounded(until), self._free:
            result = await self._connection.client().infer(
                self._model,
                [_texts(texts)],
                model_version=self._number,
                timeout=max(1, int((until - monotonic()) * 1e6)),
                client_timeout=max(0.0, until - monotonic()),
                headers=self._connection.headers(),
            )
        return self._vectors(array_of(result, "embedding"), len(texts))

    def _vectors(self, told: Any, count: int) -> list[array[float]]:
        import numpy as np

        if told is None or told.dtype != np.float32 or told.shape != (count, self._dimensions):
            raise malformed()
        lengths = np.linalg.norm(told, axis=1)
        if not np.all(np.abs(lengths - 1.0) < 1e-3):  # not numbers are not near 1 either
            raise malformed()
        return [array("f", row.tobytes()) for row in told]


async def _told(connection: TritonConnection, model: str) -> tuple[str, str, list[int]]:
    """The newest version's number, the text that names it, and the sizes of what it gives as `embedding`."""
    async with bounded(monotonic() + _PROBE_S):
        client, headers = connection.client(), connection.headers()
        told = await client.get_model_metadata(model, headers=headers)
        config = await client.get_model_config(model, headers=headers)
    versions = [each for each in told.versions if each.isdecimal()]
    if not versions:
        raise Faulty(GenerationFault.MODEL_NOT_LOADED)
    number = max(versions, key=int)
    release = config.config.parameters["release"].string_value if "release" in config.config.parameters else ""
    named = f"triton/{model}:{number}"
    sizes = [int(each.shape[-1]) for each in told.outputs if each.name == "embedding"]
    return number, f"{named}+{release}" if release else named, sizes


def _texts(texts: Sequence[str]) -> Any:
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput("text", [len(texts), 1], "BYTES")
    # Text that is not valid Unicode has no meaning to lose.
    tensor.set_data_from_numpy(np.array([[text.encode(errors="replace")] for text in texts], dtype=np.object_))
    return tensor
