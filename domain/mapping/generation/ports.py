"""What generation needs from outside: a server or a library that runs a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable


class GenerationFault(StrEnum):
    """Why a model gave no answer that can be used."""

    UNAVAILABLE = "unavailable"
    """No connection, or the server says that it is not ready."""
    TLS_FAILED = "tls_failed"
    """No encrypted connection: a certificate that is not trusted, here or there, or a server without TLS."""
    MODEL_NOT_LOADED = "model_not_loaded"
    ADAPTER_NOT_FOUND = "adapter_not_found"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    """Out of memory, queue full, too many requests."""
    INVALID_ANSWER = "invalid_answer"
    """Garbage tensors, truncated or malformed text, or text off the schema."""
    REFUSED = "refused"
    """The server does not accept the request: too long, an unknown parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One thing to ask of an instruction-tuned model. `schema` is a JSON Schema that the decoder is bound to.

    `system` and `user` are put through the model's own chat template by whoever serves it. `adapter` names LoRA
    weights; None means the base model alone. `temperature` 0 is greedy.
    """

    system: str
    user: str
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 32
    temperature: float = 0.0
    seed: int = 0
    adapter: str | None = None
    likely_tokens: int = 0
    """How many of the likeliest tokens to tell at each place of the answer, 0 to 20, where the server can."""


@dataclass(frozen=True, slots=True)
class Generated:
    """Text of a model, with what the server counted; `log_probability` is of the whole text, where the server tells."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    truncated: bool = False
    log_probability: float | None = None
    places: tuple[Mapping[str, float], ...] = ()
    """At each place of the text the likely tokens and their natural logarithms of probability, before the schema bound
    them; empty where the server does not tell. The token that was taken is the first."""
    answered_by: str = ""
    """The `name` of the model that answered, where one of several did."""
    microdollars: Decimal = Decimal(0)
    """What it cost by the configured price, in millionths of a US dollar."""


class Generation(Protocol):
    """A model behind a server or a library. Every adapter keeps the same contract tests."""

    @property
    def name(self) -> str:
        """The adapter and the model, as provenance and metrics name it: `triton/llama3_mapper`."""
        ...

    async def model_version(self) -> str:
        """The version of what answers, as the server tells it; raise nothing: `unknown` where it does not tell."""
        ...

    async def unready(self) -> GenerationFault | None:
        """Why the model cannot be asked now; None if it can."""
        ...

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        """One answer or fault a prompt, in order; asked together, so that the server can batch them.

        The time limit is passed on to the server where it takes one, and holds in any case. One prompt's fault is not
        another's. Cancelling the call frees what it holds.
        """
        ...

    def stream(self, prompt: Prompt, *, within_s: float) -> AsyncIterator[str]:
        """The text piece by piece; raise `ModelServingError`, naming the fault, if it breaks off."""
        ...

    async def close(self) -> None:
        """Free connections, threads and memory. A second call does nothing."""
        ...


@runtime_checkable
class SeveralModels(Generation, Protocol):
    """Several models as one, each of which may have given an answer."""

    async def model_versions(self) -> Mapping[str, str]:
        """The version of each by its `name`, in the order in which they are asked."""
        ...
