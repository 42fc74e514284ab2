"""The numbers of the risk formula. Judgement, stated once: changing one changes `FORMULA_VERSION`."""

from __future__ import annotations

from types import MappingProxyType

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import FrameworkKind

FORMULA_VERSION = "1.0.0"

SEVERITY = MappingProxyType(
    {
        Severity.CRITICAL: 1.0,
        Severity.HIGH: 0.75,
        Severity.MEDIUM: 0.5,
        Severity.LOW: 0.25,
        Severity.INFO: 0.05,
    }
)

EXPLOITABILITY = MappingProxyType(
    {
        "security": 1.0,
        "pii": 0.8,
        "illicit": 0.8,
        "content": 0.75,
        "integrity": 0.5,
        "policy": 0.5,
        "quality": 0.3,
        "meta": 0.0,
    }
)
"""How readily what was found can be turned to harm, by domain."""

UNKNOWN_DOMAIN = 0.5
"""Exploitability and sensitivity where the tables know neither the domain nor the label."""

SENSITIVITY_BY_CATEGORY = MappingProxyType(
    {
        "pii.health_records": 1.0,
        "pii.financial_data": 1.0,
        "pii.special_category": 0.8,
        "pii.online_identifiers": 0.4,
        "pii.location_data": 0.4,
        "pii.demographic": 0.2,
        "security.credentials": 1.0,
        "security.tokens": 1.0,
        "security.malicious_code": 0.7,
        "security.resource_abuse": 0.2,
        "content.child_safety": 1.0,
        "content.self_harm": 1.0,
        "content.violence": 0.6,
        "content.hate_speech": 0.6,
        "content.toxic_language": 0.3,
        "content.sensitive_topic": 0.1,
        "illicit.weapons": 1.0,
        "integrity.political": 0.3,
    }
)
"""What it costs the business if this gets out or goes through; categories not named take their domain's."""

SENSITIVITY_BY_DOMAIN = MappingProxyType(
    {
        "pii": 0.7,
        "security": 0.6,
        "content": 0.5,
        "illicit": 0.6,
        "integrity": 0.4,
        "policy": 0.35,
        "quality": 0.15,
        "meta": 0.0,
    }
)

VOLUME_WEIGHT = 0.5
"""Of the sensitivity; the weight of how much of a category there is."""

VOLUME_HALF = 10.0
"""Expected distinct items at which volume reaches half of its weight."""

KIND = MappingProxyType({FrameworkKind.CONTROL: 1.0, FrameworkKind.RISK: 0.5, FrameworkKind.TECHNIQUE: 0.5})
"""What one entry of a framework counts for, by what the entry is."""

CONDITIONAL = 0.5
"""Share that a control counts for where its condition is not known to hold."""

CONTROLS_HALF = 8.0
"""Weighted controls at which regulatory reach is one half."""

RECURRENCE_WEIGHT = 0.5
TREND_WEIGHT = 0.4
SURGE_WEIGHT = 0.5
"""Of the severity; the weights of the three temporal factors."""

OVERALL = (("technical", 0.7), ("business", 0.6), ("regulatory", 0.5), ("temporal", 0.4))
"""Weights of the dimensions in the overall noisy-or."""

LEVELS = (
    (0.75, Severity.CRITICAL),
    (0.5, Severity.HIGH),
    (0.3, Severity.MEDIUM),
    (0.1, Severity.LOW),
    (0.0, Severity.INFO),
)
"""Lowest overall score of each level, worst first."""


def exploitability(category: str | None) -> float:
    """Exploitability of a category's domain."""
    return UNKNOWN_DOMAIN if category is None else EXPLOITABILITY.get(category.split(".", 1)[0], UNKNOWN_DOMAIN)


def sensitivity(category: str | None) -> float:
    """Business sensitivity of a category, or of its domain."""
    if category is None:
        return UNKNOWN_DOMAIN
    named = SENSITIVITY_BY_CATEGORY.get(category)
    if named is not None:
        return named
    return SENSITIVITY_BY_DOMAIN.get(category.split(".", 1)[0], UNKNOWN_DOMAIN)


def level(overall: float) -> Severity:
    """The level of an overall score."""
    return next(severity for lowest, severity in LEVELS if overall >= lowest)
