"""Guard models behind any OpenAI-compatible `POST /v1/chat/completions`.

The server applies the model's own chat template. The content goes in as one message of the user, a conversation with
its messages one after the other: guard models judge the last message only, and all of them are to be judged. Content
may try to talk the model into an answer; it cannot get anything past the parser but that family's closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from llama_mapper.adapters.orchestration.remote.dialect import Dialect, Probe, Question
from llama_mapper.adapters.orchestration.remote.guards.completion import Family, judgement_of
from llama_mapper.adapters.orchestration.remote.guards.granite_guardian import GRANITE_GUARDIAN
from llama_mapper.adapters.orchestration.remote.guards.llama_guard import LLAMA_GUARD
from llama_mapper.adapters.orchestration.remote.guards.qwen3guard import QWEN3GUARD
from llama_mapper.adapters.orchestration.remote.guards.shieldgemma import SHIELDGEMMA
from llama_mapper.adapters.platform.http_calls import openai_url
from llama_mapper.domain.contracts.detectors import ChatGuardDetector, DetectorDefinition, GuardFamily
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import Inquiry, RawFinding

FAMILIES: Mapping[GuardFamily, Family] = {
    GuardFamily.LLAMA_GUARD: LLAMA_GUARD,
    GuardFamily.GRANITE_GUARDIAN: GRANITE_GUARDIAN,
    GuardFamily.SHIELDGEMMA: SHIELDGEMMA,
    GuardFamily.QWEN3GUARD: QWEN3GUARD,
}
_LIKELY_TOKENS = 5


def dialect(definition: DetectorDefinition, protocol: ChatGuardDetector) -> Dialect:
    """`definition.url` is the service's base address, with or without `/v1`.

    Raises `CONFIGURATION_INVALID` for a risk that the family cannot be asked about.
    """
    family = FAMILIES[protocol.family]
    if unknown := [risk for risk in protocol.risks if risk not in family.known_risks]:
        known = ", ".join(sorted(family.known_risks)) or "none: it judges everything at once"
        raise ConfigurationError(f"{protocol.family} cannot be asked about {', '.join(unknown)}; its risks are {known}")
    risks = tuple(dict.fromkeys(protocol.risks)) or family.default_risks or ("",)

    def ask(inquiry: Inquiry) -> tuple[Question, ...]:
        return tuple(
            [
                Question(request_of(inquiry, protocol, risk), partial(read, family=family, risk=risk), risk)
                for risk in risks
            ]
        )

    probe = Probe(openai_url(definition.url, "/models"), also_alive=(404, 405))
    return Dialect(openai_url(definition.url, "/chat/completions"), probe, ask)


def request_of(inquiry: Inquiry, protocol: ChatGuardDetector, risk: str) -> dict[str, Any]:
    """The body of a chat completion that judges `risk`, or everything where that is empty."""
    family = FAMILIES[protocol.family]
    body: dict[str, Any] = {
        "model": protocol.model,
        "messages": [{"role": "user", "content": inquiry.text}],
        "temperature": 0,
        "max_tokens": family.max_tokens,
        "logprobs": True,
        "top_logprobs": _LIKELY_TOKENS,
    }
    if family.kwargs is not None:
        body["chat_template_kwargs"] = family.kwargs(risk)
    return body


def read(answer: Any, family: Family, risk: str) -> tuple[RawFinding, ...]:
    """The findings of the family's judgement about `risk`."""
    return family.read(judgement_of(answer, whole=family.max_tokens > 1), risk)
