"""A round trip through the adapter for NVIDIA Triton, beside tritonclient's own call of the same model.

The models give back their text. Needs `.venv-models` (`make models`) for the real tritonserver, and the extra `triton`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from bench.statistics_of import quantile, show, verdict
from llama_mapper.adapters.mapping.generation.chat_templates import ChatTemplate, rendered
from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
from llama_mapper.adapters.mapping.generation.triton_generation import TritonGeneration, TritonModel
from llama_mapper.domain.mapping.generation.ports import Generated, Prompt

ROOT = Path(__file__).parents[1]
PORT = 31_470
PROMPT = Prompt(system="s" * 200, user="u" * 340)
ROUNDS, CALLS, CLIENTS = 8, 60, 16
BUDGET = 1.3
Call = Callable[[], Awaitable[None]]


def interpreter() -> Path | None:
    """The one that has tritonserver."""
    named = os.environ.get("LLAMA_MAPPER_TEST_MODELS_PYTHON")
    python = Path(named) if named else ROOT / ".venv-models" / "bin" / "python"
    return python if python.exists() else None


@contextlib.contextmanager
def tritonserver(python: Path) -> Iterator[None]:
    """The real server with the models of this benchmark."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        folder.mkdir()
        launcher = ROOT / "deploy" / "triton" / "launch.py"
        repository = ROOT / "bench" / "triton_repository"
        command = [python, launcher, "--models", "own", "--repository", repository, "--port", PORT, "--folder", folder]
        quiet = subprocess.DEVNULL
        with subprocess.Popen([str(part) for part in command], stdout=quiet, stderr=quiet) as process:
            until = time.monotonic() + 60
            while not (folder / "running.json").exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("tritonserver did not start")
                time.sleep(0.05)
            yield
            process.terminate()


async def run() -> None:
    """Both ways of asking, by turns with their floors; one client, then several."""
    python = interpreter()
    if python is None:
        show("triton: not measured", "there is no .venv-models: run `make models`")
        return
    with tritonserver(python):
        address = TritonAddress(f"127.0.0.1:{PORT + 1}")
        async with connected(address.target) as client:
            for model, floor in (("identity", unary(client)), ("identity_stream", streamed(client))):
                generation = TritonGeneration(TritonModel(address, model))
                await measured(model, floor, ours(generation))
                await generation.close()


async def measured(model: str, floor: Call, adapter: Call) -> None:
    """Print medians, and their ratio; rates, and theirs."""
    for call in (floor, adapter):
        await timed(call)
    times: dict[str, list[float]] = {"floor": [], "adapter": []}
    rates: dict[str, list[float]] = {"floor": [], "adapter": []}
    for _ in range(ROUNDS):
        for name, call in (("floor", floor), ("adapter", adapter)):
            times[name] += await timed(call)
            began = time.perf_counter()
            await asyncio.gather(*(timed(call) for _ in range(CLIENTS)))
            rates[name].append(CLIENTS * CALLS / (time.perf_counter() - began))
    medians = {name: quantile(samples, 0.5) for name, samples in times.items()}
    ratio = medians["adapter"] / medians["floor"]
    show(f"{model}, tritonclient's own call, p50", f"{medians['floor'] * 1e6:.0f} µs")
    show(
        f"{model}, the adapter, p50", f"{medians['adapter'] * 1e6:.0f} µs", f"ratio {ratio:.2f}", verdict(ratio, BUDGET)
    )
    best = {name: max(samples) for name, samples in rates.items()}
    share = f"{best['adapter'] / best['floor']:.2f} of it"
    show(f"{model}, {CLIENTS} clients, requests/s", f"own {best['floor']:.0f}", f"adapter {best['adapter']:.0f}", share)


async def timed(call: Call) -> list[float]:
    """Seconds of so many calls, one after the other."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        times.append(time.perf_counter() - began)
    return times


@contextlib.asynccontextmanager
async def connected(target: str) -> AsyncIterator[Any]:
    """tritonclient itself."""
    from tritonclient.grpc.aio import InferenceServerClient

    async with InferenceServerClient(target) as client:
        yield client


def unary(client: Any) -> Call:
    """The floor of a model that answers once."""

    async def call() -> None:
        result = await client.infer("identity", [_input()])
        assert result.as_numpy("text_output").size == 1

    return call


def streamed(client: Any) -> Call:
    """The floor of a decoupled model, which has no unary call."""

    async def one() -> AsyncIterator[dict[str, Any]]:
        yield {"model_name": "identity_stream", "inputs": [_input()]}

    async def call() -> None:
        async for result, error in client.stream_infer(one()):
            assert error is None
            assert result.as_numpy("text_output").size == 1

    return call


def ours(generation: TritonGeneration) -> Call:
    """The adapter: the template, the limits, the checks."""

    async def call() -> None:
        (answer,) = await generation.generate([PROMPT], within_s=10.0)
        assert isinstance(answer, Generated)

    return call


TEXT = rendered(PROMPT, ChatTemplate.CHATML).encode()


def _input() -> Any:
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput("text_input", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([TEXT], dtype=np.object_))
    return tensor


if __name__ == "__main__":
    print(json.dumps({"text_bytes": len(TEXT)}))
    asyncio.run(run())
