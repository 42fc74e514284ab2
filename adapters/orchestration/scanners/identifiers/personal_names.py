"""Person names by strong context only: a title, a salutation or words that introduce a name stand before them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from llama_mapper.domain.orchestration.ports import RawFinding

PERSON_NAME = "PERSON_NAME"

_PARTICLES = r"(?:(?:von|van|de|der|den|del|la|le|da|di|dos|zu|bin|al|y)[ ]){0,2}"
_PART = (
    r"(?:[^\W\d_a-zß-öø-ÿ][\u2019'][^\W\d_a-zß-öø-ÿ]\w+|[^\W\d_a-zß-öø-ÿ]\w+"
    r"(?:[-\u2019'][^\W\d_]\w*){0,2}|[A-Z]\.)"
)
_NAME = rf"{_PART}(?:[ ]{_PARTICLES}{_PART}){{0,3}}"

_INTRODUCED = (
    r"(?:my|his|her) (?:full |maiden |first |last |legal )?name(?:'s| is)|(?:i am|i'm|this is) called"
    r"|people call (?:me|him|her)|"
    r"call me|(?:first|last|full|maiden|legal|customer|patient|account ?holder|cardholder"
    r"|beneficiary)[ -]?name(?: is)?|name|"
    r"patient(?:in)?|cardholder|account holder|attn\.?|attention|signed by|"
    r"mein name ist|ich hei(?:ß|ss)e|er hei(?:ß|ss)t|sie hei(?:ß|ss)t|vorname|nachname|kontoinhaber(?:in)?"
    r"|karteninhaber(?:in)?|"
    r"me llamo|se llama|mi nombre es|su nombre es|nombre(?: completo| y apellidos)?|apellidos?|titular|paciente|"
    r"je m'appelle|mon nom est|prénom|nom"
)
_NEEDS_COLON = (
    r"(?:name|patient(?:in)?|cardholder|account holder|attn\.?|attention|vorname|nachname|nombre"
    r"|apellidos?|titular|paciente|nom|prénom)"
)
_TITLES = (
    r"(?:(?i:mr|mrs|ms|mx|dr|prof|professor|herrn?|frau|fräulein|sr|sra|srta|señora?|monsieur|madame|mme|mlle)"
    r"|Miss|Rev|Sir|Madam|Don|Doña|Mademoiselle)"
)
_STOP_WORDS = """
sir madam team customer customers all friend friends colleague colleagues everyone folks president minister
chair chairman speaker doctor nurse support service manager damen herren kollegen kunde kundin president the a
an and or is was are in on at for not unknown null none number date address phone email id dob room status
information history required professor doktor präsident präsidentin minister cliente clientes señor señora
equipo todos usuario hiring committee your my our their this that please what who how where when i we you he
she it they am si no yes
"""
_STOP = frozenset(_STOP_WORDS.split())
_PATTERNS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(rf"(?<!\w)(?i:{_INTRODUCED})[ \t]{{0,2}}(?P<sep>[:=]?)[ \t]{{0,3}}[\"']?(?P<v>{_NAME})"), 0.8),
    (re.compile(rf"(?<!\w){_TITLES}(?P<sep>\.?)[ ](?P<v>{_PARTICLES}{_NAME})"), 0.75),
    (
        re.compile(
            rf"(?<!\w)(?i:dear|hi|hello|hallo|liebe[r]?|sehr geehrte[r]? (?:herr|frau)|querid[oa]"
            rf"|estimad[oa]|hola|bonjour|cher|chère)(?P<sep>)[ ](?P<v>{_NAME})(?=[ ]?[,!:\n])"
        ),
        0.65,
    ),
    (
        re.compile(
            r"(?<!\w)(?i:(?:best|kind|warm)? ?regards|sincerely(?: yours)?|yours (?:truly|sincerely"
            r"|faithfully)|cheers|"
            r"mit freundlichen grü(?:ß|ss)en|viele grü(?:ß|ss)e|(?:un )?saludos?(?: cordiales)?|atentamente"
            r"|cordialement)"
            rf"(?P<sep>)[,.!]?[ \t]{{0,3}}\n{{1,2}}[ \t]{{0,3}}(?P<v>{_NAME})(?=[ \t]{{0,3}}(?:\n|,|$))"
        ),
        0.65,
    ),
)
_ALONE = re.compile(_NEEDS_COLON, re.IGNORECASE)


def find_names(text: str) -> Iterable[RawFinding]:
    """Names after an introduction (0.8), a title (0.75), in a salutation or a signature (0.65); never a name alone."""
    for pattern, score in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span("v")
            cue = text[match.start() : match.start("sep")].strip()
            if score == 0.8 and not match["sep"] and _ALONE.fullmatch(cue):
                continue
            value = text[start:end]
            first = value.split(" ", 1)[0].rstrip(".")
            if first.casefold() in _STOP or (len(first) < 2 and " " not in value):
                continue
            yield RawFinding(PERSON_NAME, score, start, end)
