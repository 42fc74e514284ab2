"""The small models that stand for Llama 3 and Phi-3 where there is no GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.generation.chat_templates import ChatTemplate, rendered
from llama_mapper.domain.mapping.generation.ports import Prompt
from tests.support.models import run_program

PROGRAM = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
told = []
for folder in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    words = [{"role": "system", "content": "S"}, {"role": "user", "content": "Grüße"}]
    text = tokenizer.apply_chat_template(words, tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    answer = model.generate(**tokens, max_new_tokens=4, do_sample=False)
    told.append({"kind": type(model).__name__, "text": text, "round": tokenizer.decode(tokens["input_ids"][0]),
                 "new": answer.shape[1] - tokens["input_ids"].shape[1]})
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(
    models_python: Path, smollm2: Path, tiny_llama: Path, tiny_phi3: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, str]]:
    program = tmp_path_factory.mktemp("small") / "program.py"
    program.write_text(PROGRAM)
    answers: list[dict[str, str]] = json.loads(run_program(models_python, program, smollm2, tiny_llama, tiny_phi3))
    return answers


def test_they_are_of_the_architectures_they_stand_for(told: list[dict[str, str]]) -> None:
    assert [each["kind"] for each in told] == ["LlamaForCausalLM", "LlamaForCausalLM", "Phi3ForCausalLM"]


def test_each_generates_from_its_own_chat_template(told: list[dict[str, str]]) -> None:
    smollm2, llama, phi3 = told
    assert (
        smollm2["text"] == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nGrüße<|im_end|>\n<|im_start|>assistant\n"
    )
    assert llama["text"] == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nGrüße<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert phi3["text"] == "<|system|>\nS<|end|>\n<|user|>\nGrüße<|end|>\n<|assistant|>\n"
    asked = Prompt(system="S", user="Grüße")
    assert smollm2["text"] == rendered(asked, ChatTemplate.CHATML)
    assert llama["text"] == "<|begin_of_text|>" + rendered(asked, ChatTemplate.LLAMA3)  # which the server puts there
    assert phi3["text"] == rendered(asked, ChatTemplate.PHI3)
    assert all(each["round"] == each["text"] for each in told)
    assert all(0 < int(each["new"]) <= 4 for each in told)
