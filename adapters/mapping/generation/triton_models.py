"""The models of an NVIDIA Triton server: load, unload, list, count."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from llama_mapper.adapters.mapping.generation.openai_answers import Faulty
from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress, TritonConnection, bounded
from llama_mapper.domain.kernel.errors import ErrorCode, ModelServingError
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import GenerationFault
from llama_mapper.domain.mapping.generation.serving import ServedModel, ServedStatistics

_PROBE_S = 2.0
_ASK_S = 10.0


class TritonModels:
    """Keeps `ModelServer`. The server must run with `--model-control-mode=explicit` for `load` and `unload`.

    `load_limit_s` bounds a load and an unload; real weights take minutes.
    """

    def __init__(self, address: TritonAddress, *, load_limit_s: float = 600.0) -> None:
        self._connection = TritonConnection(address)
        self._load_limit_s = load_limit_s

    async def live(self) -> bool:
        """Whether the process answers within 2 s."""
        return await self._is("is_server_live")

    async def ready(self) -> bool:
        """Whether it takes requests, told within 2 s."""
        return await self._is("is_server_ready")

    async def index(self) -> Sequence[ServedModel]:
        """Every model and version of the repository."""
        async with self._asked("index", _ASK_S) as client:
            told = await client.get_model_repository_index(headers=self._connection.headers())
        return [ServedModel(each.name, each.version, each.state, each.reason) for each in told.models]

    async def load(self, name: str, *, parameters: Mapping[str, str] | None = None) -> None:
        """Load the model with its configuration, `parameters` laid over those in it."""
        await self._known(name)
        async with self._asked(name, self._load_limit_s, loading=True) as client:
            config = None if parameters is None else await self._config(client, name, parameters)
            await client.load_model(name, config=config, headers=self._connection.headers())

    async def unload(self, name: str) -> None:
        """Unload the model; returns when the server has begun to."""
        await self._known(name)
        async with self._asked(name, self._load_limit_s) as client:
            await client.unload_model(name, headers=self._connection.headers())

    async def statistics(self, name: str) -> Sequence[ServedStatistics]:
        """Of all loaded versions; none for a model that is not loaded."""
        await self._known(name)
        if not any(each.ready for each in await self.index() if each.name == name):
            return []
        async with self._asked(name, _ASK_S) as client:
            told = await client.get_inference_statistics(name, headers=self._connection.headers())
        return [_statistics(each) for each in told.model_stats]

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _is(self, question: str) -> bool:
        try:
            async with bounded(monotonic() + _PROBE_S):
                return bool(await getattr(self._connection.client(), question)(headers=self._connection.headers()))
        except Faulty:
            return False

    async def _known(self, name: str) -> None:
        if not any(each.name == name for each in await self.index()):
            raise ModelServingError(f"the server's repository has no model {name}", ErrorCode.NOT_FOUND, False)

    async def _config(self, client: Any, name: str, parameters: Mapping[str, str]) -> str:
        """The configuration that the server has, with other parameters. An override replaces it whole."""
        import orjson

        headers = self._connection.headers()
        if not await client.is_model_ready(name, headers=headers):
            await client.load_model(name, headers=headers)  # the server tells the configuration of loaded models only
        config = (await client.get_model_config(name, headers=headers, as_json=True))["config"]
        present = config.setdefault("parameters", {})
        present.update({key: {"string_value": value} for key, value in parameters.items()})
        return orjson.dumps(config).decode()

    @asynccontextmanager
    async def _asked(self, name: str, within_s: float, *, loading: bool = False) -> AsyncIterator[Any]:
        try:
            async with bounded(monotonic() + within_s):
                yield self._connection.client()
        except Faulty as error:
            if loading and error.fault is not GenerationFault.TIMEOUT and await self.live():
                code = ErrorCode.UPSTREAM_INVALID_RESPONSE
                raise ModelServingError(f"triton/{name}: does not load", code, False) from error
            raise serving_error(f"triton/{name}", error.fault) from error


def _statistics(told: Any) -> ServedStatistics:
    times = told.inference_stats
    return ServedStatistics(
        name=told.name,
        version=told.version,
        requests=times.success.count,
        failures=times.fail.count,
        executions=told.execution_count,
        queue_s=times.queue.ns / 1e9,
        compute_s=(times.compute_input.ns + times.compute_infer.ns + times.compute_output.ns) / 1e9,
    )
