"""Secrets told in prose, connection strings and private keys, by rules of our own.

Token scanners know the form of a key; nobody's password has a form. What can be recognised is the sentence that gives it
away, in English, German and Spanish, and a value that looks like one: quoted, or with digits or symbols, or alone at the end.
"""

# ruff: noqa: E501, RUF001  (typographic quotes are matched, and a pattern broken over lines hides what it matches)

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection, RawFinding

from .lexicons import read_lexicon
from .rules import MATCHES_PER_RULE

_NAME = (
    r"(?:pass[ _-]?words?|passwd|pass[ -]?phrase|pass[ -]?code|access code|login code|pwd|pw|passw(?:ort|örter|oerter)"
    r"|kennwort|zugangscode|geheimzahl|contrase(?:ñ|n|ni)a|clave(?: de acceso| secreta)?|pin(?:[ -]?(?:code|number|nummer))?)"
)
_OF = r"(?:[ \t]{1,3}(?:for|to|of|on|in|at|from|für|fuer|zum|zur|des|der|vom|von|del?|para|am|im)\b[^\n.:;=\"'?!]{1,50}?)?"
_LINK = (
    r"(?P<link>[\"']?[ \t]{0,3}(?::=|=>|->|→|:|=)[ \t]{0,3}"
    r"|[ \t]{1,3}(?:is now|is still|is|are|was|will be|set to|has been set to|changed to|ist jetzt|ist|lautet|heißt|heisst|war"
    r"|es ahora|es|será|sera|era)(?:[ \t]{0,2}:)?[ \t]{1,3})"
)
_VALUE = r"(?:(?P<quote>[\"'`“„«‘])(?P<quoted>[^\"'`“”„«»‘’\n]{3,128})[\"'`”“»’]|(?P<plain>[^\s\"'`“”„«»]{3,128}))"
_PROSE = re.compile(rf"(?<![\w.-])(?P<name>{_NAME})\b{_OF}{_LINK}{_VALUE}", re.IGNORECASE)
_PIN = re.compile(r"pin|geheimzahl", re.IGNORECASE)

_CONNECTION = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,24}://[^\s:/?#\[\]@\"'<>]{0,128}:(?P<password>[^\s/\"'<>@]{1,256})@[^\s\"'<>,;)]{1,512}"
)
_KEYED = re.compile(
    r"\b(?:(?:server|data source|host|endpoint|defaultendpointsprotocol|driver)\s?=[^\s;\"']{1,256};)(?:[^=;\n\"']{1,64}=[^;\n\"']{0,256};){0,12}?"
    r"\s?(?:password|pwd|accountkey|sharedaccesskey)\s?=(?P<password>[^;\s\"']{3,256})",
    re.IGNORECASE,
)
_KEY_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_TAIL = re.compile(r"-----END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(r"(?:\s|\\[rn])*(?:[A-Za-z-]{2,32}: [^\n]{1,128}\n){0,4}\s{0,4}[A-Za-z0-9+/=]{40}")
_KEY_LONGEST = 16_384

_PLACEHOLDER = re.compile(
    r"[<\[{(%$].*|.*[*•●]{3}.*|x{3,}.*|\.{2,}.*|_+"
    r"|(?:change[_-]?me|change[_-]?it|your[_-].*|my[_-]?(?:password|pass|secret)|dein[_-].*|tu[_-].*|placeholder|redacted|removed|hidden"
    r"|example|beispiel|ejemplo|sample|dummy|secret|password|passwd|pass|pwd|passwort|contraseña|kennwort|none|null|nil|undefined"
    r"|true|false|todo|tbd|n/a|na|empty|unknown|string|str|text|varchar.*|os\.\w.*|env\.\w.*|process\.env.*|getpass.*|input.*|request\..*"
    r"|self\..*|config\..*|settings\..*)",
    re.IGNORECASE | re.DOTALL,
)
_REPEATED = re.compile(r"(.)\1*", re.DOTALL)


@lru_cache(maxsize=1)
def _descriptions() -> frozenset[str]:
    """After "is" these words describe a password; they are not one."""
    return frozenset(read_lexicon("password_descriptions"))


_ENDS = re.compile(r"[\s.!?,;)\]]*(?:\n|$)|[.!;,)]\s")


class SecretPhraseScanner:
    """Passwords, passcodes and PINs told in a sentence, connection strings with a password, and private key blocks."""

    descriptor = DetectorDescriptor(
        name="secret_phrases",
        vendor="llama_mapper_secrets",
        vendor_version="1",
        categories=("security.credentials",),
        labels=("PROSE_PASSWORD", "CONNECTION_STRING", "PRIVATE_KEY"),
        languages=("en", "de", "es"),
        cost_ms_per_kchar=0.2,
    )

    def load(self) -> None:
        """Read the word list; the rules are patterns."""
        _descriptions()

    def scan(self, text: str) -> Inspection:
        """Findings; a told password's span is the password alone, a connection string's and a key's the whole."""
        found = [*_told(text), *_connections(text), *_private_keys(text)]
        return Inspection(tuple(sorted(found, key=lambda f: (f.start or 0, f.label))))


def _told(text: str) -> Iterator[RawFinding]:
    count = 0
    for match in _PROSE.finditer(text):
        group = "quoted" if match["quoted"] is not None else "plain"
        value = match[group].rstrip(".,;:!?)]}\"'") if group == "plain" else match[group].strip()
        start = match.start(group)
        end = start + len(value)
        score = _value_score(
            value,
            quoted=group == "quoted",
            assigned=not match["link"].strip(" \t\"'").isalpha() and " " not in match["link"].strip(),
            last=bool(_ENDS.match(text, end)),
            pin=bool(_PIN.match(match["name"])),
        )
        if score:
            yield RawFinding("PROSE_PASSWORD", score, start, end)
            if (count := count + 1) == MATCHES_PER_RULE:
                return


def _value_score(value: str, *, quoted: bool, assigned: bool, last: bool, pin: bool) -> float:
    """How likely `value` is a password, 0 for not at all. `assigned`: after a colon or sign; `last`: nothing follows."""
    if len(value) < 3 or _REPEATED.fullmatch(value) or _PLACEHOLDER.fullmatch(value) or "://" in value:
        return 0.0
    if value.rstrip("?").lower() in _descriptions() or value.endswith("("):
        return 0.0
    digit = any(c.isdigit() for c in value)
    letter = any(c.isalpha() for c in value)
    symbol = any(not c.isalnum() and c not in "-'’_./" for c in value)
    if pin:
        return 0.85 if value.isdigit() and 3 < len(value) < 9 else 0.0
    if digit and letter and "(" not in value:
        return 0.9
    if quoted and " " not in value:
        return 0.8
    if symbol and letter and not value.endswith(")"):
        return 0.75
    if value.isdigit():
        return 0.8 if len(value) > 3 else 0.0
    if quoted:
        return 0.55
    if last and letter and len(value) > 3 and not value.endswith("ed"):
        return 0.65 if assigned or value.islower() or value[1:].islower() else 0.55
    return 0.0


def _connections(text: str) -> Iterator[RawFinding]:
    for pattern in (_CONNECTION, _KEYED):
        for count, match in enumerate(pattern.finditer(text)):
            if count == MATCHES_PER_RULE:
                break
            password = match["password"]
            if not _PLACEHOLDER.fullmatch(password) and not _REPEATED.fullmatch(password):
                yield RawFinding("CONNECTION_STRING", 0.9, match.start(), match.end())


def _private_keys(text: str) -> Iterator[RawFinding]:
    at = 0
    for _ in range(MATCHES_PER_RULE):
        head = _KEY_HEAD.search(text, at)
        if head is None:
            return
        at = head.end()
        if _KEY_BODY.match(text, at):
            tail = _KEY_TAIL.search(text, at, at + _KEY_LONGEST)
            at = tail.end() if tail else at
            yield RawFinding("PRIVATE_KEY", 0.95, head.start(), at)


def secret_phrase_scanner() -> SecretPhraseScanner:
    """A scanner for told secrets."""
    return SecretPhraseScanner()
