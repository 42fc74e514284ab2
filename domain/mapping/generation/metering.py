"""One configured model: what it is asked with, and what asking it uses and costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from time import perf_counter
from typing import cast

from llama_mapper.domain.kernel.money import FREE, TokenPrice
from llama_mapper.domain.kernel.trace import SpanKind
from llama_mapper.domain.kernel.tracing import Step, step
from llama_mapper.domain.mapping.generation.ports import Generated, Generation, GenerationFault, Prompt

ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Use:
    """One call to one model. `outcomes` counts prompts by `answered` or by fault."""

    model: str
    outcomes: Mapping[str, int]
    prompt_tokens: int
    completion_tokens: int
    microdollars: Decimal
    seconds: float


class MeteredGeneration:
    """Another `Generation`, counted and priced; its answers say who gave them and what they cost.

    `adapter` names the LoRA weights for prompts that name none. `on_use` is told of each call, and must not raise. The
    tokens of streams are not counted: a stream does not tell them.
    """

    def __init__(
        self,
        generation: Generation,
        *,
        price: TokenPrice = FREE,
        adapter: str | None = None,
        on_use: Callable[[Use], None] | None = None,
    ) -> None:
        self._generation = generation
        self._price = price
        self._adapter = adapter
        self._on_use = on_use

    @property
    def name(self) -> str:
        """The other's."""
        return self._generation.name

    @property
    def price(self) -> TokenPrice:
        """What its tokens cost."""
        return self._price

    async def model_version(self) -> str:
        """The other's, and the adapter's name after a `+`."""
        version = await self._generation.model_version()
        return version if self._adapter is None else f"{version}+{self._adapter}"

    async def unready(self) -> GenerationFault | None:
        """The other's."""
        return await self._generation.unready()

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        """The other's answers, with price and name."""
        began = perf_counter()
        with step("chat", self.name.partition("/")[2], SpanKind.CLIENT) as at:
            adapted = [self._adapted(prompt) for prompt in prompts]
            answers = await self._generation.generate(adapted, within_s=within_s)
            if at:
                _tell(at, self.name, adapted, answers)
        told = [self._priced(answer) if isinstance(answer, Generated) else answer for answer in answers]
        if self._on_use is not None and prompts:
            good = [answer for answer in told if isinstance(answer, Generated)]
            self._on_use(
                Use(
                    model=self.name,
                    outcomes=Counter(str(each) if isinstance(each, GenerationFault) else ANSWERED for each in told),
                    prompt_tokens=sum(answer.prompt_tokens for answer in good),
                    completion_tokens=sum(answer.completion_tokens for answer in good),
                    microdollars=sum((answer.microdollars for answer in good), Decimal(0)),
                    seconds=perf_counter() - began,
                )
            )
        return told

    async def stream(self, prompt: Prompt, *, within_s: float) -> AsyncGenerator[str, None]:
        """The other's text, piece by piece."""
        stream = self._generation.stream(self._adapted(prompt), within_s=within_s)
        async with aclosing(cast("AsyncGenerator[str, None]", stream)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """Close the other."""
        await self._generation.close()

    def _adapted(self, prompt: Prompt) -> Prompt:
        if self._adapter is None or prompt.adapter is not None:
            return prompt
        return replace(prompt, adapter=self._adapter)

    def _priced(self, answer: Generated) -> Generated:
        cost = self._price.microdollars(answer.prompt_tokens, answer.completion_tokens)
        return replace(answer, answered_by=self.name, microdollars=cost)


def _tell(at: Step, name: str, prompts: Sequence[Prompt], answers: Sequence[Generated | GenerationFault]) -> None:
    """The call as OpenTelemetry's conventions for generative AI put it, without a word of prompts and answers."""
    provider, _, model = name.partition("/")
    good = [answer for answer in answers if isinstance(answer, Generated)]
    faults = [answer for answer in answers if isinstance(answer, GenerationFault)]
    at.set(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": sum(answer.prompt_tokens for answer in good),
            "gen_ai.usage.output_tokens": sum(answer.completion_tokens for answer in good),
            "llama_mapper.prompts": len(prompts),
            "llama_mapper.prompts.answered": len(good),
        }
    )
    if prompts:
        at.set({"gen_ai.request.max_tokens": max(prompt.max_tokens for prompt in prompts)})
    if adapters := {prompt.adapter for prompt in prompts if prompt.adapter is not None}:
        at.set({"llama_mapper.model.adapter": min(adapters)})
    if faults and not good:
        at.fail(faults[0].value)
