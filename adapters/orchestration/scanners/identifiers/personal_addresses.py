"""Postal addresses by the words that streets are named with, in English, German, Spanish and French."""

from __future__ import annotations

import re

from llama_mapper.adapters.orchestration.scanners.textscan.rules import Rule

POSTAL_ADDRESS = "POSTAL_ADDRESS"

_CAP = r"[^\W\d_a-zß-öø-ÿ][\w'\u2019.\-]{0,30}"
_CITY = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]{1,30}(?:[-'\u2019][^\W\d_]{1,20}){0,2}(?!\w)"
_STATE = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]"
    r"|T[NX]|UT|V[AIT]|W[AIVY])"
)
_UNIT = r"(?:,?\s{1,2}(?i:apt|apartment|suite|ste|unit|flat|floor|#)\.?\s?#?\w{1,6})"
_UK_POSTCODE = r"[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][ABD-HJLNP-UW-Z]{2}"
_EN_TYPE = (
    r"(?:[Ss]treet|[Ss]t|[Aa]venue|[Aa]ve|[Rr]oad|[Rr]d|[Bb]oulevard|[Bb]lvd|[Ll]ane|[Ll]n|Drive|Dr"
    r"|Court|Ct|Way|"
    r"Place|Pl|[Ss]quare|Sq|Terrace|Close|[Cc]rescent|[Pp]arkway|Pkwy|[Hh]ighway|Hwy|Trail"
    r"|Loop|Circle|Cir|"
    r"Gardens|Grove|Mews|STREET|AVENUE|ROAD|LANE|DRIVE)"
)
_EN_TAIL = (
    rf"{_UNIT}?(?:,?\s{{1,3}}{_CITY}(?: {_CITY}){{0,2}})?(?:,?\s{{1,3}}"
    rf"(?:{_STATE},? \d{{5}}(?:-\d{{4}})?|{_UK_POSTCODE}))?"
)
_DE_STREET = (
    r"(?:[^\W\d_a-zß-öø-ÿ][\wäöüß\-]{1,30}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|chaussee)"
    r"|[^\W\d_a-zß-öø-ÿ][\wäöüß\-]{1,30} (?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer))"
)
_NO_STREET = (
    r"(?!(?:Die|Der|Den|Das|Eine?r?|Diese[rn]?|Jede[rn]?|Keine|Welche[rn]?|Zur) "
    r"(?:Str|Weg|Pl|Al|Ga|Ri|Da|Uf))"
)
_DE_TAIL = rf"(?:,?\s{{1,3}}(?:D-)?\d{{5}} {_CITY}(?:[ ]{_CITY})?)?"
_ES_TYPE = (
    r"(?:[Cc]alle|C/|c/|[Aa]venida|[Aa]vda\.?|[Aa]v\.|[Pp]laza|[Pp]aseo|[Cc]arrer|[Cc]amino"
    r"|[Cc]arretera|[Rr]onda|[Tt]raves[ií]a|[Cc]arrera)"
)
_FR_TYPE = r"(?:rue|avenue|boulevard|bd|place|chemin|allée|impasse|quai|cours)"
_LINK = r"(?:(?:de|del|la|las|los|el|des|du|le|les|d'|l')[ ]?){0,3}"
_CUE = (
    r"(?:(?:home|postal|mailing|billing|shipping|delivery|street|new|my|his|her|their|whose"
    r"|'s) address(?: is| to|:)|address ?:|"
    r"(?:live|lives|living|reside|resides|residing) (?:at|in)|(?:ship|send|deliver|mail|sent|shipped"
    r"|delivered)(?: \w+){0,3} to|"
    r"change my address to|"
    r"(?:meine |ihre |seine )?(?:adresse|anschrift)(?: ist| lautet|:)|wohn(?:e|t|haft)(?: in)?|"
    r"(?:mi |su )?(?:direcci[oó]n|domicilio)(?: es|:)|(?:vivo|vive|resido|reside|domiciliad[oa]) en|"
    r"(?:mon |son )?adresse(?: est)?|(?:j')?habite(?: au)?)"
)

RULES: tuple[Rule, ...] = (
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            rf"(?<![\w.,$€£/-])\d{{1,5}}[A-Za-z]?(?:,)? (?:[NSEW]\.? |[Nn]orth |[Ss]outh |[Ee]ast "
            rf"|[Ww]est )?(?:(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th)) ){{1,4}}?{_EN_TYPE}(?!\w)\.?{_EN_TAIL}"
        ),
        0.75,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(rf"(?<!\w){_NO_STREET}{_DE_STREET} ?\d{{1,4}} ?[a-z]?(?!\w){_DE_TAIL}"),
        0.8,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            rf"(?<!\w){_ES_TYPE} {_LINK}{_CAP}(?: {_LINK}{_CAP}){{0,4}},? ?(?:n[.º°]{{0,2}} ?|núm\.? ?"
            rf"|# ?)?\d{{1,4}}(?!\w)(?:,? ?\d{{1,2}}[.ºª°]{{1,2}} ?[A-Za-z]?)?(?:,?\s{{1,3}}\d{{5}} {_CITY})?"
        ),
        0.8,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            rf"(?<![\w.,])\d{{1,4}}(?: ?(?:bis|ter))?,? {_FR_TYPE} {_LINK}{_CAP}"
            rf"(?: {_LINK}{_CAP}){{0,3}}(?:,?\s{{1,3}}\d{{5}} {_CITY})?"
        ),
        0.75,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            rf"(?<!\w)(?i:{_CUE})[ \t]{{0,3}}:?\s{{0,3}}(?P<v>\d{{1,5}}[A-Za-z]? {_CAP}"
            rf"(?: [\w'\u2019.\-]{{1,30}}){{0,5}}(?:,?\s{{1,3}}{_CITY})?{_UNIT}?)"
        ),
        0.75,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            rf"(?<!\w)(?i:{_CUE})[ \t]{{0,3}}:?\s{{0,3}}(?P<v>{_CAP}"
            rf"(?: {_CAP}){{0,4}} \d{{1,5}}[A-Za-z]?(?:,?\s{{1,3}}(?:\d{{4,5}} )?{_CITY})?)(?!\w)"
        ),
        0.7,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(r"(?<!\w)(?i:p\.? ?o\.? ?box|postfach|apartado de correos|apdo\.) ?\d{1,6}(?!\w)"),
        0.7,
    ),
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            rf"(?<!\w){_CITY}(?: {_CITY}){{0,2}},? {_STATE},? \d{{5}}"
            rf"(?:-\d{{4}})?(?!\w)"
        ),
        0.65,
    ),
    Rule(POSTAL_ADDRESS, re.compile(rf"(?<!\w){_UK_POSTCODE}(?!\w)"), 0.4),
    Rule(
        POSTAL_ADDRESS,
        re.compile(
            r"(?<![\w.,$€£/-])\d{1,5}[A-Za-z]?(?: [\w'\u2019.\-]{1,30}){1,5}(?:,| |,? ?\n[ >?]{0,5})"
            r"(?:Apt\.?|Suite|Unit|Flat) \d{1,5}(?!\w)"
        ),
        0.75,
    ),
)
