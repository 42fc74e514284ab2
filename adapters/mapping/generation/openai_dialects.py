"""What differs between servers that speak OpenAI's chat completions: how a schema and LoRA weights are named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from llama_mapper.domain.mapping.generation.ports import Prompt

_INSIDE = "answer"
_MOST_LIKELY = 20  # what OpenAI and vLLM admit


class Dialect(StrEnum):
    """Which server it is."""

    OPENAI = "openai"
    VLLM = "vllm"
    TGI = "tgi"
    LLAMA_CPP = "llama_cpp"


def body_of(dialect: Dialect, model: str, prompt: Prompt, adapters: Sequence[str]) -> dict[str, Any]:
    """The body of a chat completion. `adapters` are the server's LoRA weights in its order, for `LLAMA_CPP` alone.

    vLLM and TGI know LoRA weights by the name of the model; llama.cpp scales them by position, those not named to 0.
    OpenAI's own models have none: there the name is the model's too.
    """
    messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
    limit = "max_completion_tokens" if dialect is Dialect.OPENAI else "max_tokens"
    body: dict[str, Any] = {
        "model": prompt.adapter or model,
        "messages": [*messages, {"role": "user", "content": prompt.user}],
        limit: prompt.max_tokens,
        "temperature": prompt.temperature,
        "seed": prompt.seed,
    }
    if prompt.likely_tokens:
        body["logprobs"] = True
        body["top_logprobs"] = min(prompt.likely_tokens, _MOST_LIKELY)
    if prompt.schema is not None:
        body |= _bound(dialect, prompt.schema)
    if dialect is Dialect.LLAMA_CPP:
        body["model"] = model
        if adapters:
            body["lora"] = [
                {"id": place, "scale": float(name == prompt.adapter)} for place, name in enumerate(adapters)
            ]
    return body


def served(dialect: Dialect, models: Sequence[Mapping[str, Any]], model: str) -> Mapping[str, Any] | None:
    """The entry of `model` in the server's list of models; None where it is not served.

    TGI and llama.cpp serve one model under whatever name.
    """
    for entry in models:
        if entry.get("id") == model:
            return entry
    return models[0] if models and dialect in (Dialect.TGI, Dialect.LLAMA_CPP) else None


def is_wrapped(dialect: Dialect, schema: Mapping[str, Any] | None) -> bool:
    """Whether an answer to this schema comes inside an object: OpenAI binds to nothing but objects."""
    return dialect is Dialect.OPENAI and schema is not None and schema.get("type") != "object"


def unwrapped(text: str) -> str:
    """The JSON text of the answer inside its object; ValueError where it is not there."""
    answer = json.loads(text)
    if not isinstance(answer, dict) or answer.keys() != {_INSIDE}:
        raise ValueError("no answer inside")
    return json.dumps(answer[_INSIDE], ensure_ascii=False)


def _wrapping(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = {_INSIDE: schema}
    return {"type": "object", "properties": properties, "required": [_INSIDE], "additionalProperties": False}


def _bound(dialect: Dialect, schema: Mapping[str, Any]) -> dict[str, Any]:
    match dialect:
        case Dialect.VLLM:
            return {"structured_outputs": {"json": schema}}
        case Dialect.TGI:
            return {"response_format": {"type": "json", "value": schema}}
        case Dialect.OPENAI:
            whole = _wrapping(schema) if is_wrapped(dialect, schema) else schema
            return {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": whole},
                }
            }
        case Dialect.LLAMA_CPP:
            return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}
