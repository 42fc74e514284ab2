"""Writing several answers together: one forward step gives each its next token."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from triton_models.asked import Sampling
from triton_models.grammar import Bound


class Listener(Protocol):
    """Who asked."""

    def gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        ...

    def wrote(self, row: Row) -> None:
        """One more token is written, and it is not the last."""
        ...

    def ended(self, row: Row, reason: str) -> None:
        """The answer is complete (`stop`) or cut (`length`)."""
        ...

    def failed(self, message: str, *, unavailable: bool = False) -> None:
        """There is no answer."""
        ...


@dataclass(eq=False)
class Row:
    """One answer while it is written."""

    prompt: list[int]
    sampling: Sampling
    listener: Listener
    until: float | None = None
    """Monotonic seconds; after that nobody waits."""
    bound: Bound | None = None
    generator: Any = None
    tokens: list[int] = field(default_factory=list)
    likely: list[dict[int, dict[str, Any]]] = field(default_factory=list)
    log_probability: float = 0.0
    most: int = 0
    """Tokens at the most: as asked, or as many as the model's context has left."""


class Decoder:
    """A causal language model and its tokenizer; not for several threads."""

    def __init__(
        self, model: Any, tokenizer: Any, stop_ids: Sequence[int], select: Callable[[str | None], Any]
    ) -> None:
        self._model, self._tokenizer, self._stops = model, tokenizer, frozenset(stop_ids)
        self._select = select

    def write(self, rows: Sequence[Row], adapter: str | None) -> None:
        """Write all rows to their ends, with one adapter's weights; each listener hears of its own row alone."""
        import torch

        with torch.inference_mode(), self._select(adapter):
            self._write(list(rows))

    def _write(self, rows: list[Row]) -> None:
        import torch
        from transformers import DynamicCache

        device, width = self._model.device, max(len(row.prompt) for row in rows)
        padding = [width - len(row.prompt) for row in rows]
        tokens = torch.tensor([[0] * pad + row.prompt for pad, row in zip(padding, rows, strict=True)], device=device)
        mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding], device=device)
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=self._model.config)
        while rows:
            scores = self._model(
                input_ids=tokens,
                attention_mask=mask,
                position_ids=places,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1, :]
            taken = [self._step(row, scores[at : at + 1].float()) for at, row in enumerate(rows)]
            kept = [at for at, token in enumerate(taken) if token is not None]
            if not kept:
                return
            if len(kept) < len(rows):
                chosen = torch.tensor(kept, device=device)
                cache.batch_select_indices(chosen)
                mask, places = mask[chosen], places[chosen]
            rows = [rows[at] for at in kept]
            tokens = torch.tensor([[taken[at]] for at in kept], device=device)
            mask = torch.cat([mask, mask.new_ones(len(kept), 1)], dim=-1)
            places = places[:, -1:] + 1

    def _step(self, row: Row, scores: Any) -> int | None:
        """The row's next token, or None if it ended."""
        listener, sampling = row.listener, row.sampling
        if listener.gone():
            listener.failed("Request was cancelled")
            return None
        if row.until is not None and time.monotonic() > row.until:
            listener.failed("Request timeout expired", unavailable=True)
            return None
        raw = scores.log_softmax(-1) if sampling.logprobs is not None else None
        if row.bound is not None:
            row.bound.mask(scores)
        token = self._chosen(row, scores)
        row.tokens.append(token)
        if raw is not None:
            self._note(row, raw[0], token)
        if token in self._stops:
            listener.ended(row, "stop")
            return None
        if row.bound is not None and row.bound.take(token):
            listener.ended(row, "stop")
            return None
        if len(row.tokens) >= row.most:
            listener.ended(row, "length")
            return None
        listener.wrote(row)
        return token

    @staticmethod
    def _chosen(row: Row, scores: Any) -> int:
        import torch

        if row.sampling.temperature == 0.0:
            return int(scores.argmax())
        if row.generator is None:
            row.generator = torch.Generator(device=scores.device)
            if row.sampling.seed is None:
                row.generator.seed()
            else:
                row.generator.manual_seed(row.sampling.seed)
        shares, ids = (scores[0] / row.sampling.temperature).softmax(-1).sort(descending=True)
        if row.sampling.top_p < 1.0:  # the fewest of the likeliest tokens that make up the share
            shares = shares.masked_fill(shares.cumsum(-1) - shares >= row.sampling.top_p, 0.0)
        return int(ids[torch.multinomial(shares, 1, generator=row.generator)])

    def _note(self, row: Row, raw: Any, token: int) -> None:
        """The taken token first, then the likeliest, as they stood before the grammar."""
        values, ids = raw.topk(row.sampling.logprobs) if row.sampling.logprobs else (raw[:0], raw[:0])
        own = float(raw[token])
        rank = int((raw > own).sum()) + 1
        told = {token: {"logprob": own, "rank": rank, "decoded_token": self._tokenizer.decode([token])}}
        for place, (value, number) in enumerate(zip(values.tolist(), ids.tolist(), strict=True), start=1):
            number = int(number)
            told.setdefault(
                number, {"logprob": value, "rank": place, "decoded_token": self._tokenizer.decode([number])}
            )
        row.likely.append(told)
        row.log_probability += own
