"""A local GGUF file on this machine's processor: llama.cpp in a process of its own. ADR 67."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import cast

from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect
from llama_mapper.adapters.mapping.generation.openai_generation import OpenAiGeneration, OpenAiServer
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

_WORKER = "llama_mapper.adapters.mapping.generation.gguf_worker"
_LOAD_S = 300.0
_REST_S = 5.0
_END_S = 2.0
_OURS = "LLAMA_MAPPER_"


@dataclass(frozen=True, slots=True)
class GgufModel:
    """The file, what its SHA-256 must be (hexadecimal; None: whatever it is), and what it may use.

    `context` are the tokens of one prompt and its answer, `parallel` the prompts at one time, `threads` the processor's
    threads. `adapters` are LoRA weights: name → GGUF file.
    """

    path: Path
    sha256: str | None = None
    context: int = 4096
    parallel: int = 2
    threads: int = 1
    adapters: Mapping[str, Path] = field(default_factory=dict)


class GgufGeneration:
    """Keeps `Generation` over a worker process that is started by `start` or the first question.

    While the model loads, `unready` says `MODEL_NOT_LOADED` and questions wait within their time. A worker that died
    is started again by the next question; one that could not load, not before five seconds have passed. `problem` says
    in words why there is none, and `on_problem` is told it each time that loading failed.
    """

    def __init__(self, model: GgufModel, on_problem: Callable[[str], None] | None = None) -> None:
        self._model = model
        self._on_problem = on_problem
        self._process: asyncio.subprocess.Process | None = None
        self._served: OpenAiGeneration | None = None
        self._starting: asyncio.Task[None] | None = None
        self._digest: str | None = None
        self._failed_at: float | None = None
        self._closed = False
        self.problem: str | None = None

    @property
    def name(self) -> str:
        """`gguf` and the file's name without its ending."""
        return f"gguf/{self._model.path.stem}"

    async def model_version(self) -> str:
        """The first 16 digits of the file's SHA-256, once it was read."""
        return "unknown" if self._digest is None else f"sha256:{self._digest[:16]}"

    def start(self) -> None:
        """Begin to load the model; returns at once."""
        if self._closed or self._alive() or self._starting is not None:
            return
        if self._failed_at is not None and monotonic() < self._failed_at + _REST_S:
            return
        self._starting = asyncio.create_task(self._started())
        self._starting.add_done_callback(self._forget)

    async def unready(self) -> GenerationFault | None:
        """Whether the worker runs and its model is loaded; begins to load it where not."""
        if self._closed:
            return GenerationFault.UNAVAILABLE
        if self._alive() and self._served is not None:
            return await self._served.unready()
        self.start()
        return GenerationFault.MODEL_NOT_LOADED

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        """All prompts side by side, `parallel` at one time."""
        until = monotonic() + within_s
        served = await self._ready(within_s)
        if isinstance(served, GenerationFault):
            return [served] * len(prompts)
        return await served.generate(prompts, within_s=until - monotonic())

    async def stream(self, prompt: Prompt, *, within_s: float) -> AsyncGenerator[str, None]:
        """The text piece by piece; close the generator to stop early."""
        until = monotonic() + within_s
        served = await self._ready(within_s)
        if isinstance(served, GenerationFault):
            raise serving_error(self.name, served)
        async with contextlib.aclosing(served.stream(prompt, within_s=until - monotonic())) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """End the worker, also one that still loads."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        await self._end()

    async def _ready(self, within_s: float) -> OpenAiGeneration | GenerationFault:
        if self._closed:
            return GenerationFault.UNAVAILABLE
        if within_s <= 0:
            return GenerationFault.TIMEOUT
        if not self._alive():
            self.start()
            if self._starting is not None and not (await asyncio.wait({self._starting}, timeout=within_s))[0]:
                return GenerationFault.TIMEOUT
        if self._alive() and self._served is not None:
            return self._served
        return GenerationFault.UNAVAILABLE if self._closed else GenerationFault.MODEL_NOT_LOADED

    def _alive(self) -> bool:
        return self._served is not None and self._process is not None and self._process.returncode is None

    async def _started(self) -> None:
        await self._end()
        model, key = self._model, secrets.token_urlsafe(32)
        self.problem = await asyncio.to_thread(self._checked)
        if self.problem is None:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", _WORKER),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(model.threads),
            )
            told = {
                "path": str(model.path),
                "key": key,
                "context": model.context,
                "parallel": model.parallel,
                "threads": model.threads,
                "adapters": [str(path) for path in model.adapters.values()],
            }
            url = await self._loaded(process, json.dumps(told))
            if url is not None:
                self._failed_at = None
                self._served = OpenAiGeneration(
                    OpenAiServer(
                        url,
                        model.path.stem,
                        Dialect.LLAMA_CPP,
                        key=key,
                        concurrency=model.parallel,
                        adapters=tuple(model.adapters),
                    )
                )
                return
        await self._end()
        self._failed()

    async def _loaded(self, process: asyncio.subprocess.Process, told: str) -> str | None:
        written, read = cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)
        try:
            async with asyncio.timeout(_LOAD_S):
                written.write(told.encode() + b"\n")
                await written.drain()
                answer = json.loads(await read.readline() or b"{}")
        except (TimeoutError, OSError, ValueError) as error:
            self.problem = f"the model could not be loaded ({type(error).__name__})"
            return None
        url = answer.get("url")
        self.problem = None if url else answer.get("problem", "the process that loads the model died")
        return str(url) if url else None

    def _checked(self) -> str | None:
        """Read the file once for its digest; say what is wrong with it."""
        try:
            if self._digest is None:
                with self._model.path.open("rb") as file:
                    self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return f"the model's file cannot be read: {error.strerror}"
        wanted = self._model.sha256
        if wanted is not None and self._digest != wanted.lower():
            self._digest = None
            return "the SHA-256 of the model's file is not the configured one"
        return None

    async def _end(self) -> None:
        served, self._served = self._served, None
        if served is not None:
            await served.close()
        process = self._process
        if process is None:
            return
        self._process = None
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._starting = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problem = f"the process for the model could not be started ({type(error).__name__})"
            self._failed()

    def _failed(self) -> None:
        self._failed_at = monotonic()
        if self._on_problem is not None and self.problem is not None:
            self._on_problem(self.problem)


def _environment(threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {"OMP_NUM_THREADS": str(threads)}
