"""Reading tensors that a server sent: nothing off the protocol becomes an answer."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import InferResult, service_pb2

from llama_mapper.adapters.mapping.generation.openai_answers import Faulty
from llama_mapper.adapters.mapping.generation.triton_faults import fault_of
from llama_mapper.adapters.mapping.generation.triton_tensors import answer_of
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt

PROMPT = Prompt(system="", user="U", likely_tokens=2)
KINDS = {"BYTES": None, "UINT32": np.uint32, "FP32": np.float32, "BOOL": np.bool_}


def response(outputs: dict[str, tuple[str, list[int], bytes]]) -> InferResult:
    told = service_pb2.ModelInferResponse()
    for name, (kind, shape, raw) in outputs.items():
        output = told.outputs.add()
        output.name, output.datatype = name, kind
        output.shape.extend(shape)
        told.raw_output_contents.append(raw)
    return InferResult(told)


def text(*values: bytes) -> tuple[str, list[int], bytes]:
    return "BYTES", [len(values)], b"".join(struct.pack("<I", len(value)) + value for value in values)


def number(kind: str, value: float) -> tuple[str, list[int], bytes]:
    return kind, [1], np.array([value], dtype=KINDS[kind]).tobytes()


def whole(**changes: Any) -> InferResult:
    places = [
        {"5": {"logprob": -0.5, "rank": 1, "decoded_token": "pear"}},
        {"2": {"logprob": -0.1, "decoded_token": "."}},
    ]
    outputs = {
        "text_output": text(b"pear"),
        "finish_reason": text(b"stop"),
        "cumulative_logprob": number("FP32", -0.6),
        "logprobs": text(json.dumps(places).encode()),
        "num_input_tokens": number("UINT32", 7),
        "num_output_tokens": number("UINT32", 2),
    } | changes
    return response({name: value for name, value in outputs.items() if value is not None})


def test_an_answer_has_what_the_server_counted() -> None:
    told = answer_of(whole(), PROMPT)
    assert isinstance(told, Generated)
    assert told.log_probability == pytest.approx(-0.6)
    assert replace(told, log_probability=None) == Generated("pear", 7, 2, places=({"pear": -0.5},))


def test_a_text_that_is_cut_says_so() -> None:
    assert answer_of(whole(finish_reason=text(b"length")), PROMPT).truncated


def test_a_backend_that_tells_nothing_but_text_is_read() -> None:
    told = answer_of(response({"text_output": text(b"pear")}), PROMPT)
    assert told == Generated("pear", 0, 0)


def test_a_probability_that_is_not_a_number_is_not_known() -> None:
    assert answer_of(whole(cumulative_logprob=number("FP32", float("nan"))), PROMPT).log_probability is None


@pytest.mark.parametrize(
    "changes",
    [
        {"text_output": None},
        {"text_output": text()},
        {"text_output": text(b"a", b"b")},
        {"text_output": text(b"\xff")},
        {"text_output": ("BYTES", [1], b"\xff\xff\xff\x7fab")},
        {"text_output": ("BYTES", [1], b"a")},
        {"text_output": number("FP32", 1.0)},
        {"text_output": ("NONSENSE", [1], b"abcd")},
        {"num_output_tokens": ("UINT32", [1], b"\x01")},
        {"num_output_tokens": ("UINT32", [3], b"\x01\x00\x00\x00")},
        {"num_output_tokens": number("UINT32", 2**32 - 1)},
        {"num_output_tokens": text(b"3")},
        {"num_input_tokens": number("BOOL", 1)},
        {"finish_reason": ("BF16", [1], b"\x00\x00")},
        {"cumulative_logprob": text(b"-1")},
        {"logprobs": ("BF16", [1], b"\x00\x00")},
        {"logprobs": text(b"{")},
        {"logprobs": text(b"[3]")},
        {"logprobs": text(b"[{}]")},
        {"logprobs": text(b'[{"1": {"logprob": "x", "decoded_token": "a"}}]')},
        {"logprobs": text(b'[{"1": {"logprob": -1, "decoded_token": 3}}]')},
    ],
)
def test_tensors_off_the_protocol_are_an_invalid_answer(changes: dict[str, Any]) -> None:
    with pytest.raises(Faulty) as caught:
        answer_of(whole(**changes), PROMPT)
    assert caught.value.fault is GenerationFault.INVALID_ANSWER


@given(
    name=st.sampled_from(["text_output", "num_output_tokens", "cumulative_logprob", "logprobs", "finish_reason"]),
    kind=st.sampled_from(["BYTES", "UINT32", "FP32", "BOOL", "INT64", "BF16", ""]),
    shape=st.lists(st.integers(-1, 5), max_size=3),
    raw=st.binary(max_size=40),
)
def test_any_bytes_are_an_answer_or_an_invalid_one(name: str, kind: str, shape: list[int], raw: bytes) -> None:
    try:
        told = answer_of(whole(**{name: (kind, shape, raw)}), PROMPT)
    except Faulty as error:
        assert error.fault is GenerationFault.INVALID_ANSWER
    else:
        assert told.log_probability is None or told.log_probability <= 0.0


@pytest.mark.parametrize(
    ("code", "message", "fault"),
    [
        ("", "Request timeout expired", "timeout"),
        ("StatusCode.DEADLINE_EXCEEDED", "Deadline Exceeded", "timeout"),
        ("", "CUDA out of memory. Tried to allocate 2.00 GiB", "overloaded"),
        ("", "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory", "overloaded"),
        ("StatusCode.RESOURCE_EXHAUSTED", "", "overloaded"),
        ("StatusCode.UNAVAILABLE", "Exceeds maximum queue size", "overloaded"),
        ("StatusCode.NOT_FOUND", "Request for unknown model: 'm' is not found", "model_not_loaded"),
        ("StatusCode.UNAVAILABLE", "Request for unknown model: 'm' has no available versions", "model_not_loaded"),
        (
            "",
            "Error generating stream: The decoder prompt (length 9) is longer than the maximum model length",
            "refused",
        ),
        ("", "Error generating stream: 'NoneType' object has no attribute 'lora_name'", "refused"),
        ("StatusCode.INVALID_ARGUMENT", "unexpected inference input 'x' for model 'm'", "refused"),
        ("StatusCode.UNAVAILABLE", "failed to connect to all addresses", "unavailable"),
        ("", "Stub process 'm_0_0' is not healthy.", "unavailable"),
        ("", "Model is unavailable due to unhealthy vLLM engine", "unavailable"),
        ("StatusCode.INTERNAL", "", "unavailable"),
    ],
)
def test_what_triton_says_has_one_meaning(code: str, message: str, fault: str) -> None:
    assert fault_of(code, message) == fault


def test_only_who_asked_for_an_adapter_misses_one() -> None:
    said = "LoRA x is not supported, we currently support ['a']"
    assert fault_of("", said, "x") is GenerationFault.ADAPTER_NOT_FOUND
    assert fault_of("", said) is not GenerationFault.ADAPTER_NOT_FOUND
