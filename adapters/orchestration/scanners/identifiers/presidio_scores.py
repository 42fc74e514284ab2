"""What a Presidio hit is worth here: its own score, held down without a cue nearby and lifted with one.

Presidio looks for English cue words in the five words before; this looks for cues of four languages in the
characters around, in time that does not depend on the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llama_mapper.adapters.orchestration.scanners.textscan.checks import payment_card
from llama_mapper.adapters.orchestration.scanners.textscan.rules import is_near, words

FLOOR = 0.2
"""Hits below this are not reported."""
_BEFORE, _AFTER = 56, 24


@dataclass(frozen=True, slots=True)
class Worth:
    """Without `cue` nearby a hit scores at most `bare`; with it, at least `cued`."""

    bare: float
    cued: float
    cue: re.Pattern[str]


def _cue(*alternatives: str) -> re.Pattern[str]:
    return re.compile(words(*alternatives), re.IGNORECASE)


WORTH: dict[str, Worth] = {
    "EMAIL_ADDRESS": Worth(0.95, 0.99, _cue(r"e-?mails?", "mail", "correo", "courriel", "contact")),
    "URL": Worth(0.75, 0.85, _cue("url", "website", "web ?site", "link", "homepage", "webseite", "página", "site")),
    "IP_ADDRESS": Worth(0.7, 0.9, _cue("ip", "ipv4", "ipv6", "ip-adresse", "address", "host", "server", "client")),
    "MAC_ADDRESS": Worth(0.75, 0.95, _cue("mac", "hardware", "ethernet", "wlan", "wi-?fi", "device")),
    "CREDIT_CARD": Worth(
        0.7,
        0.97,
        _cue(
            "(?:credit|debit)? ?cards?",
            "cc",
            "visa",
            "master ?card",
            "amex",
            "american express",
            "discover",
            "pan",
            "charged?",
            r"kredit\w{0,8}",
            r"karten?\w{0,10}",
            r"tarjetas?",
            "carte(?: bancaire)?",
            "cvv2?",
            "cvc2?",
            "exp(?:iry|ires)?",
        ),
    ),
    "IBAN_CODE": Worth(0.95, 0.99, _cue("iban", r"bank\w{0,10}", "account", "konto", "cuenta", "transfer", "compte")),
    "CRYPTO": Worth(0.9, 0.97, _cue("wallet", "btc", "bitcoin", "crypto")),
    "US_SSN": Worth(
        0.6, 0.95, _cue("ssn", "social", "social security", r"ss ?#", "seguro social", "sozialversicherung\\w*")
    ),
    "US_ITIN": Worth(0.3, 0.9, _cue("itin", "tin", "taxpayer", "tax(?: id)?", "individual taxpayer")),
    "US_BANK_NUMBER": Worth(0.0, 0.75, _cue("(?:bank|checking|savings|debit) (?:account|acct)", "routing")),
    "UK_NINO": Worth(0.55, 0.95, _cue("national insurance", "ni(?:no)?", "ni number", "insurance number")),
    "CA_SIN": Worth(0.2, 0.9, _cue("sin", "social insurance", "nas", "assurance sociale")),
    "IN_AADHAAR": Worth(0.3, 0.95, _cue("aadhaar", "aadhar", "uidai", "uid")),
    "IN_PAN": Worth(0.45, 0.92, _cue("pan", "permanent account", "income tax")),
    "IT_FISCAL_CODE": Worth(0.8, 0.97, _cue("codice fiscale", "cf", "fiscale")),
    "PL_PESEL": Worth(0.2, 0.95, _cue("pesel")),
}

_VERSION = re.compile(r"(?i)(?:version|release|build|firmware|driver|(?<!\w)v)[ .:]{0,3}$")
_FILE_SUFFIXES = "py md sh rs pl ps so js ts cc app zip mov pub ai pm cs st do bz name mp"
_WEB_SUFFIXES = """
com org net edu gov mil info biz io co de es fr uk eu nl it ch at se no fi dk pl cz hu be tn uy br mx ca us in jp cn au
"""
_FILE_LIKE = frozenset(_FILE_SUFFIXES.split())
_WEB = frozenset(_WEB_SUFFIXES.split())


def score_hit(label: str, raw: float, text: str, start: int, end: int) -> float:
    """The score from 0 to 1 for a hit of `label` that Presidio scored `raw`."""
    worth = WORTH[label]
    value = text[start:end]
    if label == "URL":
        raw = _url(value, raw)
    elif label == "CREDIT_CARD":
        raw = 0.7 if payment_card(value) else 0.3
    elif label == "US_SSN" and value.count("-") == 2 and value[0] != "9":
        raw = 0.6
    elif label == "IP_ADDRESS" and (
        raw < 0.5 or _VERSION.search(text, max(0, start - 20), start) or _scope_operator(value)
    ):
        return 0.15
    if is_near(worth.cue, text, start, end, _BEFORE, _AFTER):
        if label == "CREDIT_CARD" and raw < 0.5:
            return 0.6
        return max(raw, worth.cued) if label != "URL" or raw > 0.4 else raw
    if label == "US_SSN":
        raw = raw if raw == 0.6 else min(raw, 0.3)
    return min(raw, worth.bare)


def _scope_operator(value: str) -> bool:
    """Whether what reads as a short IPv6 address is rather two names joined as in C++ or Rust."""
    return ":" in value and value.count(":") < 4 and sum(char.isdigit() for char in value) < 2


def _url(value: str, raw: float) -> float:
    if raw > 0.5 or value[:4].lower() == "www.":
        return 0.75
    host, slash, _ = value.partition("/")
    suffix = host.rpartition(".")[2].lower()
    if suffix in _FILE_LIKE:
        return 0.15
    return 0.6 if suffix in _WEB and (len(suffix) > 2 or slash or host.islower()) else 0.35
