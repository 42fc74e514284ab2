"""One spelling for labels that differ only in case, separators, Unicode form or a tagging prefix."""

from __future__ import annotations

import re
import unicodedata

_RUN = r"[\s\-_/.:\u2010-\u2015]+"
_BETWEEN_DIGITS = re.compile(rf"(?<=\d){_RUN}(?=\d)")
_ELSEWHERE = re.compile(rf"(?<!\d){_RUN}|{_RUN}(?!\d)")
_TAGS = frozenset("BIESUL")


def normalise(label: str) -> str:
    """The label without case and separators: `Credit-Card`, `CREDIT_CARD` and `creditCard` give `creditcard`.

    Unicode compatibility forms are folded (NFKC). A separator between two digits is kept as one space, so that
    `1.1` does not become `11`. A label of separators alone gives an empty text, which matches nothing.
    """
    if not label.isascii():
        label = unicodedata.normalize("NFKC", label)
    return _ELSEWHERE.sub("", _BETWEEN_DIGITS.sub(" ", label.casefold()))


def without_tag(label: str) -> str | None:
    """The label without its BIO or BILOU prefix (`B-PER` gives `PER`), or None if it has none."""
    if len(label) > 2 and label[1] == "-" and label[0] in _TAGS:
        return label[2:]
    return None
