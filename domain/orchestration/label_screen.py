"""Labels that nobody declared, held against the text that they are about.

A detector is given content and may answer with it: a mapping that reads the matched text as the label, a model that
repeats a name, a service that lies. A label is kept for ever, in records, history and review queues; content never is.
"""

from __future__ import annotations

import re
import unicodedata

from llama_mapper.domain.orchestration.ports import TextDigests

WITHHELD = "unknown:"
"""How a label begins that is not shown; the keyed digest of it follows."""

LONGEST, MOST_WORDS, MOST_LABELS = 64, 8, 32
"""Characters and words of a label, and undeclared labels of an answer: beyond these they are prose, not labels."""

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONG = 4
"""Letters from which on a word is looked for inside other words too; shorter ones happen to be in many."""


class LabelScreen:
    """Decides, for one text, which undeclared labels may be shown. The text is folded once, if a label needs it."""

    __slots__ = ("_digests", "_joined", "_seen", "_spaced", "_tenant_id", "_text")

    def __init__(self, tenant_id: str, text: str, digests: TextDigests) -> None:
        self._tenant_id = tenant_id
        self._text = text
        self._digests = digests
        self._seen: dict[str, str] = {}
        self._joined: str | None = None
        self._spaced = ""

    def shown(self, label: str) -> str:
        """The label, or `unknown:` and its keyed digest where it is long or shares a word with the text.

        Case, separators, Unicode compatibility forms and humps (`MailAddress`) make no difference. A word of one or two
        letters alone says nothing; a label of two or more letters that stands in the text as a whole does.
        """
        known = self._seen.get(label)
        if known is None:
            tells = len(self._seen) >= MOST_LABELS or self._tells(label)
            known = WITHHELD + self._digests.digest(self._tenant_id, label) if tells else label
            self._seen[label] = known
        return known

    def _tells(self, label: str) -> bool:
        if len(label) > LONGEST:
            return True
        words = _words(_HUMP.sub(" ", label))
        if len(words) > MOST_WORDS:
            return True
        if not words:  # signs alone, such as emoji
            return label.strip() in self._text
        if self._joined is None:
            folded = _words(self._text)
            self._joined, self._spaced = "".join(folded), f" {' '.join(folded)} "
        whole = "".join(words)
        return (len(whole) > 1 and self._has(whole)) or any(self._has(word) for word in words if _says(word))

    def _has(self, word: str) -> bool:
        if len(word) >= _LONG or not word.isascii():
            return self._joined is not None and word in self._joined
        return f" {word} " in self._spaced


def _words(text: str) -> list[str]:
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _WORD.findall(folded.casefold())


def _says(word: str) -> bool:
    return len(word) >= (_LONG - 1 if word.isascii() else 2)
