"""Whether a model's files would load, found out by reading their headers: no torch, and no weight is read.

The safetensors format is a length of 8 bytes, a JSON header of that length, and the tensors' bytes without gaps
(huggingface.co/docs/safetensors). GGUF begins with a magic number, a version and two counts
(github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_mapper.domain.contracts.models import ModelManifest

_HEADER_LIMIT = 100_000_000  # as the safetensors library has it
_JSON_LIMIT = 64 * 1024 * 1024
_BITS = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
_GGUF_VERSIONS = (2, 3)
_WEIGHTS = (".safetensors", ".gguf", ".onnx", ".bin", ".engine", ".plan", ".pt")


class HeaderLoadCheck:
    """Keeps `LoadCheck`'s promise for LoRA adapters, safetensors and GGUF weights, and JSON beside them."""

    async def problems(self, manifest: ModelManifest, folder: Path) -> Sequence[str]:
        """See `LoadCheck.problems`."""
        return await asyncio.to_thread(_problems, folder)


def _problems(folder: Path) -> list[str]:
    found: list[str] = []
    headers: dict[str, Mapping[str, Any]] = {}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not any(path.suffix in _WEIGHTS for path in files):
        found.append("there is no file of weights")
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix == ".safetensors":
                headers[name] = safetensors_header(path)
            elif path.suffix == ".gguf":
                _require_gguf(path)
            elif path.suffix == ".json":
                _json(path)
        except (OSError, ValueError, RecursionError) as error:
            found.append(f"{name}: {error}")
    if "adapter_model.safetensors" in headers and not any(each.startswith("adapter_config.json") for each in found):
        found += _lora_problems(folder, headers["adapter_model.safetensors"])
    index = folder / "model.safetensors.index.json"
    if index.is_file() and not any(each.startswith(index.name) for each in found):
        found += _index_problems(index, headers)
    return found


def safetensors_header(path: Path) -> Mapping[str, Any]:
    """Tensor → its entry, of a whole and consistent safetensors file; raise ValueError saying what is wrong."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise ValueError("it is too short for a safetensors file")
        (length,) = struct.unpack("<Q", start)
        if length > min(_HEADER_LIMIT, size - 8):
            raise ValueError("its header is longer than the file")
        raw = file.read(length)
    try:
        header = json.loads(raw.decode("utf-8"))
    except ValueError:
        raise ValueError("its header is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    header.pop("__metadata__", None)
    end = 0
    try:
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, stop = entry["data_offsets"]
            if begin != end:
                raise ValueError(f"the bytes of the tensor {name[:128]} do not follow those before it")
            bits = math.prod(entry["shape"]) * _BITS[entry["dtype"]]
            if min(entry["shape"], default=0) < 0 or bits % 8 or (stop - begin) * 8 != bits:
                raise ValueError(f"the bytes of the tensor {name[:128]} are not as many as its shape needs")
            end = stop
    except (KeyError, TypeError, IndexError):
        raise ValueError("its header describes a tensor in a way that is not known") from None
    if 8 + length + end != size:
        raise ValueError(f"it is {size} bytes long where its header tells of {8 + length + end}")
    return header


def _lora_problems(folder: Path, tensors: Mapping[str, Any]) -> list[str]:
    """Whether a peft adapter's weights are those that its configuration describes."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        return ["adapter_config.json is missing beside adapter_model.safetensors"]
    config = _json(path)
    if not isinstance(config, dict):
        return ["adapter_config.json is not a JSON object"]
    found = []
    if config.get("peft_type") != "LORA":
        found.append("adapter_config.json: peft_type is not LORA")
    rank = config.get("r")
    if not isinstance(rank, int) or rank < 1:
        return [*found, "adapter_config.json: r is not a rank"]
    if not config.get("base_model_name_or_path"):
        found.append("adapter_config.json: base_model_name_or_path is not set")
    pattern = config.get("rank_pattern") or {}
    pairs: dict[str, dict[str, Sequence[int]]] = {}
    for name, entry in tensors.items():
        for side in ("lora_A", "lora_B"):
            if f".{side}." in name and len(entry["shape"]) == 2:
                pairs.setdefault(name.split(f".{side}.")[0], {})[side] = entry["shape"]
    if not pairs:
        return [*found, "adapter_model.safetensors has no LoRA weights"]
    for module, sides in sorted(pairs.items()):
        if len(sides) < 2:
            found.append(f"{module}: lora_A or lora_B is missing")
        elif sides["lora_A"][0] != sides["lora_B"][1]:
            found.append(f"{module}: lora_A and lora_B do not go together")
        elif not pattern and sides["lora_A"][0] != rank:
            found.append(f"{module}: its rank is {sides['lora_A'][0]}, adapter_config.json says {rank}")
    targets = config.get("target_modules")
    if isinstance(targets, list):
        trained = {module.rsplit(".", 1)[-1] for module in pairs}
        missing = sorted({str(target).rsplit(".", 1)[-1] for target in targets} - trained)
        found += [f"there are no weights for the target module {target}" for target in missing]
    return found


def _index_problems(index: Path, headers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Whether weights in several files are all there."""
    said = _json(index)
    weights = said.get("weight_map") if isinstance(said, dict) else None
    if not isinstance(weights, dict):
        return [f"{index.name}: there is no weight_map"]
    missing = sorted({str(file) for tensor, file in weights.items() if tensor not in headers.get(str(file), {})})
    return [f"{file}: tensors that {index.name} names are not in it" for file in missing]


def _require_gguf(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(24)
    if len(start) < 24 or start[:4] != b"GGUF":
        raise ValueError("it is not a GGUF file")
    version, tensors, _ = struct.unpack("<IQQ", start[4:])
    if version not in _GGUF_VERSIONS:
        raise ValueError(f"its GGUF version {version} is not known")
    if tensors < 1:
        raise ValueError("it has no tensors")


def _json(path: Path) -> Any:
    if path.stat().st_size > _JSON_LIMIT:
        raise ValueError("it is too large for a JSON file of a model")
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        raise ValueError("it is not JSON") from None
