"""Llama models and LoRA weights of random numbers as GGUF files: real to llama.cpp, and answered in milliseconds.

The format is GGUF version 3 (github.com/ggml-org/ggml/blob/master/docs/gguf.md). Tokens are single bytes and the
printable ASCII characters.
"""

from __future__ import annotations

import math
import random
import struct
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

CONTEXT = 8192
_WIDTH, _HEADS, _INNER, _RANK = 192, 4, 768, 4
_LAYERS = 4
_END = 2
_ALIGNMENT = 32
_UINT, _FLOAT, _TEXT, _ARRAY, _INT = 4, 6, 8, 9, 5
_TEMPLATE = "{% for m in messages %}<{{ m.role }}>\n{{ m.content }}\n{% endfor %}<assistant>\n"

Value = int | float | str | Sequence[str] | Sequence[float] | Sequence[int]
Tensor = tuple[tuple[int, ...], "array[float]"]


def write_model(path: Path, seed: int = 0, layers: int = _LAYERS) -> Path:
    """A model of three million weights that never ends its text by itself; a token takes it about a millisecond.

    With one layer it is four times as quick, and `write_adapter` has nothing for it.
    """
    draw = random.Random(seed)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *map(chr, range(33, 127)), "\u2581"]
    kinds = [2, 3, 3, *[6] * 256, *[1] * 95]
    output = _random(draw, _WIDTH, len(tokens), scale=1.0)
    output[1][_END * _WIDTH : (_END + 1) * _WIDTH] = array("f", [0.0] * _WIDTH)
    tensors: dict[str, Tensor] = {
        "token_embd.weight": _random(draw, _WIDTH, len(tokens), scale=1.0),
        "output_norm.weight": _ones(_WIDTH),
        "output.weight": output,
    }
    for layer in range(layers):
        block = f"blk.{layer}"
        tensors |= {
            f"{block}.attn_norm.weight": _ones(_WIDTH),
            f"{block}.ffn_norm.weight": _ones(_WIDTH),
            **{f"{block}.attn_{part}.weight": _random(draw, _WIDTH, _WIDTH) for part in ("q", "k", "v", "output")},
            **{f"{block}.ffn_{part}.weight": _random(draw, _WIDTH, _INNER) for part in ("gate", "up")},
            f"{block}.ffn_down.weight": _random(draw, _INNER, _WIDTH),
        }
    facts: dict[str, Value] = {
        "general.architecture": "llama",
        "general.name": "tiny random llama",
        "llama.block_count": layers,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": _WIDTH,
        "llama.feed_forward_length": _INNER,
        "llama.attention.head_count": _HEADS,
        "llama.attention.head_count_kv": _HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": _WIDTH // _HEADS,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * len(tokens),
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": _END,
        "tokenizer.chat_template": _TEMPLATE,
    }
    return _write(path, facts, tensors)


def write_adapter(path: Path, seed: int = 1) -> Path:
    """LoRA weights for it that change what it says."""
    draw = random.Random(seed)
    tensors: dict[str, Tensor] = {}
    for layer in range(_LAYERS):
        name = f"blk.{layer}.ffn_down.weight"
        tensors[f"{name}.lora_a"] = _random(draw, _INNER, _RANK, scale=2.0)
        tensors[f"{name}.lora_b"] = _random(draw, _RANK, _WIDTH, scale=2.0)
    facts: dict[str, Value] = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": float(_RANK),
    }
    return _write(path, facts, tensors)


def _random(draw: random.Random, *shape: int, scale: float = 0.1) -> Tensor:
    step = scale / 74.0  # so that the standard deviation of a byte's even spread becomes `scale`
    return shape, array("f", [(byte - 127.5) * step for byte in draw.randbytes(math.prod(shape))])


def _ones(size: int) -> Tensor:
    return (size,), array("f", [1.0] * size)


def _write(path: Path, facts: Mapping[str, Value], tensors: Mapping[str, Tensor]) -> Path:
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts)))
    for name, value in facts.items():
        head += _text(name) + _typed(value)
    body = bytearray()
    for name, (shape, numbers) in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(body))
        body += _padded(numbers.tobytes())
    path.write_bytes(_padded(bytes(head)) + bytes(body))
    return path


def _typed(value: Value) -> bytes:
    match value:
        case str():
            return struct.pack("<I", _TEXT) + _text(value)
        case int():
            return struct.pack("<II", _UINT, value)
        case float():
            return struct.pack("<If", _FLOAT, value)
    first = value[0]
    kind = _TEXT if isinstance(first, str) else _FLOAT if isinstance(first, float) else _INT
    items = [
        _text(each) if isinstance(each, str) else struct.pack("<f" if kind == _FLOAT else "<i", each) for each in value
    ]
    return struct.pack("<IIQ", _ARRAY, kind, len(value)) + b"".join(items)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(data: bytes) -> bytes:
    return data + b"\x00" * (-len(data) % _ALIGNMENT)
