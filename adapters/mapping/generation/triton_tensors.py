"""Tensors of Triton's vLLM backend: a prompt as inputs, outputs as an answer that is checked in all it says."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_mapper.adapters.mapping.generation.chat_templates import ChatTemplate, rendered
from llama_mapper.adapters.mapping.generation.openai_answers import Faulty, malformed
from llama_mapper.domain.mapping.generation.bound_text import is_bound
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

_TEXT_LIMIT = 4 * 1024 * 1024
_FLAGS = (
    "exclude_input_in_output",
    "return_finish_reason",
    "return_cumulative_logprob",
    "return_num_input_tokens",
    "return_num_output_tokens",
)


@dataclass(frozen=True, slots=True)
class ServedShape:
    """What the server's configuration of a model says about asking it."""

    decoupled: bool
    inputs: frozenset[str]
    parameters: Mapping[str, str]

    @property
    def template(self) -> ChatTemplate | None:
        """How conversations are written, where the configuration says so in words that are known here."""
        told = self.parameters.get("chat_template")
        return ChatTemplate(told) if told in set(ChatTemplate) else None


def shape_of(config: Any) -> ServedShape:
    """Read a `ModelConfig` message."""
    return ServedShape(
        decoupled=bool(config.model_transaction_policy.decoupled),
        inputs=frozenset(each.name for each in config.input),
        parameters={name: value.string_value for name, value in config.parameters.items()},
    )


class PromptTensors:
    """Writes prompts as the inputs that one model takes; those that it does not declare are left out."""

    def __init__(self, shape: ServedShape, template: ChatTemplate) -> None:
        self._shape, self._template = shape, template
        self._flags = [_flag(name, True) for name in _FLAGS if name in shape.inputs]
        self._stream = {on: _flag("stream", on) for on in (False, True)}
        self._likely = _flag("return_logprobs", True)

    def written(self, prompt: Prompt, *, stream: bool) -> list[Any]:
        """The inputs; raises `Faulty` for what is not text."""
        import orjson

        sampling: dict[str, Any] = {
            "max_tokens": prompt.max_tokens,
            "temperature": prompt.temperature,
            "seed": prompt.seed,
            "logprobs": prompt.likely_tokens,
            "lora_name": prompt.adapter,
        }
        try:
            text = rendered(prompt, self._template).encode()
            if prompt.schema is not None:
                outputs = {"json": prompt.schema, "disable_any_whitespace": True}
                sampling["structured_outputs"] = orjson.dumps(outputs).decode()  # JSON within JSON is what vLLM's takes
            given = {name: value for name, value in sampling.items() if value is not None}
            inputs = [_text("text_input", text)]
            if "sampling_parameters" in self._shape.inputs:
                inputs.append(_text("sampling_parameters", orjson.dumps(given)))
        except (UnicodeEncodeError, orjson.JSONEncodeError):
            raise Faulty(GenerationFault.REFUSED) from None  # the cause would quote
        if "stream" in self._shape.inputs:
            inputs.append(self._stream[stream])
        if prompt.likely_tokens and "return_logprobs" in self._shape.inputs:
            inputs.append(self._likely)
        return inputs + self._flags


def answer_of(result: Any, prompt: Prompt) -> Generated:
    """The answer in one response; raises `Faulty` where tensors, text or counts are not what they must be."""
    text = text_of(result)
    if prompt.schema is not None and not is_bound(text, prompt.schema):
        raise malformed()
    return Generated(
        text=text,
        prompt_tokens=_count(_only(result, "num_input_tokens")),
        completion_tokens=_count(_only(result, "num_output_tokens")),
        truncated=_bytes(_only(result, "finish_reason")) == b"length",
        log_probability=_chance(_only(result, "cumulative_logprob")),
        places=_places(_bytes(_only(result, "logprobs")), text) if prompt.likely_tokens else (),
    )


def text_of(result: Any) -> str:
    """`text_output`; raises `Faulty` if it is not one UTF-8 text of bearable length."""
    told = _only(result, "text_output")
    if not isinstance(told, bytes) or len(told) > _TEXT_LIMIT:
        raise malformed()
    try:
        return told.decode()
    except UnicodeDecodeError:
        raise malformed() from None


def array_of(result: Any, name: str) -> Any:
    """An output as a NumPy array, None if it is not there; raises `Faulty` for bytes that are no such array."""
    try:
        return result.as_numpy(name)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, struct.error):
        raise malformed() from None


def _only(result: Any, name: str) -> Any:
    array = array_of(result, name)
    if array is None:
        return None
    if array.size != 1:
        raise malformed()
    return array.reshape(-1)[0]


def _count(value: Any) -> int:
    """A server that does not count says nothing: 0."""
    if value is None:
        return 0
    if not hasattr(value, "dtype") or value.dtype.kind not in "iu" or not 0 <= int(value) <= 2**31:
        raise malformed()
    return int(value)


def _bytes(value: Any) -> bytes | None:
    if value is not None and not isinstance(value, bytes):
        raise malformed()
    return value


def _chance(value: Any) -> float | None:
    """Not a number is what a server says that did not look."""
    if value is None:
        return None
    if not hasattr(value, "dtype") or value.dtype.kind != "f":
        raise malformed()
    return min(0.0, float(value)) if math.isfinite(value) else None


def _places(told: bytes | None, text: str) -> tuple[Mapping[str, float], ...]:
    import orjson

    if told is None or told == b"null":
        return ()
    try:
        places = [_likely(place) for place in orjson.loads(told)]
    except (orjson.JSONDecodeError, TypeError, ValueError, KeyError, AttributeError):
        raise malformed() from None
    # vLLM counts the token that ends the answer as a place; it is no place of the text.
    if len(places) > 1 and "".join([next(iter(place)) for place in places[:-1]]) == text:
        places.pop()
    return tuple(places)


def _likely(place: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    chances: dict[str, float] = {}
    for each in place.values():
        token, chance = each["decoded_token"], float(each["logprob"])
        if not isinstance(token, str) or math.isnan(chance):
            raise ValueError
        chances.setdefault(token, min(0.0, chance))
    if not chances:
        raise ValueError
    return chances


def _text(name: str, value: bytes) -> Any:
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([value], dtype=np.object_))
    return tensor


def _flag(name: str, value: bool) -> Any:
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput(name, [1], "BOOL")
    tensor.set_data_from_numpy(np.array([value], dtype=np.bool_))
    return tensor
