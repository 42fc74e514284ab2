"""Choosing and joining the templates for one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from llama_mapper.domain.analysis.findings import Reading, severity_rank, worst
from llama_mapper.domain.analysis.guidance.frameworks import ANY_FRAMEWORK, DUTIES, FRAMEWORKS, UNLISTED_DUTY
from llama_mapper.domain.analysis.guidance.mitigations import MITIGATIONS, UNLISTED
from llama_mapper.domain.contracts.analysis import (
    ComplianceControl,
    ComplianceGuidance,
    ComplianceMappingResult,
    RAGInsights,
    RiskMitigation,
)
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import category_of

GUIDANCE_LIMIT = 128
CONTROLS_PER_FRAMEWORK = 8
"""Controls that get guidance in one framework, the worst ones: past that nobody reads on."""

MITIGATION_LIMIT = 64

_SOURCE = "template"

Guide = Callable[[Sequence[ComplianceMappingResult], Sequence[Reading]], RAGInsights | None]
"""Compliance answers and upheld findings → guidance; None where there are no findings."""


def guide_of(*, remembered: int = 4096) -> Guide:
    """Guidance from the templates, remembering the `remembered` last entries of each kind."""
    guidance = lru_cache(maxsize=remembered)(_guidance)
    mitigation = lru_cache(maxsize=remembered)(_mitigation)

    def guide(mappings: Sequence[ComplianceMappingResult], readings: Sequence[Reading]) -> RAGInsights | None:
        if not readings:
            return None
        severities = _severities(readings)
        each = min(CONTROLS_PER_FRAMEWORK, GUIDANCE_LIMIT // max(1, len(mappings)))
        return RAGInsights(
            compliance_guidance=tuple(
                [
                    guidance(mapping.framework, control.control_id, control.title, _worst_category(control, severities))
                    for mapping in mappings
                    for control in mapping.controls[:each]
                ]
            ),
            risk_mitigation_suggestions=tuple(
                [mitigation(category, severity) for category, severity in severities.items()][:MITIGATION_LIMIT]
            ),
        )

    return guide


def framework_text(framework: str) -> str:
    """What a framework asks for in general; its id may carry the edition, as in `iso27001_2022`."""
    for known, text in FRAMEWORKS.items():
        if framework == known or framework.startswith(f"{known}_"):
            return text
    return ANY_FRAMEWORK


def _severities(readings: Iterable[Reading]) -> dict[str, Severity]:
    """Category → severity of its findings, worst first, then by name."""
    found: dict[str, Severity] = {}
    for reading in readings:
        category, severity = reading.meaning.category, reading.meaning.severity
        if category is not None:
            found[category] = worst((severity, found.get(category, Severity.INFO)))
    return dict(sorted(found.items(), key=lambda pair: (severity_rank(pair[1]), pair[0])))


def _worst_category(control: ComplianceControl, severities: dict[str, Severity]) -> str:
    """The category, of those that lead to the control, that comes first in `severities`."""
    leading = {category_of(label) for label in control.canonical_labels}
    return next((category for category in severities if category in leading), min(leading))


def _guidance(framework: str, control_id: str, title: str, category: str) -> ComplianceGuidance:
    text = f"{title}: {DUTIES.get(category, UNLISTED_DUTY)} {framework_text(framework)}"
    return ComplianceGuidance(framework=framework, control_id=control_id, guidance=text, source=_SOURCE)


def _mitigation(category: str, severity: Severity) -> RiskMitigation:
    return RiskMitigation(
        category=category, action=MITIGATIONS.get(category, UNLISTED), priority=severity, source=_SOURCE
    )
