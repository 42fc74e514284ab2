"""Rules for identifiers in health records: record numbers, provider and insurance ids, diagnosis codes."""

from __future__ import annotations

import re
from dataclasses import replace

from llama_mapper.adapters.orchestration.scanners.textscan.checks import (
    de_health_insurance,
    dea_number,
    icd10,
    medicare_mbi,
    nhs_number,
    npi,
)
from llama_mapper.adapters.orchestration.scanners.textscan.rules import MARK, Rule, cued, words
from llama_mapper.domain.orchestration.ports import RawFinding

MEDICAL_RECORD_NUMBER = "MEDICAL_RECORD_NUMBER"
NPI = "NPI"
DEA_NUMBER = "DEA_NUMBER"
MEDICARE_MBI = "MEDICARE_MBI"
ICD10_CODE = "ICD10_CODE"
HEALTH_INSURANCE_ID = "HEALTH_INSURANCE_ID"

_MRN_CUE = words(
    r"MRN",
    r"med(?:ical)? rec(?:ord)?s?",
    r"(?:patient|hospital|chart) (?:id|identifier|number|no\.?|#)",
    r"patienten?-?(?:nummer|nr\.?|id|kennung)",
    r"fall-?nummer",
    r"kranken(?:haus|akten)-?nummer",
    r"historia cl[ií]nica",
    r"n[uú]mero de (?:historia|paciente)",
    r"NHC",
    r"num[eé]ro de dossier m[eé]dical",
    r"IPP",
)
_INSURANCE_CUE = words(
    r"(?:health|medical) (?:insurance|plan)",
    r"insurance (?:id|member|policy)(?: (?:id|number|no\.?))?",
    r"(?:member|subscriber|beneficiary|enrollee)[ -]?id(?:entification)?",
    r"(?:member|subscriber|beneficiary) (?:number|no\.?)",
    r"medicaid",
    r"versicherten-?(?:nummer|nr\.?|id)",
    r"krankenversicherten-?nummer",
    r"krankenversicherungs-?nummer",
    r"krankenkasse",
    r"KVNR",
    r"tarjeta sanitaria",
    r"n[uú]mero de (?:afiliaci[oó]n|asegurado)",
    r"(?:p[oó]liza|seguro) (?:de salud|m[eé]dico)",
)
_HEALTH_NEAR = re.compile(
    r"(?i:health|medical|medicaid|medicare|patient|doctor|clinic|hospital|insur|copay|pharmacy|aetna|cigna"
    r"|humana|kaiser|"
    r"blue ?cross|krank|versicher|AOK|barmer|arzt|salud|sanitari|m[eé]dic|asegurad)"
)
_ICD_CUE = words(
    r"ICD(?:[ -]?10)?(?:[ -]?(?:CM|GM))?",
    r"dx",
    r"diagnos(?:is|es|tic)",
    r"diagnosed(?: with)?",
    r"(?:haupt|neben|verdachts)?diagnosen?",
    r"diagn[oó]stico",
    r"CIE[ -]?10",
)
_ID = r"(?=[A-Za-z0-9\-]{0,12}\d{3})[A-Za-z0-9]{1,6}(?:-?[A-Za-z0-9]{2,10}){1,3}"
_ICD = r"[A-TV-Z][0-9][0-9AB](?:\.[0-9A-Z]{1,4})?"

CLINICAL_CUES = re.compile(
    r"(?i)(?<!\w)(?:(?P<person>patient(?:in|en)?|paciente|pt\.?|subject is a \d+)"
    r"|(?P<diagnosis>diagnos(?:is|ed|e|en)|diagn[oó]stic\w+|dx|assessment|anamnese|befund|anamnesis)"
    r"|(?P<history>h/o|hx|pmh|medical history|vorerkrankungen|antecedentes|allerg(?:ies|ien|ias))"
    r"|(?P<care>admitted|discharged?|clinic|hospital|ward|referr?ed|aufnahme|entlassung|station[äa]r|klinik"
    r"|ingres[oó]|alta|urgencias)"
    r"|(?P<therapy>prescribed|prescription|rx|medications?|b\.?i\.?d|t\.?i\.?d|p\.?o|verordnet|medikation"
    r"|verschrieben|receta\w*|tratamiento|medicaci[oó]n)"
    r"|(?P<record>mrn|dob|npi|icd|vitals?|bp|ecg|ekg|hba1c)|(?P<dose>\d+ ?mg))(?!\w)"
)
"""Words of a clinical note, in named kinds; a text with two different kinds reads as one."""

RULES: tuple[Rule, ...] = (
    Rule(MEDICAL_RECORD_NUMBER, cued(_MRN_CUE, r"(?=[A-Z\-]{0,6}\d{2})[A-Z]{0,4}-?\d[\d\-]{3,11}\d", MARK), 0.9),
    Rule(NPI, cued(words("NPI", "national provider identifier"), r"[12]\d{9}"), 0.97, npi),
    Rule(
        NPI,
        cued(words("provider", "physician", "prescriber", "clinician"), rf"(?:id{MARK})?[12]\d{{9}}", MARK),
        0.8,
        lambda v: npi(v[-10:]),
    ),
    Rule(DEA_NUMBER, cued(words("DEA"), r"[A-Z][A-Z9]-?\d{7}"), 0.97, dea_number),
    Rule(
        DEA_NUMBER,
        re.compile(r"(?<!\w)[A-HJ-NPR-UX][A-Z9]\d{7}(?!\w)"),
        0.7,
        dea_number,
        near=re.compile(r"(?i:prescri|physician|provider|controlled|pharmac|(?<!\w)dr\.|(?<!\w)md(?!\w))"),
        otherwise=0.3,
    ),
    Rule(
        MEDICARE_MBI,
        re.compile(r"(?<![\w-])[1-9][A-Za-z][A-Za-z0-9]\d-?[A-Za-z][A-Za-z0-9]\d-?[A-Za-z]{2}\d{2}(?![\w-])"),
        0.97,
        medicare_mbi,
        near=re.compile(r"(?i:medicare|(?<!\w)MBI(?!\w)|beneficiary)"),
        otherwise=0.4,
    ),
    Rule(
        ICD10_CODE,
        cued(_ICD_CUE, rf"{_ICD}(?:\s?[,/]\s?{_ICD}){{0,8}}", r"[^\n;!?]{0,40}?"),
        0.9,
        lambda v: icd10(v[:3]),
    ),
    Rule(ICD10_CODE, re.compile(rf"(?<![\w.-]){_ICD}(?![\w-])"), 0.25, lambda v: "." in v and icd10(v)),
    Rule(HEALTH_INSURANCE_ID, cued(_INSURANCE_CUE, _ID, MARK), 0.85, near=_HEALTH_NEAR, otherwise=0.4),
    Rule(HEALTH_INSURANCE_ID, cued(words("NHS"), r"\d{3}[ -]?\d{3}[ -]?\d{4}"), 0.95, nhs_number),
    Rule(
        HEALTH_INSURANCE_ID,
        re.compile(r"(?<!\w)[A-Z]\d{9}(?!\w)"),
        0.95,
        de_health_insurance,
        near=re.compile(r"(?i:versicher|krankenkasse|kvnr|(?<!\w)aok(?!\w)|barmer)"),
        otherwise=0.35,
    ),
)


def in_clinical_text(finding: RawFinding) -> RawFinding:
    """`finding` as it counts in a text that reads as a clinical note: a bare diagnosis code scores 0.65."""
    if finding.label == ICD10_CODE and finding.score < 0.65:
        return replace(finding, score=0.65)
    return finding
