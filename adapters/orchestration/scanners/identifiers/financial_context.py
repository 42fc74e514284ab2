"""The `financial_context` detector: bank and card data that a cue word or a check digit gives away. Pure Python."""

from __future__ import annotations

import re

from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan.checks import aba_routing
from llama_mapper.adapters.orchestration.scanners.textscan.rules import MARK, Rule, cued, scan_rules, words
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection

US_ROUTING_NUMBER = "US_ROUTING_NUMBER"
SWIFT_BIC = "SWIFT_BIC"
CARD_SECURITY_CODE = "CARD_SECURITY_CODE"
CARD_EXPIRY = "CARD_EXPIRY"
US_BANK_ACCOUNT = "US_BANK_ACCOUNT"

_COUNTRY_CODES = """
AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF CG CH CI
CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ES ET FI FJ FO FR GA GB GD GE GG GH GI GL GM GN GQ GR
GT GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM JO JP KE KG KH KM KN KR KW KY KZ LA LB LC LI LK LR LS LT
LU LV LY MA MC MD ME MG MK ML MM MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NZ OM PA PE PG PH PK PL PR
PS PT PY QA RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TG TH TJ TL TM TN TO TR
TT TV TW TZ UA UG US UY UZ VA VC VE VG VN VU WS XK YE ZA ZM ZW
"""
_COUNTRIES = frozenset(_COUNTRY_CODES.split())
_CARD = re.compile(
    r"(?i)(?<!\w)(?:cards?|visa|master ?card|amex|american express|cvv2?|cvc2?|credit|debit|kreditkarte"
    r"|karten?\w{0,12}|"
    r"tarjetas?|carte)(?!\w)|(?<!\d)(?:\d[ -]?){13,16}(?!\d)"
)
_BANK = re.compile(
    r"(?i)(?<!\w)(?:bank\w{0,8}|banco|routing|aba|checking|savings|wire|ach|direct deposit|blz|iban|bic"
    r"|swift|überweis\w{0,5}|"
    r"girokonto|transferencia|transfer|deposit)(?!\w)"
)
_ACCOUNT_CUE = words(
    r"(?:bank )?(?:account|acct|a/c)(?: (?:number|no|num|nr|#))?",
    r"(?:checking|savings)(?: account)?",
    r"konto-?(?:nummer|nr)?",
    r"n[uú]mero de cuenta",
    r"cuenta(?: bancaria| corriente)?",
    r"n° de compte",
)

RULES: tuple[Rule, ...] = (
    Rule(US_ROUTING_NUMBER, cued(words(r"routing", r"aba", r"rtn", r"transit"), r"\d{9}"), 0.97, aba_routing),
    Rule(US_ROUTING_NUMBER, re.compile(r"(?<![\w.-])\d{9}(?![\w-])"), 0.6, aba_routing, near=_BANK, otherwise=0.2),
    Rule(
        SWIFT_BIC,
        cued(
            words(r"swift(?:[ /-]?(?:bic|code))?", r"bic", r"bank identifier code"),
            r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?",
        ),
        0.92,
        lambda value: value[4:6] in _COUNTRIES,
    ),
    Rule(
        CARD_SECURITY_CODE,
        cued(
            words(
                r"cvv2?",
                r"cvc2?",
                r"csc",
                r"cid",
                r"card (?:security|verification) (?:code|value|number)",
                r"(?:karten)?prüf(?:nummer|ziffer|code)",
                r"cryptogramme(?: visuel)?",
            ),
            r"\d{3,4}",
            MARK,
        ),
        0.92,
    ),
    Rule(
        CARD_SECURITY_CODE,
        cued(
            words(
                r"security (?:code|number)", r"sicherheitscode", r"c[oó]digo de seguridad", r"code de s[eé]curit[eé]"
            ),
            r"\d{3,4}",
            r"[^\n;!?\d]{0,30}?",
        ),
        0.9,
        near=_CARD,
        otherwise=0.35,
    ),
    Rule(
        CARD_EXPIRY,
        cued(
            words(
                r"exp(?:\.|iry|ires?|iration|iring)?(?: date)?",
                r"valid (?:thru|through|until|till|to)",
                r"good thru",
                r"g[uü]ltig bis",
                r"ablauf(?:datum)?",
                r"l[aä]uft ab",
                r"verfallsdatum",
                r"caduca(?: el)?",
                r"caducidad",
                r"vence(?: el)?",
                r"vencimiento",
                r"v[aá]lida hasta",
                r"expire(?: le)?",
            ),
            r"(?:0?[1-9]|1[0-2]) ?[/\-] ?(?:20)?[2-4]\d",
            r"[^\n;!?\d]{0,14}?",
        ),
        0.88,
        near=_CARD,
        otherwise=0.3,
    ),
    Rule(US_BANK_ACCOUNT, cued(_ACCOUNT_CUE, r"\d(?:[ -]?\d){5,16}", MARK), 0.85, near=_BANK, otherwise=0.4, reach=60),
)

_DESCRIPTOR = DetectorDescriptor(
    name="financial_context",
    vendor="llama_mapper_financial",
    vendor_version="1",
    categories=("pii.financial_data",),
    labels=(US_ROUTING_NUMBER, SWIFT_BIC, CARD_SECURITY_CODE, CARD_EXPIRY, US_BANK_ACCOUNT),
    languages=("en", "de", "es", "fr"),
    cost_ms_per_kchar=0.3,
)


class FinancialContextScanner:
    """Finds routing, account, card-security and expiry data by their context."""

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares."""
        return _DESCRIPTOR

    def load(self) -> None:
        """Nothing to load."""

    def scan(self, text: str) -> Inspection:
        """Judge `text`."""
        return Inspection(scan_rules(text, RULES))


def financial_context_scanner() -> TextScanner:
    """A scanner for bank and card data by context."""
    return FinancialContextScanner()
