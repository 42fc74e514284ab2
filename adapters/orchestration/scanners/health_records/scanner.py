"""The `health` detector: pure Python, no library beyond the standard one."""

from __future__ import annotations

from llama_mapper.adapters.orchestration.scanners.health_records import rules, terms
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner
from llama_mapper.adapters.orchestration.scanners.textscan.rules import scan_rules, strongest
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection

_DESCRIPTOR = DetectorDescriptor(
    name="health",
    vendor="llama_mapper_health",
    vendor_version="1",
    categories=("pii.health_records",),
    labels=(
        rules.MEDICAL_RECORD_NUMBER,
        rules.NPI,
        rules.DEA_NUMBER,
        rules.MEDICARE_MBI,
        rules.ICD10_CODE,
        rules.HEALTH_INSURANCE_ID,
        terms.MEDICATION,
        terms.CONDITION,
        terms.PROCEDURE,
    ),
    languages=("en", "de", "es"),
    cost_ms_per_kchar=0.9,
)


class HealthScanner:
    """Finds health identifiers by shape, check digit and cue, and health facts by lexicon and context."""

    def __init__(self) -> None:
        self._lexicons: terms.TermLexicons | None = None

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares."""
        return _DESCRIPTOR

    def load(self) -> None:
        """Read the lexicons."""
        self._lexicons = terms.TermLexicons.packaged()

    def scan(self, text: str) -> Inspection:
        """Judge `text`; raise `RuntimeError` before `load`."""
        if self._lexicons is None:
            raise RuntimeError("the health scanner was not loaded")
        found = (*scan_rules(text, rules.RULES), *terms.find_terms(text, self._lexicons))
        if terms.reads_as_clinical(text):
            found = tuple(rules.in_clinical_text(finding) for finding in found)
        return Inspection(strongest(found))


def health_scanner() -> TextScanner:
    """A health scanner, not yet loaded."""
    return HealthScanner()
