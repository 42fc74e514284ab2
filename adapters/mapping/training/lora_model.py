"""A frozen base model with a LoRA adapter on it, by transformers and peft. Nothing is downloaded.

Imported by the trainer alone, in an interpreter that has torch.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mapper.domain.mapping.training.spec import Hyperparameters, Precision, Quantization

_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj")
"""Names of attention projections: Llama's, and Phi-3's, which has the first three in one."""


class BaseModelError(Exception):
    """The base model cannot be used; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class AdaptedModel:
    """A peft model, its tokenizer, and where and in which number format it runs."""

    model: Any
    tokenizer: Any
    device: str
    autocast: bool
    quantized: bool


def load_base(location: str, hyper: Hyperparameters) -> AdaptedModel:
    """The base model of a local folder or GGUF file, without an adapter; raise `BaseModelError`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = Path(location)
    if path.is_dir():
        folder, options = str(path), {}
    elif path.suffix == ".gguf" and path.is_file():
        folder, options = str(path.parent), {"gguf_file": path.name}
    else:
        raise BaseModelError(f"there is no model folder and no GGUF file at {path}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = _half_precision(hyper.precision, device)
    quantized = _quantized(hyper.quantization, device)
    loading: dict[str, Any] = {"dtype": torch.bfloat16 if half and device == "cuda" else torch.float32}
    if quantized:
        # Not reached on machines without a GPU, and so far run on none with one.
        from transformers import BitsAndBytesConfig

        loading["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if half else torch.float32,
        )
        loading["device_map"] = {"": 0}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **options, **loading)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise BaseModelError(
            f"the base model cannot be loaded ({type(error).__name__}: {_first_line(error)})"
        ) from error
    if not tokenizer.chat_template:
        raise BaseModelError("the base model's tokenizer has no chat template; take an instruction-tuned model")
    if options:
        # Read from GGUF the weights are plain tensors again, and saving must not look for the file's own types.
        model.hf_quantizer, model.is_quantized = None, False
        vars(model.config).pop("quantization_config", None)
    if not quantized:
        model.to(device)
    return AdaptedModel(model, tokenizer, device, half, quantized)


def with_adapter(base: AdaptedModel, hyper: Hyperparameters) -> AdaptedModel:
    """The base model frozen, with a fresh adapter whose weights alone are trained."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    model = base.model
    if base.quantized:
        model = prepare_model_for_kbit_training(model)
    targets = sorted(hyper.target_modules or _projections(model))
    if not targets:
        raise BaseModelError("the base model has no attention projections of a known name; name target_modules")
    config = LoraConfig(
        r=hyper.rank,
        lora_alpha=hyper.alpha,
        lora_dropout=hyper.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise BaseModelError(f"the adapter does not fit the base model: {_first_line(error)}") from error
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return AdaptedModel(adapted, base.tokenizer, base.device, base.autocast, base.quantized)


def adapter_files(model: Any) -> dict[str, bytes]:
    """The adapter as peft stores it: `adapter_model.safetensors` and `adapter_config.json`."""
    import json

    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in get_peft_model_state_dict(model).items()}
    config = {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in model.peft_config["default"].to_dict().items()
    }
    config["inference_mode"] = True
    # A path of this machine means nothing elsewhere; whoever takes the adapter over names what it belongs to.
    config["base_model_name_or_path"] = None
    return {
        "adapter_model.safetensors": save(weights, metadata={"format": "pt"}),
        "adapter_config.json": json.dumps(config, indent=1, sort_keys=True, default=str).encode(),
    }


def put_adapter(model: Any, weights: bytes) -> None:
    """Replace the adapter's weights by those of `adapter_model.safetensors`."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load

    set_peft_model_state_dict(model, load(weights))


def _projections(model: Any) -> set[str]:
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    return names & set(_ATTENTION)


def _half_precision(wanted: Precision, device: str) -> bool:
    import torch

    if wanted is Precision.AUTO:
        return device == "cuda" and bool(torch.cuda.is_bf16_supported())
    return wanted is Precision.BFLOAT16


def _quantized(wanted: Quantization, device: str) -> bool:
    able = device == "cuda" and importlib.util.find_spec("bitsandbytes") is not None
    if wanted is Quantization.NF4 and not able:
        raise BaseModelError("4-bit weights need a GPU and the package bitsandbytes")
    return able and wanted is not Quantization.NONE


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]
