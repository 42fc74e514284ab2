"""Compliance: the controls that findings touch, what they call for, and a score that only falls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.analysis.compliance import map_compliance, touch_of
from llama_mapper.domain.analysis.findings import Meaning, Reading
from llama_mapper.domain.analysis.own_evidence import provides
from llama_mapper.domain.contracts.analysis import ComplianceMappingResult, ControlApplicability
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import FrameworkEdition, FrameworkKind
from tests.unit.analysis.support import (
    EDITIONS,
    EMAIL,
    HEALTH,
    HIPAA,
    INJECTION,
    ISO,
    SECRET,
    SEVERITIES,
    SOC2,
    TOXIC,
    SmallCatalogue,
    reading,
)

TOUCH = touch_of(SmallCatalogue())


def soc2(*found: Reading, detected: bool = True) -> ComplianceMappingResult:
    return map_compliance([SOC2], found, detected, TOUCH)[0]


def test_nothing_found_touches_nothing_and_scores_one() -> None:
    results = map_compliance(EDITIONS, (), True, TOUCH)
    assert [(r.framework, r.edition) for r in results] == [(e.framework, e.edition) for e in EDITIONS]
    assert {(r.controls, r.evidence_requirements, r.compliance_score) for r in results} == {((), (), 1.0)}


def test_a_control_that_two_labels_touch_is_named_once_with_the_worst_severity() -> None:
    (control, other) = soc2(reading(EMAIL, 0.9), reading(HEALTH, 0.9)).controls
    assert (control.control_id, control.severity) == ("CC6.1", Severity.CRITICAL)
    assert control.canonical_labels == (HEALTH, EMAIL)
    assert (other.control_id, other.severity) == ("P4.1", Severity.HIGH)


def test_a_labels_companions_touch_their_controls_too() -> None:
    meaning = Meaning((HEALTH, EMAIL), HEALTH, Severity.CRITICAL, known=True)
    assert {c.control_id for c in soc2(Reading(meaning, 0.9, None)).controls} == {"CC6.1", "P4.1"}


def test_a_condition_of_the_edition_or_the_link_makes_a_control_conditional() -> None:
    (secret,) = map_compliance([ISO], [reading(SECRET, 0.9)], True, TOUCH)[0].controls
    assert (secret.applicability, secret.condition) == (ControlApplicability.CONDITIONAL, "as in the statement")
    (toxic,) = soc2(reading(TOXIC, 0.9)).controls
    assert (toxic.applicability, toxic.condition) == (ControlApplicability.CONDITIONAL, "only with notice")
    (injection,) = soc2(reading(INJECTION, 0.9)).controls
    assert (injection.applicability, injection.condition) == (ControlApplicability.APPLICABLE, "")


def test_the_score_is_the_documented_product() -> None:
    assert soc2(reading(INJECTION, 0.8)).compliance_score == pytest.approx(1 - 0.25 * 0.75 * 0.8)
    assert soc2(reading(TOXIC, 0.8)).compliance_score == pytest.approx(1 - 0.25 * 0.5 * 0.5 * 0.8)
    assert soc2(reading(SECRET, 1.0)).compliance_score == pytest.approx(0.75 * 0.75)


findings = st.builds(reading, st.sampled_from(sorted(SEVERITIES)), st.floats(0, 1))


@given(st.lists(findings, max_size=8), findings)
def test_another_finding_never_raises_the_score(found: list[Reading], another: Reading) -> None:
    before = map_compliance(EDITIONS, found, True, TOUCH)
    after = map_compliance(EDITIONS, [*found, another], True, TOUCH)
    assert all(0 <= a.compliance_score <= b.compliance_score for b, a in zip(before, after, strict=True))


def test_only_records_of_monitoring_are_provided() -> None:
    result = soc2(reading(SECRET, 0.9))
    assert {r.control_id: r.provided for r in result.evidence_requirements} == {"CC6.1": False, "CC7.2": True}
    hipaa = map_compliance([HIPAA], [reading(HEALTH, 0.9)], True, TOUCH)[0]
    assert {r.control_id: r.provided for r in hipaa.evidence_requirements} == {"164.502": False, "164.312(b)": True}


def test_nothing_is_provided_where_no_detector_answered() -> None:
    assert not any(r.provided for r in soc2(reading(SECRET, 0.9), detected=False).evidence_requirements)


def test_a_control_without_a_known_requirement_asks_for_nothing() -> None:
    assert "P4.1" not in {r.control_id for r in soc2(reading(EMAIL, 0.9)).evidence_requirements}


def test_a_framework_of_a_like_name_provides_nothing() -> None:
    like = FrameworkEdition("soc2x", "1", "SOC 2 X", FrameworkKind.CONTROL, "", "")
    assert provides(SOC2, "CC7.2")
    assert not provides(like, "CC7.2")
