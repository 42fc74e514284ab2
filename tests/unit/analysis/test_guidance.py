"""Guidance: a text for every category and framework, and bounded answers."""

from __future__ import annotations

from llama_mapper.domain.analysis.compliance import map_compliance, touch_of
from llama_mapper.domain.analysis.guidance.frameworks import ANY_FRAMEWORK, DUTIES, FRAMEWORKS
from llama_mapper.domain.analysis.guidance.insights import framework_text, guide_of
from llama_mapper.domain.analysis.guidance.mitigations import MITIGATIONS
from llama_mapper.domain.contracts.base import Severity
from tests.unit.analysis.support import EDITIONS, EMAIL, SECRET, TOXIC, SmallCatalogue, reading

TAXONOMY_CATEGORIES = 39


def test_every_category_has_its_own_step_and_duty() -> None:
    assert len(MITIGATIONS) == TAXONOMY_CATEGORIES
    assert MITIGATIONS.keys() == DUTIES.keys()
    for texts in (MITIGATIONS, DUTIES):
        assert len(set(texts.values())) == len(texts)
        assert all(text.endswith(".") and len(text) > 30 for text in texts.values())


def test_a_framework_is_known_with_and_without_its_edition_in_the_id() -> None:
    assert framework_text("iso27001") == framework_text("iso27001_2022") == FRAMEWORKS["iso27001"]
    assert framework_text("house_rules") == ANY_FRAMEWORK


def test_no_findings_no_guidance() -> None:
    assert guide_of()((), ()) is None


def test_mitigations_come_worst_first_each_category_once() -> None:
    found = [reading(TOXIC, 0.9), reading(SECRET, 0.4), reading(EMAIL, 0.9), reading(EMAIL, 0.2), reading(None, 0.9)]
    insights = guide_of()((), found)
    assert insights is not None
    steps = insights.risk_mitigation_suggestions
    assert [step.category for step in steps] == [SECRET, EMAIL, TOXIC]
    assert [step.priority for step in steps] == [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM]
    assert {step.source for step in steps} == {"template"}


def test_guidance_names_control_duty_and_framework_and_invents_no_context() -> None:
    found = [reading(SECRET, 0.9)]
    insights = guide_of()(map_compliance(EDITIONS, found, True, touch_of(SmallCatalogue())), found)
    assert insights is not None
    assert insights.regulatory_context == ()
    first = insights.compliance_guidance[0]
    assert (first.framework, first.control_id, first.source) == ("soc2", "CC6.1", "template")
    assert first.guidance == f"Control CC6.1: {DUTIES[SECRET]} {FRAMEWORKS['soc2']}"


def test_guidance_stays_within_its_bound() -> None:
    found = [reading(category, 0.9) for category in (SECRET, EMAIL, TOXIC)]
    mappings = map_compliance(EDITIONS, found, True, touch_of(SmallCatalogue())) * 8
    insights = guide_of()(mappings, found)
    assert insights is not None
    assert len(insights.compliance_guidance) <= 128
