"""How well a model answers: greedy, and bound to the admissible answers where the task has a closed list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class AnswerTree:
    """Admissible answers as a tree of token ids; greedy decoding walks it and can reach nothing else."""

    branches: dict[int, AnswerTree] = field(default_factory=dict)
    answer: str = ""
    """What was written, where nothing follows."""

    @classmethod
    def of(cls, answers: Mapping[str, Sequence[int]]) -> AnswerTree:
        """The tree of answers and their token ids, each of which ends with the token that ends a turn."""
        root = cls()
        for answer, tokens in answers.items():
            node = root
            for token in tokens:
                node = node.branches.setdefault(token, cls())
            node.answer = answer
        return root


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's answer and the natural logarithm of its probability among what was admissible at each token."""

    text: str
    log_probability: float


class GreedyDecoder:
    """Asks one model, one prompt at a time, with a cache of the prompt's keys and values."""

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._device = device

    def choose(self, prompt: Sequence[int], tree: AnswerTree) -> Answered:
        """The admissible answer that greedy decoding reaches; tokens without an alternative are not scored."""
        import torch

        node, pending, cache = tree, list(prompt), None
        score = 0.0
        with torch.inference_mode():
            while node.branches:
                if len(node.branches) == 1:
                    token, node = next(iter(node.branches.items()))
                    pending.append(token)
                    continue
                logits, cache = self._next(pending, cache)
                options = list(node.branches)
                scores = torch.log_softmax(logits[options], dim=-1)
                best = int(scores.argmax())
                score += float(scores[best])
                pending, node = [options[best]], node.branches[options[best]]
        return Answered(node.answer, score)

    def write(self, prompt: Sequence[int], limit: int) -> Answered:
        """What greedy decoding writes until the turn's end, `limit` tokens at the most."""
        import torch

        pending, cache, score = list(prompt), None, 0.0
        chosen: list[int] = []
        ends = _ends_of(self._model, self._tokenizer)
        with torch.inference_mode():
            while len(chosen) < limit:
                logits, cache = self._next(pending, cache)
                scores = torch.log_softmax(logits, dim=-1)
                token = int(scores.argmax())
                score += float(scores[token])
                if token in ends:
                    break
                chosen.append(token)
                pending = [token]
        return Answered(self._tokenizer.decode(chosen, skip_special_tokens=True), score)

    def _next(self, pending: Sequence[int], cache: Any) -> tuple[Any, Any]:
        import torch

        ids = torch.tensor([list(pending)], device=self._device)
        out = self._model(input_ids=ids, past_key_values=cache, use_cache=True)
        return out.logits[0, -1].float(), out.past_key_values


def canonical_scores(pairs: Sequence[tuple[str | None, str | None]]) -> dict[str, float]:
    """Shares over (expected, answered) canonical labels: level 2, level 3, and valid answers. None is "none of these".

    Level 3 asks for the whole id, level 2 for the category.
    """
    count = len(pairs)
    if not count:
        return {"examples": 0.0}
    return {
        "examples": float(count),
        "level2_accuracy": sum(_category(want) == _category(got) for want, got in pairs) / count,
        "level3_accuracy": sum(want == got for want, got in pairs) / count,
    }


def structured_scores(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Shares over (expected, answered) JSON objects: valid JSON, right keys, and equal values key by key."""
    count = len(pairs)
    if not count:
        return {"examples": 0.0}
    valid, keyed = 0, 0
    equal: dict[str, int] = {}
    for want_text, got_text in pairs:
        want, got = json.loads(want_text), _object(got_text)
        valid += got is not None
        keyed += got is not None and got.keys() == want.keys()
        for key, value in want.items():
            equal[key] = equal.get(key, 0) + (got is not None and got.get(key) == value)
    shares = {f"equal_{key}": times / count for key, times in sorted(equal.items())}
    return {"examples": float(count), "valid_json": valid / count, "schema_valid": keyed / count, **shares}


def spread(items: Sequence[Any], limit: int) -> Iterator[Any]:
    """`limit` of the items, evenly spread and in order; all where there are no more."""
    if len(items) <= limit:
        yield from items
        return
    for number in range(limit):
        yield items[number * len(items) // limit]


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        raw = json.loads(text)
    except ValueError:
        return None
    return raw if isinstance(raw, dict) else None


def _category(canonical: str | None) -> str | None:
    return None if canonical is None else ".".join(canonical.split(".")[:2])


def _ends_of(model: Any, tokenizer: Any) -> set[int]:
    told = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = set(told) if isinstance(told, list) else {told}
    return {int(token) for token in (*ends, tokenizer.eos_token_id) if token is not None}
