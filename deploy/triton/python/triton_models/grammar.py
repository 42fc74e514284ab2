"""A JSON Schema as a bound on the next token, by xgrammar."""

from __future__ import annotations

from typing import Any


class Grammars:
    """Compiles schemas for one vocabulary; those used lately are kept."""

    def __init__(self, tokenizer: Any, vocabulary_size: int, stop_ids: list[int]) -> None:
        import xgrammar

        told = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocabulary_size, stop_token_ids=stop_ids)
        self._compiler = xgrammar.GrammarCompiler(told, max_threads=1, cache_limit_bytes=64 << 20)
        self._size = vocabulary_size

    def bound(self, schema: str, any_whitespace: bool) -> Bound:
        """A fresh bound by a schema; ValueError if it is none that the decoder can be held to."""
        try:
            compiled = self._compiler.compile_json_schema(schema, any_whitespace=any_whitespace)
        except RuntimeError as error:
            raise ValueError("the schema cannot be compiled") from error
        return Bound(compiled, self._size)


class Bound:
    """Where one answer stands in its grammar."""

    def __init__(self, compiled: Any, vocabulary_size: int) -> None:
        import xgrammar

        self._matcher = xgrammar.GrammarMatcher(compiled)
        self._allowed = xgrammar.allocate_token_bitmask(1, vocabulary_size)
        self._apply = xgrammar.apply_token_bitmask_inplace
        self._stops = set(self._matcher.stop_token_ids)
        self._matcher.fill_next_token_bitmask(self._allowed)

    def mask(self, scores: Any) -> None:
        """Forbid, in a row of scores (1, vocabulary), what may not come next."""
        self._apply(scores, self._allowed)

    def take(self, token: int) -> bool:
        """Go on with a token; True if nothing but the end can follow, so that the model need not be asked for it."""
        if not self._matcher.accept_token(token):
            raise RuntimeError("the decoder took a token off the grammar")
        if self._matcher.is_terminated():
            return True
        self._matcher.fill_next_token_bitmask(self._allowed)
        words = self._allowed.numpy()[0].view("uint32")
        return all(word == 0 or self._only_stops(at, int(word)) for at, word in enumerate(words) if word)

    def _only_stops(self, at: int, word: int) -> bool:
        return all(at * 32 + bit in self._stops for bit in range(32) if word >> bit & 1)
