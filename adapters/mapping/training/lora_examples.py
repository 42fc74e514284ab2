"""Examples as token ids: the model's own chat template, and a loss on the answer alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IGNORED = -100
"""The label of a token that the loss leaves out, as torch's cross entropy takes it."""


@dataclass(frozen=True, slots=True)
class ChatExample:
    """What a model is asked and what it should answer.

    `choices` is answer → canonical id, or None for "none of these", in the order shown; empty where the answer is
    not bound to a list.
    """

    system: str
    user: str
    answer: str
    choices: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """Token ids of prompt and answer; the answer ends with the token that ends a turn."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def read_examples(path: Path) -> list[ChatExample]:
    """One split of a data set, as `run_folder` writes it; raise `ValueError` or `OSError`."""
    examples = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            raw = json.loads(line)
            examples.append(ChatExample(raw["system"], raw["user"], raw["answer"], raw.get("choices", {})))
    return examples


def encode_prompt(tokenizer: Any, system: str, user: str) -> tuple[int, ...]:
    """The prompt's ids up to where the answer begins, exactly as serving puts it."""
    return _ids(tokenizer, _template(tokenizer, system, user, None))


def encode_answer(tokenizer: Any, example: ChatExample, answer: str) -> tuple[int, ...]:
    """The ids of an answer to the example's question, with the token that ends the turn.

    Raise `ValueError` if the chat template lets an answer change the prompt.
    """
    before = _template(tokenizer, example.system, example.user, None)
    whole = _template(tokenizer, example.system, example.user, answer)
    if not whole.startswith(before) or answer not in whole[len(before) :]:
        raise ValueError("the chat template changes the prompt when an answer follows")
    ids = _ids(tokenizer, whole[len(before) :])
    # What a template puts after the token that ends the turn (a line break, the end of the text) is never generated.
    ends = special_ids(tokenizer)
    return next((ids[: place + 1] for place, token in enumerate(ids) if token in ends), ids)


def encode(tokenizer: Any, example: ChatExample) -> EncodedExample:
    """Prompt and answer, tokenised apart as they meet in serving; raise `ValueError` as `encode_answer` does."""
    answer = encode_answer(tokenizer, example, example.answer)
    return EncodedExample(encode_prompt(tokenizer, example.system, example.user), answer)


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Ids of the tokens that mark turns, beginnings and ends, and that no text gives."""
    added = tokenizer.added_tokens_decoder
    return frozenset(tokenizer.all_special_ids) | {token for token, told in added.items() if told.special}


def batch_of(examples: Sequence[EncodedExample], padding: int) -> tuple[Any, Any, Any]:
    """Ids, attention mask and labels as tensors, padded at the right."""
    import torch

    width = max(len(example) for example in examples)
    ids, mask, labels = [], [], []
    for example in examples:
        gap = width - len(example)
        ids.append([*example.prompt, *example.answer, *[padding] * gap])
        mask.append([1] * len(example) + [0] * gap)
        labels.append([IGNORED] * len(example.prompt) + [*example.answer, *[IGNORED] * gap])
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(labels)


def padding_of(tokenizer: Any) -> int:
    """An id to pad with; masked, so that any does."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def _template(tokenizer: Any, system: str, user: str, answer: str | None) -> str:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    if answer is not None:
        messages.append({"role": "assistant", "content": answer})
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer is None)
    return str(text)


def _ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
