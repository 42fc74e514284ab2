"""Tokens as text, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Pieces:
    """The text of a growing list of tokens. A character of several tokens is given when it is whole."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._shown = self._given = 0

    def more(self, tokens: Sequence[int]) -> str:
        """What the newest tokens add; empty while a character is incomplete.

        Only the last few tokens are decoded: `_shown` is where the piece before the last began, since how a token
        reads can depend on the one before it.
        """
        before = self._text(tokens[self._shown : self._given])
        now = self._text(tokens[self._shown :])
        if len(now) <= len(before) or now.endswith("\ufffd"):
            return ""
        self._shown, self._given = self._given, len(tokens)
        return now[len(before) :]

    def rest(self, tokens: Sequence[int]) -> str:
        """What is left at the end, whole or not."""
        before = self._text(tokens[self._shown : self._given])
        return self._text(tokens[self._shown :])[len(before) :]

    def _text(self, tokens: Sequence[int]) -> str:
        decoded: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return decoded
