"""A model whose answers a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

Answer = Generated | GenerationFault | str
Script = Callable[[Prompt], Answer]


class ScriptedGeneration:
    """Answers each prompt by `script`; `calls` keeps what was asked, `within` how much time each call had."""

    def __init__(self, script: Script | Answer, name: str = "scripted/model", takes_s: float = 0.0) -> None:
        self._script = script if callable(script) else lambda _: script
        self._name = name
        self._takes_s = takes_s
        self.calls: list[tuple[Prompt, ...]] = []
        self.within: list[float] = []
        self.closed = 0

    @property
    def name(self) -> str:
        return self._name

    async def model_version(self) -> str:
        return "7"

    async def unready(self) -> GenerationFault | None:
        answer = self._script(Prompt(system="", user=""))
        return answer if isinstance(answer, GenerationFault) else None

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        self.calls.append(tuple(prompts))
        self.within.append(within_s)
        if self._takes_s:
            await asyncio.sleep(min(self._takes_s, max(0.0, within_s)))
            if self._takes_s > within_s:
                return [GenerationFault.TIMEOUT] * len(prompts)
        return [said(self._script(prompt)) for prompt in prompts]

    async def stream(self, prompt: Prompt, *, within_s: float) -> AsyncGenerator[str, None]:
        self.within.append(within_s)
        answer = said(self._script(prompt))
        if isinstance(answer, GenerationFault):
            raise serving_error(self.name, answer)
        for at, piece in enumerate(answer.text):
            if at and answer.truncated:
                raise serving_error(self.name, GenerationFault.UNAVAILABLE)
            yield piece

    async def close(self) -> None:
        self.closed += 1


def said(answer: Answer) -> Generated | GenerationFault:
    """An answer of ten tokens read and two written, unless it is one already."""
    return Generated(answer, 10, 2) if type(answer) is str else answer  # type: ignore[return-value]  # faults are text too
