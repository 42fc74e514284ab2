"""Whether files would load is told from their headers."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.mapping.model_loading import HeaderLoadCheck, safetensors_header
from llama_mapper.domain.contracts.models import ModelArtifact, ModelKind, ModelManifest
from tests.support.registered_models import MODULE, lora_folder, lora_weights, safetensors

MANIFEST = ModelManifest(
    name="m",
    version="1.0.0",
    kind=ModelKind.MAPPER,
    base_model="tiny",
    artifacts=(ModelArtifact(path="a", sha256="0" * 64, size=0),),
)


async def problems(folder: Path) -> list[str]:
    return list(await HeaderLoadCheck().problems(MANIFEST, folder))


async def test_a_lora_adapter_as_training_leaves_it_loads(tmp_path: Path) -> None:
    assert await problems(lora_folder(tmp_path / "lora")) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"r": 8}, "its rank is 2, adapter_config.json says 8"),
        ({"r": None}, "r is not a rank"),
        ({"peft_type": "PREFIX_TUNING"}, "peft_type is not LORA"),
        ({"target_modules": ["q_proj", "v_proj"]}, "no weights for the target module v_proj"),
        ({"base_model_name_or_path": None}, "base_model_name_or_path is not set"),
    ],
)
async def test_a_configuration_that_is_not_that_of_the_weights_is_told(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    assert said in "; ".join(await problems(lora_folder(tmp_path / "lora", **config)))


async def test_each_broken_file_is_named(tmp_path: Path) -> None:
    folder = lora_folder(tmp_path / "lora")
    (folder / "adapter_config.json").write_text("{")
    (folder / "weights.gguf").write_bytes(b"GGML" + bytes(20))
    (folder / "short.safetensors").write_bytes(b"123")
    found = await problems(folder)
    assert [each.split(":")[0] for each in found] == ["adapter_config.json", "short.safetensors", "weights.gguf"]


async def test_a_folder_without_weights_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert await problems(tmp_path) == ["there is no file of weights"]


async def test_weights_in_several_files_must_all_be_there(tmp_path: Path) -> None:
    (tmp_path / "model-1.safetensors").write_bytes(safetensors({"a": ("U8", [3], b"abc")}))
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    )
    assert await problems(tmp_path) == [
        "model-2.safetensors: tensors that model.safetensors.index.json names are not in it"
    ]


async def test_half_a_pair_is_told(tmp_path: Path) -> None:
    folder = lora_folder(tmp_path / "lora")
    weights = safetensors({f"{MODULE}.lora_A.weight": ("F32", [2, 1], bytes(8))})
    (folder / "adapter_model.safetensors").write_bytes(weights)
    assert any("lora_B is missing" in each for each in await problems(folder))


async def test_a_gguf_file_is_known_by_its_head(tmp_path: Path) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 10, 5)
    for content, sound in ((head, True), (head[:-1], False), (b"GGUF" + struct.pack("<IQQ", 99, 1, 1), False)):
        (tmp_path / "m.gguf").write_bytes(content)
        assert (await problems(tmp_path) == []) is sound


@given(st.integers(0, len(lora_weights()) - 1))
def test_weights_that_are_cut_anywhere_do_not_pass(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "m.safetensors"
    path.write_bytes(lora_weights()[:size])
    with pytest.raises(ValueError):
        safetensors_header(path)


@given(st.binary(max_size=64))
def test_no_bytes_break_the_reading_of_a_header(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("junk") / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(junk)) + junk)
    try:
        header = safetensors_header(path)
    except ValueError:
        return
    assert header == {}


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0]},
        {"dtype": "F32", "shape": [1]},
        [],
        None,
    ],
)
def test_a_tensor_that_is_not_where_its_header_says_is_refused(tmp_path: Path, tensor: object) -> None:
    text = json.dumps({"t": tensor}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(ValueError):
        safetensors_header(tmp_path / "m.safetensors")
