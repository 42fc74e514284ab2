"""Telephone numbers: one pass for candidates, then libphonenumber's numbering plans for each.

Presidio's recogniser walks the whole text once for every region; this judges only what looks like a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llama_mapper.adapters.orchestration.scanners.textscan.checks import payment_card
from llama_mapper.adapters.orchestration.scanners.textscan.rules import is_near, words
from llama_mapper.domain.orchestration.ports import RawFinding

PHONE_NUMBER = "PHONE_NUMBER"
REGIONS = ("US", "GB", "DE", "FR", "ES", "IN", "CA")
"""Numbering plans that a number without a country code is tried in."""

_CANDIDATE = re.compile(
    r"(?<![\w@#$€£/%+-])(?<!\d[.,])(?:\+ ?|00)?\(?\d(?:[ .\-/()\u2010-\u2013\u00a0]{0,3}\d){5,16}(?: ?(?:x"
    r"|ext\.? ?)\d{1,6})?(?![\w%@]|[.,]\d|-\d)"
)
_CUE = re.compile(
    words(
        r"(?:tele)?phones?(?: number)?",
        r"tel\.?",
        "cell(?:phone)?",
        "mobile?",
        "call(?:ed|ing)?",
        "dial",
        "ring",
        "fax",
        "text me",
        "whatsapp",
        "sms",
        "reach",
        "contact",
        "office",
        "answering(?: at)?",
        r"telefon\w{0,8}",
        r"handy\w{0,7}",
        "mobil(?:nummer)?",
        "rückruf",
        "anrufen",
        r"tel[eé]fonos?",
        "m[oó]vil",
        "celular",
        "ll[aá]m[ae]\\w{0,4}",
        "llamar",
        "portable",
        "appel\\w{0,3}",
        r"t[eé]l[eé]phone",
    ),
    re.IGNORECASE,
)
_NOT_PHONE = re.compile(
    words(
        r"order",
        r"invoice",
        r"ticket",
        r"tracking",
        r"isbn",
        r"case",
        r"ref(?:erence)?",
        r"account",
        r"serial",
        r"sku",
        r"part",
        r"npi",
        r"mrn",
        r"id",
        r"bestell\w{0,8}",
        r"rechnung\w{0,8}",
        r"pedido",
        r"factura",
        r"iban",
        r"konto\w{0,8}",
        r"card",
        r"ssn",
    )
    + r"[^\n.;,]{0,18}$",
    re.IGNORECASE,
)
_DASHED = re.compile(r"\d[-.]\d")
_EXTENSION = re.compile(r" ?(?:x|ext).*")
_DATE_LIKE = re.compile(
    r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(?:[ T]\d{1,2}.*)?|\d{4} ?[-\u2013] ?\d{4}|\d{3}-\d{2}-\d{4}"
    r"|(?:\d{1,3}\.){3}\d{1,3}"
)
_NATIONAL = re.compile(
    r"\(?0\d.*|\(\d{2,4}\).*|1?[-. ]?[2-9]\d{2}[-. )]{1,2}[2-9]\d{2}[-. ]\d{4}.*"
    r"|[6-9]\d{2}[ .-]?(?:\d{3}[ .-]\d{3}|\d{2}[ .-]\d{2}[ .-]\d{2})"
)


def find_phones(text: str) -> Iterator[RawFinding]:
    """Numbers with a plausible plan.

    0.8 in international form, 0.6 in a national form that is written like a telephone number, 0.3 for bare digits; 0.9
    (0.7 if no plan knows it) next to a word such as phone, Telefon, móvil. Needs the package phonenumbers.
    """
    for match in _CANDIDATE.finditer(text):
        start, end = match.span()
        value = match[0]
        digits = sum(c.isdigit() for c in _EXTENSION.sub("", value))
        if not 7 <= digits <= (17 if value[:2] == "00" else 15) or _DATE_LIKE.fullmatch(value) or payment_card(value):
            continue
        cue = is_near(_CUE, text, start, end, 40, 16)
        if not cue and _NOT_PHONE.search(text, max(0, start - 40), start):
            continue
        plain = value.isdigit()
        if plain and not cue and digits > 11:
            continue
        shorter = value.rpartition(" ")[0].rstrip(" -(/.")
        mixed = _DASHED.search(shorter) is not None  # what follows a dashed number after a space is something else
        valid = not mixed and _valid(value)
        if not valid and sum(c.isdigit() for c in shorter) >= 7 and _valid(shorter):
            valid, value, end = True, shorter, start + len(shorter)
        valid = valid or (mixed and _valid(value))
        if valid:
            if cue:
                score = 0.9
            elif value[0] == "+" or value.startswith("00"):
                score = 0.8
            else:
                score = 0.3 if plain else 0.6 if _NATIONAL.fullmatch(value) else 0.35
        elif cue and (digits <= 12 or "x" in value):
            score = 0.7 if not plain or digits >= 9 else 0.4
        elif value[0] == "+" and digits >= 8:
            score = 0.5
        elif not plain and _NATIONAL.fullmatch(value) and digits >= 9:
            score = 0.4
        else:
            continue
        yield RawFinding(PHONE_NUMBER, score, start, end)


def _valid(value: str) -> bool:
    import phonenumbers

    international = value[0] == "+" or value.startswith("00")
    if value.startswith("00"):
        value = "+" + value[2:]
    for region in (None,) if international else REGIONS:
        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return True
    return False
