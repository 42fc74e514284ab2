"""Medications, conditions and procedures: a term alone is a topic, a term about a person is a health record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llama_mapper.adapters.orchestration.scanners.health_records.rules import CLINICAL_CUES
from llama_mapper.adapters.orchestration.scanners.textscan.lexicon import Lexicon, load_terms, tokenize
from llama_mapper.domain.orchestration.ports import RawFinding

MEDICATION = "MEDICATION"
CONDITION = "CONDITION"
PROCEDURE = "PROCEDURE"

_PACKAGE = "llama_mapper.adapters.orchestration.scanners.health_records.lexicons"
_BEFORE, _AFTER = 72, 40

_DOSE = re.compile(
    r"(?i)^[^\n.;]{0,24}?(?:\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|μg|g|ml|iu|ie|ui|units?|einheiten|unidades)(?!\w)"
    r"|(?<!\w)(?:once|twice|three times) (?:daily|a day)|(?<!\w)(?:bid|tid|qid|prn)(?!\w)|[0-2]-[0-2]-[0-2]"
    r"|(?:ein|zwei|drei)mal täglich|\d\s?[x\u00d7] täglich|cada \d+ horas|(?:una|dos|tres) veces al d[ií]a)"
)
_TAKES = re.compile(
    r"(?i)(?<!\w)(?:(?:takes?|taking|took|started on|put (?:me|him|her) on|i(?:'m| am) on|is on|prescribed"
    r"|prescription for|rx|"
    r"meds?|medications?|allergic to|allergy to|overdosed on|nimmt|nehme|einnahme von|verordnet|verschrieben|"
    r"medikation|allergisch gegen|toma|tomo|tomando|recet(?:ó|aron|ado|ada)|tratamiento con|alérgic[oa] a)(?!\w))"
    r"[^\n.!?]{0,40}$"
)
_PERSON = re.compile(
    r"(?i)(?<!\w)(?:(?:patient(?:in|en)?|paciente|pt|diagnosed with|diagnosis(?: of| is)?|dx|suffers? from"
    r"|suffering from|"
    r"history of|h/o|hx of|tested positive for|living with|treated for|treatment for|admitted (?:with|for)"
    r"|complains? of|"
    r"presents? with|presenting with|underwent|undergo(?:es|ing)?|s/p|status post|recovering from|"
    r"diagnostiziert|diagnosen?|leidet (?:an|unter)|leide (?:an|unter)|erkrankt an|verdacht auf|z\.? ?n\.?"
    r"|zustand nach|"
    r"vorerkrankungen|unterzog|diagnosticad[oa]|diagn[oó]stico|padece|padezco|sufre(?: de)?|antecedentes|"
    r"me (?:han )?diagnosticaron|se sometió a|operad[oa] de|ingresad[oa] por)(?!\w)[^\n!?]{0,60}"
    r"|(?:(?:i|she|he|they|who) (?:have|has|had|got)|i['\u2019]ve(?: had)?|my|his|her|their|scheduled for|had|"
    r"(?:ich|er|sie) (?:habe|hat|hatte)|habe ich|meine?[rnms]?|seine?[rnms]?|ihre?[rnms]?|"
    r"tengo|tiene|tuvo|tuve|mi|su)(?!\w)[^\n!?.,;:]{0,24})$"
)
_IDIOM = re.compile(r"(?i)^ (?:of (?:luck|genius|midnight)|sign|horoscope|charity|attack ad)(?!\w)")
_GENERAL = re.compile(
    r"(?i)(?:research|donat|charit|fundrais|foundation|awareness|campaign|stud(?:y|ies)(?!\w)|trials?(?!\w)|article|"
    r"conference|statistic|prevalence|vaccin|textbook|lecture|course(?!\w)|guideline|policy|world .{0,20}day|"
    r"(?:my|her|his) (?:research|thesis|book)|forschung|spende|stiftung|kampagne|studien?(?!\w)|aufklärung|kongress|"
    r"investigaci[oó]n|donaci[oó]n|donativo|fundaci[oó]n|campaña|concienciaci[oó]n|estudio)"
)


@dataclass(frozen=True, slots=True)
class TermLexicons:
    """The three lists, loaded."""

    medications: Lexicon
    conditions: Lexicon
    procedures: Lexicon

    @classmethod
    def packaged(cls) -> TermLexicons:
        """The lists that ship with the package."""
        return cls(
            *(Lexicon(load_terms(_PACKAGE, f"{name}.txt")) for name in ("medications", "conditions", "procedures"))
        )


def reads_as_clinical(text: str) -> bool:
    """Whether `text` has cues of at least two kinds that notes about patients have."""
    kinds = set()
    for match in CLINICAL_CUES.finditer(text):
        kinds.add(match.lastgroup)
        if len(kinds) > 1:
            return True
    return False


def find_terms(text: str, lexicons: TermLexicons) -> Iterator[RawFinding]:
    """Findings of the three labels.

    0.1 in a set phrase (a stroke of luck); 0.25 where the surroundings speak of research, charity or teaching (0.45 in
    a clinical note); 0.35 for a bare mention; 0.6 in a text that reads as a clinical note; 0.75 next to words about a
    person (has, takes, diagnosed with); 0.9 with a dose.
    """
    tokens = tokenize(text)
    mention: float | None = None
    for label, lexicon in (
        (MEDICATION, lexicons.medications),
        (CONDITION, lexicons.conditions),
        (PROCEDURE, lexicons.procedures),
    ):
        for start, end in lexicon.matches(tokens):
            if mention is None:
                mention = 0.6 if reads_as_clinical(text) else 0.35
            yield RawFinding(label, _score(label, text, start, end, mention), start, end)


def _score(label: str, text: str, start: int, end: int, mention: float) -> float:
    before, after = text[max(0, start - _BEFORE) : start], text[end : end + _AFTER]
    if label == MEDICATION:
        if _DOSE.search(after):
            return 0.9
        if _TAKES.search(before):
            return 0.75
        return 0.25 if mention < 0.5 and (_GENERAL.search(before) or _GENERAL.search(after)) else mention
    if _IDIOM.search(after):
        return 0.1
    general = _GENERAL.search(before) or _GENERAL.search(after)
    if general:
        return 0.25 if mention < 0.5 else 0.45
    return 0.75 if _PERSON.search(before) else mention
