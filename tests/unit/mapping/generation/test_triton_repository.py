"""The model repositories that are shipped for Triton: one contract for a GPU and for a CPU."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from llama_mapper.adapters.mapping.generation.triton_tensors import shape_of

TRITON = Path(__file__).parents[4] / "deploy" / "triton"
GPU, CPU = TRITON / "model_repository", TRITON / "cpu"
GENERATING = ("llama3_mapper", "phi3_analyst")


def config(repository: Path, model: str) -> Any:
    text = (repository / model / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def models(repository: Path) -> set[str]:
    return {path.parent.name for path in repository.glob("*/config.pbtxt")}


def test_both_serve_the_same_names() -> None:
    assert models(GPU) == models(CPU) == {*GENERATING, "embeddings"}


@pytest.mark.parametrize("repository", [GPU, CPU])
def test_every_model_has_its_name_and_a_version(repository: Path) -> None:
    for model in models(repository):
        assert config(repository, model).name == model
        assert [path.name for path in (repository / model).iterdir() if path.name.isdecimal()] == ["1"]


@pytest.mark.parametrize("model", GENERATING)
def test_both_are_asked_in_the_same_way(model: str) -> None:
    gpu, cpu = (shape_of(config(repository, model)) for repository in (GPU, CPU))
    assert gpu.decoupled
    assert cpu.decoupled
    assert gpu.template is cpu.template is not None
    assert config(GPU, model).max_batch_size == config(CPU, model).max_batch_size == 0


def test_embeddings_have_the_same_tensors() -> None:
    gpu, cpu = config(GPU, "embeddings"), config(CPU, "embeddings")
    assert [*gpu.input, *gpu.output] == [*cpu.input, *cpu.output]
    assert gpu.dynamic_batching == cpu.dynamic_batching


@pytest.mark.parametrize("model", GENERATING)
def test_the_engine_of_a_gpu_has_adapters_by_name(model: str) -> None:
    engine = json.loads((GPU / model / "1" / "model.json").read_text())
    adapters = json.loads((GPU / model / "1" / "multi_lora.json").read_text())
    assert engine["enable_lora"] is True
    assert 0 < len(adapters) <= engine["max_loras"]
    assert all(path.startswith("/models/adapters/") for path in adapters.values())


@pytest.mark.parametrize("repository", [GPU, CPU])
def test_no_weights_are_shipped(repository: Path) -> None:
    assert max(path.stat().st_size for path in repository.rglob("*") if path.is_file()) < 20_000


def test_the_launcher_replaces_parameters_and_adds_others() -> None:
    filled = runpy.run_path(str(TRITON / "launch.py"))["filled"]
    for model in GENERATING:
        text = (CPU / model / "config.pbtxt").read_text()
        parsed = text_format.Parse(filled(text, {"weights": 'a"\\1', "new": "x"}), model_config_pb2.ModelConfig())
        assert parsed.parameters["weights"].string_value == 'a"\\1'
        assert parsed.parameters["new"].string_value == "x"
        assert shape_of(parsed).template is not None
