"""Untrusted text as a model may see it: one JSON string that ends where we say it ends."""

from __future__ import annotations

import json
import unicodedata

QUOTED_LIMIT = 160
"""Characters of untrusted text that a prompt shows at the most."""

_CUT = "…"
# Chat templates mark turns with these (`<|im_end|>`, `[INST]`, `</s>`), and so do our own delimiters. Escaped, they
# are still JSON and can be no marker.
_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>[]|&`"}


def neutral(text: str) -> str:
    """The text without what only hides or deceives, at most `QUOTED_LIMIT` characters.

    Compatibility forms are folded (NFKC). Format characters (zero-width, bidirectional) are left out; control,
    surrogate, private-use and unassigned ones become spaces, and runs of white space one. A cut ends in an ellipsis.
    """
    # What will be cut off is not worth folding; folding may lengthen and the blanks below may shorten.
    folded = unicodedata.normalize("NFKC", text[: 4 * QUOTED_LIMIT])
    plain = " ".join("".join([_shown(sign) for sign in folded]).split())
    if len(plain) <= QUOTED_LIMIT and len(text) <= 4 * QUOTED_LIMIT:
        return plain
    return plain[: QUOTED_LIMIT - 1] + _CUT


def quoted(text: str) -> str:
    """`neutral(text)` as a JSON string literal without line breaks, angle or square brackets, bars or ampersands."""
    return json.dumps(neutral(text), ensure_ascii=False).translate(_ESCAPED)


def _shown(sign: str) -> str:
    category = unicodedata.category(sign)
    return "" if category == "Cf" else " " if category[0] in "CZ" else sign
