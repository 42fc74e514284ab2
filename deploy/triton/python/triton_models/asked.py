"""One request as tensors say it, in the words of Triton's vLLM backend."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

INPUTS = (
    ("text_input", "TYPE_STRING", False),
    ("stream", "TYPE_BOOL", True),
    ("sampling_parameters", "TYPE_STRING", True),
    ("exclude_input_in_output", "TYPE_BOOL", True),
    ("return_finish_reason", "TYPE_BOOL", True),
    ("return_cumulative_logprob", "TYPE_BOOL", True),
    ("return_logprobs", "TYPE_BOOL", True),
    ("return_num_input_tokens", "TYPE_BOOL", True),
    ("return_num_output_tokens", "TYPE_BOOL", True),
)
OUTPUTS = (
    ("text_output", "TYPE_STRING", -1),
    ("finish_reason", "TYPE_STRING", -1),
    ("cumulative_logprob", "TYPE_FP32", -1),
    ("logprobs", "TYPE_STRING", -1),
    ("num_input_tokens", "TYPE_UINT32", 1),
    ("num_output_tokens", "TYPE_UINT32", -1),
)
_KNOWN = frozenset(("max_tokens", "temperature", "top_p", "seed", "logprobs", "structured_outputs", "lora_name"))
_MOST_LOGPROBS = 20


@dataclass(frozen=True)
class Sampling:
    """How to write: vLLM's names and defaults, for the parameters that are supported here."""

    max_tokens: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    logprobs: int | None = None
    schema: str | None = None
    """JSON Schema, as JSON, that binds the answer."""
    any_whitespace: bool = True
    lora_name: str | None = None


@dataclass(frozen=True)
class Asked:
    """What to write on from, how, and what to tell about it."""

    text: str
    sampling: Sampling
    stream: bool
    prepends_input: bool
    told: frozenset[str] = field(default_factory=frozenset)
    """The outputs beside `text_output`."""


def read(value_of: Callable[[str], Any], request_parameters: str) -> Asked:
    """Read a request; `value_of` gives a tensor's only element or None. ValueError says what is wrong with it."""
    text, stream = value_of("text_input"), bool(value_of("stream"))
    excluded = value_of("exclude_input_in_output")
    prepends = not stream if excluded is None else not excluded
    if prepends and stream:
        raise ValueError("a stream cannot repeat its input: set exclude_input_in_output")
    told = frozenset(name for name, _, _ in OUTPUTS if value_of(f"return_{name}"))
    return Asked(text.decode(), sampling(_decoded(value_of, request_parameters)), stream, prepends, told)


def _decoded(value_of: Callable[[str], Any], request_parameters: str) -> str:
    given = value_of("sampling_parameters")
    return request_parameters if given is None else given.decode()


def sampling(text: str) -> Sampling:
    """Read `sampling_parameters`: a JSON object; an unknown name is refused, as vLLM does."""
    given = json.loads(text or "{}")
    if not isinstance(given, Mapping):
        raise ValueError("sampling_parameters must be a JSON object")
    given = {name: value for name, value in given.items() if value is not None}
    if unknown := sorted(given.keys() - _KNOWN):
        raise ValueError(f"unexpected sampling parameter: {unknown[0][:40]}")
    schema, any_whitespace = _structure(given.get("structured_outputs"))
    read = Sampling(
        max_tokens=int(given.get("max_tokens", 16)),
        temperature=float(given.get("temperature", 1.0)),
        top_p=float(given.get("top_p", 1.0)),
        seed=None if "seed" not in given else int(given["seed"]),
        logprobs=None if "logprobs" not in given else int(given["logprobs"]),
        schema=schema,
        any_whitespace=any_whitespace,
        lora_name=given.get("lora_name"),
    )
    if read.max_tokens < 1:
        raise ValueError("max_tokens must be at least 1")
    if not (read.temperature >= 0.0 and 0.0 < read.top_p <= 1.0):
        raise ValueError("temperature must be at least 0, and top_p in (0, 1]")
    if not 0 <= (read.logprobs or 0) <= _MOST_LOGPROBS:
        raise ValueError(f"logprobs must be 0 to {_MOST_LOGPROBS}")
    return read


def _structure(given: Any) -> tuple[str | None, bool]:
    """vLLM's backend takes `structured_outputs` as JSON within the JSON; an object serves here too."""
    if given is None:
        return None, True
    outputs = json.loads(given) if isinstance(given, str) else given
    if not isinstance(outputs, Mapping) or outputs.keys() - {"json", "disable_any_whitespace"} or "json" not in outputs:
        raise ValueError("structured_outputs must give json, a schema, and nothing else but disable_any_whitespace")
    schema = outputs["json"]
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return text, not outputs.get("disable_any_whitespace", False)
