"""Findings: carried on whole, upheld unless cleared, understood by the catalogue."""

from __future__ import annotations

from llama_mapper.domain.analysis.findings import FINDINGS_LIMIT, attribute, counts, meanings_of, read
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.orchestration import Span
from tests.unit.analysis.support import EMAIL, HEALTH, TOXIC, SmallCatalogue, finding, orchestrated, outcome

MEANINGS = meanings_of(SmallCatalogue())
DIGEST = "hmac-sha256:" + "a" * 64


def test_every_finding_is_carried_on_with_its_maker() -> None:
    source = finding("EMAIL", 0.7, DIGEST).model_copy(update={"span": Span(start=3, end=9)})
    (carried,) = attribute(orchestrated([source]))
    assert (carried.detector, carried.vendor, carried.vendor_version, carried.upheld) == ("one", "vendor", "1", True)
    assert carried.model_dump(include=set(source.model_dump())) == source.model_dump()


def test_a_finding_is_upheld_unless_its_own_category_was_cleared() -> None:
    cleared = [outcome(TOXIC, flagged=False, by=(), not_by=("two",)), outcome(EMAIL, flagged=True)]
    found = attribute(orchestrated([finding("toxic"), finding("EMAIL"), finding("new")], outcomes=cleared))
    assert [f.upheld for f in found] == [False, True, True]
    assert [r.meaning.category for r in read(found, MEANINGS)] == [EMAIL, None]


def test_a_label_brings_its_companions_and_its_severity() -> None:
    (mrn,) = read(attribute(orchestrated([finding("MRN")])), MEANINGS)
    assert (mrn.meaning.labels, mrn.meaning.category, mrn.meaning.severity) == (
        (HEALTH, EMAIL),
        HEALTH,
        Severity.CRITICAL,
    )


def test_a_label_that_only_the_orchestrator_knew_keeps_its_category() -> None:
    newer = finding("newer").model_copy(update={"category": TOXIC})
    (known,) = read(attribute(orchestrated([newer])), MEANINGS)
    assert (known.meaning.labels, known.meaning.severity) == ((TOXIC,), Severity.MEDIUM)


def test_a_label_that_says_safe_is_no_finding() -> None:
    assert read(attribute(orchestrated([finding("safe")])), MEANINGS) == ()


def test_unknown_labels_count_for_no_category() -> None:
    found = read(attribute(orchestrated([finding("EMAIL"), finding("EMAIL"), finding("new")])), MEANINGS)
    assert counts(found) == {EMAIL: 2}


def test_beyond_the_limit_the_weakest_findings_are_left_out() -> None:
    response = orchestrated([finding("EMAIL", 0.5)] * 1000)
    weak = response.detector_results[0].model_copy(update={"findings": (finding("toxic", 0.1),) * 1000})
    many = response.model_copy(update={"detector_results": (weak, *[response.detector_results[0]] * 8)})
    found = attribute(many)
    assert len(found) == FINDINGS_LIMIT
    assert sum(f.label == "EMAIL" for f in found) == 8000
