"""The `personal_context` detector: personal identifiers that a cue word or a check digit gives away. Pure Python."""

from __future__ import annotations

import re

from llama_mapper.adapters.orchestration.scanners.identifiers import personal_addresses
from llama_mapper.adapters.orchestration.scanners.identifiers.personal_names import PERSON_NAME, find_names
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan.checks import de_tax_id, es_nif, fr_nir
from llama_mapper.adapters.orchestration.scanners.textscan.rules import Rule, cued, scan_rules, strongest, words
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection

DATE_OF_BIRTH = "DATE_OF_BIRTH"
PASSPORT_NUMBER = "PASSPORT_NUMBER"
DRIVER_LICENSE = "DRIVER_LICENSE"
DE_TAX_ID = "DE_TAX_ID"
ES_NIF = "ES_NIF"
FR_NIR = "FR_NIR"

_MONTH = (
    r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|ene|abr|ago|dic|fév|avr|juin|juil|aoû|déc)"
    r"[a-zä-ü]{0,7}\.?"
)
_DATE = (
    r"(?:\d{1,2}[./-] ?\d{1,2}[./-] ?(?:\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2}"
    rf"|\d{{1,2}}(?:\.|st|nd|rd|th|er)? ?(?:of |de )?{_MONTH},? ?(?:de(?:l)? )?\d{{4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})"
)
_BIRTH = words(
    r"d\.?o\.?b\.?",
    r"(?:date of birth|birth ?date|birthday|born(?: on)?)",
    r"geboren(?: am)?",
    r"geb\.?(?: am)?",
    r"geburts(?:datum|tag)",
    r"fecha de nac(?:imiento|\.)",
    r"nac(?:id[oa]|ió|í)(?: el)?",
    r"n[ée]e? le",
    r"date de naissance",
    r"cumpleaños",
)
_PASSPORT = words("passport", "reisepass", "pass-?n(?:ummer|r)", "pasaporte", "passeport")
_LICENSE = words(
    r"driv(?:er|ing)['\u2019]?s?[ -]?licen[cs]e",
    r"drivers['\u2019] licen[cs]e",
    r"D\.?L\.? ?(?:number|no\.?|#)",
    r"führerschein(?:-?(?:nummer|nr))?",
    r"(?:carn[eé]|carnet|permiso|licencia) de conducir",
    r"permis de conduire",
)
_TAX_CUE = re.compile(r"(?i:steuer|(?<!\w)(?:idnr|tin|tax|st-?id)(?!\w))")
_NIF_CUE = re.compile(r"(?i)(?<!\w)(?:dni|nif|nie|identidad|identificaci[oó]n|documento|c[eé]dula)(?!\w)")
_NIR_CUE = re.compile(r"(?i:s[eé]cu(?:rit[eé])?(?:\s+sociale)?|(?<!\w)(?:nir|insee|social)(?!\w))")

RULES: tuple[Rule, ...] = (
    *personal_addresses.RULES,
    Rule(DATE_OF_BIRTH, cued(_BIRTH, _DATE, r"[^\n;!]{0,24}?"), 0.9),
    Rule(
        PASSPORT_NUMBER,
        cued(_PASSPORT, r"[A-Z0-9]{6,10}"),
        0.85,
        lambda value: sum(char.isdigit() for char in value) >= 4,
    ),
    Rule(
        DRIVER_LICENSE,
        cued(_LICENSE, r"(?=[A-Za-z0-9\-]{0,6}\d{2})[A-Za-z0-9]{1,9}(?:[ \-]?\d[A-Za-z0-9]{1,8}){0,3}"),
        0.85,
        lambda v: 6 <= len(v) <= 20,
    ),
    Rule(
        DE_TAX_ID,
        re.compile(r"(?<![\w.-])\d{2} ?\d{3} ?\d{3} ?\d{3}(?![\w-])"),
        0.97,
        de_tax_id,
        near=_TAX_CUE,
        otherwise=0.35,
    ),
    Rule(
        ES_NIF,
        re.compile(r"(?<![\w-])[0-9XYZxyz]\d{7}[ -]?[A-Za-z](?![\w-])"),
        0.97,
        es_nif,
        near=_NIF_CUE,
        otherwise=0.45,
    ),
    Rule(
        FR_NIR,
        re.compile(
            r"(?<![\w-])[1-478] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[ABab]) ?\d{3} ?\d{3} ?\d{2}(?![\w-])"
        ),
        0.97,
        fr_nir,
        near=_NIR_CUE,
        otherwise=0.6,
    ),
)

_DESCRIPTOR = DetectorDescriptor(
    name="personal_context",
    vendor="llama_mapper_personal",
    vendor_version="1",
    categories=("pii.personal_identifiers",),
    labels=(
        personal_addresses.POSTAL_ADDRESS,
        DATE_OF_BIRTH,
        PASSPORT_NUMBER,
        DRIVER_LICENSE,
        PERSON_NAME,
        DE_TAX_ID,
        ES_NIF,
        FR_NIR,
    ),
    languages=("en", "de", "es", "fr"),
    cost_ms_per_kchar=1.5,
)


class PersonalContextScanner:
    """Finds addresses, birth dates, document numbers, names and European tax numbers by their context."""

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares."""
        return _DESCRIPTOR

    def load(self) -> None:
        """Nothing to load."""

    def scan(self, text: str) -> Inspection:
        """Judge `text`."""
        return Inspection(strongest((*scan_rules(text, RULES), *find_names(text))))


def personal_context_scanner() -> TextScanner:
    """A scanner for personal identifiers by context."""
    return PersonalContextScanner()
