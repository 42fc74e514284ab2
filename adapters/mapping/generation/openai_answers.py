"""Reading what an OpenAI-compatible server says: bounded, strict, and never quoting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llama_mapper.domain.mapping.generation.bound_text import is_bound
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

_STRUCTURE_LIMIT = 250_000
"""Commas and opening brackets admitted in an answer: each costs up to a hundred bytes of memory once it is parsed."""

_BY_STATUS = {
    401: GenerationFault.UNAVAILABLE,
    403: GenerationFault.UNAVAILABLE,
    408: GenerationFault.TIMEOUT,
    424: GenerationFault.OVERLOADED,  # TGI, where a batch failed: in practice memory
    429: GenerationFault.OVERLOADED,
    504: GenerationFault.TIMEOUT,
}


class Faulty(Exception):
    """A prompt came to a fault; `wait_s` is what the server asks to wait before it is asked again."""

    def __init__(self, fault: GenerationFault, wait_s: float = 0.0) -> None:
        super().__init__(fault)
        self.fault = fault
        self.wait_s = wait_s


def malformed() -> Faulty:
    """The fault of an answer outside the protocol."""
    return Faulty(GenerationFault.INVALID_ANSWER)


def fault_of(status: int, body: bytes, adapter: str | None) -> GenerationFault:
    """What a status other than 200 means; the body is searched for words and never told."""
    said = body.lower()
    if status == 404:
        return GenerationFault.MODEL_NOT_LOADED if adapter is None else GenerationFault.ADAPTER_NOT_FOUND
    if known := _BY_STATUS.get(status):
        return known
    if status >= 500:
        return GenerationFault.OVERLOADED if b"out of memory" in said else GenerationFault.UNAVAILABLE
    if adapter is not None and (b"adapter" in said or b"lora" in said):
        return GenerationFault.ADAPTER_NOT_FOUND
    return GenerationFault.REFUSED


def parsed(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`; raises `Faulty` for anything else."""
    import orjson

    if sum(content.count(part) for part in (b",", b"[", b"{")) > _STRUCTURE_LIMIT:
        raise malformed()
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise malformed() from None  # the cause would quote
    if not isinstance(answer, dict):
        raise malformed()
    return answer


def generated(answer: Mapping[str, Any], prompt: Prompt, text_of: Callable[[str], str] | None = None) -> Generated:
    """The text and counts of a chat completion; raises `Faulty` where it is outside the protocol or the schema.

    `text_of` takes the text out of what the dialect put around it; it raises ValueError.
    """
    choice = only_choice(answer)
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    usage = answer.get("usage")
    if not isinstance(text, str) or not isinstance(usage, dict):
        raise malformed()
    if text_of is not None:
        text = taken_out(text, text_of)
    truncated = choice.get("finish_reason") == "length"
    if prompt.schema is not None and not is_bound(text, prompt.schema):
        raise malformed()
    taken, places = _places(choice.get("logprobs")) if prompt.likely_tokens else (None, ())
    return Generated(
        text=text,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        truncated=truncated,
        log_probability=taken,
        places=places,
    )


def taken_out(text: str, text_of: Callable[[str], str]) -> str:
    """What `text_of` takes out of a text; raises `Faulty` where it is not there."""
    try:
        return text_of(text)
    except (ValueError, RecursionError):
        raise malformed() from None  # the cause would quote


def only_choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one choice of an answer; raises `Faulty` for none or several."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise malformed()
    choice: dict[str, Any] = choices[0]
    return choice


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**31:
        raise malformed()
    return value


def _places(logprobs: Any) -> tuple[float | None, tuple[Mapping[str, float], ...]]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not content:
        return None, ()
    if not isinstance(content, list):
        raise malformed()
    whole, places = 0.0, []
    for place in content:
        token, chance = _likely(place)
        whole += chance
        told = {token: chance}
        others = place.get("top_logprobs") or []
        if not isinstance(others, list):
            raise malformed()
        for each in others:
            other, likely = _likely(each)
            told.setdefault(other, likely)
        places.append(told)
    return whole, tuple(places)


def _likely(value: Any) -> tuple[str, float]:
    token, chance = (value.get("token"), value.get("logprob")) if isinstance(value, dict) else (None, None)
    if not isinstance(token, str) or isinstance(chance, bool) or not isinstance(chance, int | float):
        raise malformed()
    return token, min(0.0, float(chance))
