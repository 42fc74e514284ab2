"""What a text says once disguises are taken off: views of it to judge again, each with the way back to the original.

A view is made only where the text holds what it undoes, so plain text costs a few searches. Decoding goes two levels deep
and stops at 64 chunks or 65,536 decoded characters a level.
"""

# ruff: noqa: E501  (patterns stay on one line; look-alike letters are the subject)

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from .folding import FoldedText, fold, fold_character

_CHUNKS = 64
_DECODED = 65_536

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9A-Fa-f]{2}[ :,]?){12,}(?![0-9A-Za-z])|(?:\\x[0-9A-Fa-f]{2}){8,}")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}[A-Za-z0-9_.~+-]{0,24}){6,}")
_ESCAPES = re.compile(r"(?:\\u[0-9A-Fa-f]{4}){6,}|(?:&#(?:x[0-9A-Fa-f]{2,5}|[0-9]{2,6});){6,}")
_BINARY = re.compile(r"(?<![01])(?:[01]{8}[ ,]?){8,}(?![01])")
_TAGS = re.compile("\U0001f3f4?[\U000e0000-\U000e007f]{4,}")
_FLAG_LONGEST = 8
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufe00-\ufe0f"
    "\U000e0000-\U000e01ef]"
)
_OVERRIDE = re.compile("[\u202d\u202e]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FOREIGN_IN_WORD = re.compile(
    r"[A-Za-z][^\x00-\u024f\s\W]|[^\x00-\u024f\s\W][A-Za-z]|[\u0370-\u052f\u0530-\u058f\u13a0-\u13ff\ua4d0-\ua4ff]{3}|[\U0001d400-\U0001d7ff\uff21-\uff5a\u2460-\u24ff\U0001f130-\U0001f189]"
)
_LEET = re.compile(r"[A-Za-z][013457@$!|][A-Za-z]|(?<![A-Za-z0-9])[1!][gn][nmsg]|[013457@$][A-Za-z][013457@$]")
_SPACED = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z](?P<gap>[ .*_\-|~/+])(?:(?P=gap){1,2})?)(?:[A-Za-z](?P=gap){1,3}){8,}[A-Za-z](?![A-Za-z0-9])"
)
_SPLIT_WORD = re.compile(r"(?<=[A-Za-z])[*_.~|^-](?=[A-Za-z])")
_SPLIT_HINT = re.compile(r"[A-Za-z][*_.~|^-][A-Za-z][*_.~|^-][A-Za-z]")
_ROT13_HINT = re.compile(
    r"\b(?:vtaber|qvfertneq|sbetrg|vafgehpgvbaf?|flfgrz cebzcg|cerivbhf|erirny|cebzcg|olcnff|bireevqr|wnvyoernx|snyfpu|vtabevrer|vtaben)\b",
    re.IGNORECASE,
)
_REVERSED_HINT = re.compile(r"erongi|dragersid|tegrof|snoitcurtsni|tpmorp|suoiverp|laever|edirrevo", re.IGNORECASE)

_LEET_LETTERS = str.maketrans("013457@$!|", "oieastasii")
_LEET_LETTERS_L = str.maketrans("013457@$!|", "oleastasil")


@dataclass(frozen=True, slots=True)
class View:
    """Text to judge again. `whole` is the original span to point at; None means that `folded` leads back itself.

    `suspicion` is what the disguise amounts to by itself: 0 for what harmless text has too.
    """

    name: str
    folded: FoldedText
    whole: tuple[int, int] | None = None
    suspicion: float = 0.0


def disguised_views(text: str) -> Iterator[View]:
    """Views of `text` with one disguise each taken off; the plain text is not among them."""
    if not text.isascii():
        yield from _smuggled(text)
        if _INVISIBLE.search(text) or _FOREIGN_IN_WORD.search(text):
            yield View("unmasked", fold(text, _unmask))
    if _LEET.search(text):
        for table in (_LEET_LETTERS, _LEET_LETTERS_L) if re.search("[1!|]", text) else (_LEET_LETTERS,):
            yield View("leet", fold(text.translate(table), _unmask))
    yield from _respelled(text)
    if (view := _unescaped(text)) is not None:
        yield view
    yield from _decoded(text, depth=2)


def _smuggled(text: str) -> Iterator[View]:
    for run in _TAGS.finditer(text):
        if run[0][0] == "\U0001f3f4" and len(run[0]) <= _FLAG_LONGEST:
            continue  # the flag of England is a black flag and its region in tag characters
        letters = "".join(chr(ord(c) - 0xE0000) for c in run[0] if 0x20 <= ord(c) - 0xE0000 < 0x7F)
        yield View("tags", fold(letters), run.span(), suspicion=0.9)
    for run in _SELECTORS.finditer(text):
        values = bytes(ord(c) - 0xFE00 if c < "\U000e0100" else (ord(c) - 0xE0100 + 16) & 0xFF for c in run[0])
        yield View("selectors", fold(values.decode("utf-8", "replace")), run.span(), suspicion=0.85)
    if (override := _OVERRIDE.search(text)) and not _RIGHT_TO_LEFT.search(text):
        end = text.find("\u202c", override.end())
        end = end if 0 <= end - override.end() <= 2_000 else min(len(text), override.end() + 200)
        yield View("bidi", fold(text[override.end() : end][::-1]), (override.start(), end), suspicion=0.7)


def _respelled(text: str) -> Iterator[View]:
    for run in _SPACED.finditer(text):
        gap = re.escape(run["gap"])
        words = re.sub(rf"{gap}(?!{gap})(?<!{gap}{gap})", "", run[0])
        yield View("spaced", fold(re.sub(rf"{gap}+", " ", words)), run.span())
    if _SPLIT_HINT.search(text):
        yield View("split", fold(_SPLIT_WORD.sub("\u200b", text), _unmask))
    if _ROT13_HINT.search(text):
        yield View("rot13", fold(codecs.encode(text, "rot13")))
    if _REVERSED_HINT.search(text):
        yield View("reversed", fold(text[::-1]), (0, len(text)))


def _unescaped(text: str) -> View | None:
    """All character escapes undone where they stand, since encoders leave what needs no escape."""
    chunks = list(_ESCAPES.finditer(text))
    if not chunks:
        return None
    start, end = max(0, chunks[0].start() - 64), min(len(text), chunks[-1].end() + 64)
    part = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), html.unescape(text[start:end][:_DECODED]))
    return View("escapes", fold(part, _unmask), (start, end))


def _decoded(text: str, depth: int, whole: tuple[int, int] | None = None) -> Iterator[View]:
    budget, chunks = _DECODED, 0
    for name, pattern, decode in _DECODERS:
        for match in pattern.finditer(text):
            if chunks == _CHUNKS or budget <= 0:
                return
            chunks += 1
            plain = decode(match[0][: 4 * _DECODED])
            if plain is None:
                continue
            plain = plain[:budget]
            budget -= len(plain)
            span = whole or match.span()
            yield View(name, fold(plain, _unmask), span)
            if depth > 1:
                yield from _decoded(plain, depth - 1, span)
                if _ROT13_HINT.search(plain):
                    yield View("rot13", fold(codecs.encode(plain, "rot13")), span)


def _readable(raw: bytes) -> str | None:
    """Bytes as text if that is what they are: mostly letters and spaces in UTF-8 or UTF-16."""
    encoding = "utf-16-le" if len(raw) > 8 and raw[1::2].count(0) > len(raw) // 3 else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    sample = text[:512]
    plain = sum(c.isalnum() or c in " \n\t.,;:!?'\"-_/()[]{}<>=+&%\\" for c in sample)
    return text if sample and plain >= 0.9 * len(sample) else None


def _from_base64(chunk: str) -> str | None:
    compact = re.sub(r"\s", "", chunk).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _readable(base64.b64decode(compact + "=" * (-len(compact) % 4)))
    except (binascii.Error, ValueError):
        return None


def _from_hex(chunk: str) -> str | None:
    digits = re.sub(r"0x|\\x|[ :,]", "", chunk)
    return _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_percent(chunk: str) -> str | None:
    return _readable(unquote_to_bytes(chunk.replace("+", " ")))


def _from_binary(chunk: str) -> str | None:
    bits = re.sub("[ ,]", "", chunk)
    return _readable(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) // 8 * 8, 8)))


_DECODERS: tuple[tuple[str, re.Pattern[str], Callable[[str], str | None]], ...] = (
    ("base64", _BASE64, _from_base64),
    ("hex", _HEX, _from_hex),
    ("percent", _PERCENT, _from_percent),
    ("binary", _BINARY, _from_binary),
)


@lru_cache(maxsize=8192)
def _unmask(character: str) -> str:
    """One character as the Latin letter it looks like; nothing where it is invisible."""
    if _INVISIBLE.match(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return ""
    folded = "".join(map(fold_character, unicodedata.normalize("NFKC", character)))
    if folded.isascii():
        return folded
    return "".join(
        c if c.isascii() else _look_alikes().get(c, _look_alikes().get(c.upper(), c)) for c in folded
    ).lower()


@lru_cache(maxsize=1)
def _look_alikes() -> dict[str, str]:
    """Characters of other scripts and the ASCII letter each is confused with (Unicode's confusables table)."""
    from confusable_homoglyphs import confusables

    found: dict[str, str] = {}
    for character, alikes in confusables.confusables_data.items():
        if len(character) == 1 and not character.isascii():
            for alike in alikes:
                if len(alike["c"]) == 1 and alike["c"].isascii() and alike["c"].isalpha():
                    found.setdefault(character, alike["c"])
    # Cyrillic and Greek lower-case letters that the table pairs with a symbol or another letter than readers see.
    found.update(zip("аеосрхуіјѕһԁԛԝνοραικ", "aeocpxyijshdqwvopaik", strict=True))
    return found
