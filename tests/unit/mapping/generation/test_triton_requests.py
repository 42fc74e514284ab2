"""What the Python backend's models read from a request; their module needs neither torch nor Triton."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PYTHON = Path(__file__).parents[4] / "deploy" / "triton" / "python"


@pytest.fixture(scope="module")
def asked() -> Iterator[ModuleType]:
    sys.path.insert(0, str(PYTHON))
    yield import_module("triton_models.asked")
    sys.path.remove(str(PYTHON))


def read(asked: ModuleType, parameters: str = "", **tensors: Any) -> Any:
    given = {"text_input": b"hello"} | tensors
    return asked.read(given.get, parameters)


def test_a_text_alone_has_vllms_defaults(asked: ModuleType) -> None:
    told = read(asked)
    assert told.text == "hello"
    assert told.prepends_input
    assert (told.sampling.max_tokens, told.sampling.temperature, told.sampling.top_p) == (16, 1.0, 1.0)
    assert told.told == frozenset()


def test_a_stream_does_not_repeat_its_input(asked: ModuleType) -> None:
    assert not read(asked, stream=True).prepends_input
    with pytest.raises(ValueError, match="exclude_input_in_output"):
        read(asked, stream=True, exclude_input_in_output=False)


@pytest.mark.parametrize("as_text", [True, False])
def test_a_schema_comes_as_an_object_or_as_json_in_json(asked: ModuleType, as_text: bool) -> None:
    outputs: Any = {"json": {"type": "string"}, "disable_any_whitespace": True}
    parameters = {"structured_outputs": json.dumps(outputs) if as_text else outputs}
    sampling = read(asked, sampling_parameters=json.dumps(parameters).encode()).sampling
    assert json.loads(sampling.schema) == {"type": "string"}
    assert not sampling.any_whitespace


def test_parameters_of_the_request_stand_in_for_the_tensor(asked: ModuleType) -> None:
    assert read(asked, '{"max_tokens": 3, "seed": null}').sampling.max_tokens == 3
    assert read(asked, '{"max_tokens": 3}', sampling_parameters=b'{"max_tokens": 4}').sampling.max_tokens == 4


@pytest.mark.parametrize(
    "parameters",
    [
        "[]",
        "{",
        '{"n": 2}',
        '{"max_tokens": 0}',
        '{"max_tokens": "many"}',
        '{"temperature": -1}',
        '{"temperature": NaN}',
        '{"top_p": 0}',
        '{"logprobs": 21}',
        '{"structured_outputs": {"regex": "a"}}',
        '{"structured_outputs": "{"}',
        '{"structured_outputs": 3}',
    ],
)
def test_what_is_not_understood_is_refused(asked: ModuleType, parameters: str) -> None:
    with pytest.raises(ValueError):  # also JSONDecodeError; the words are for people
        read(asked, parameters)
