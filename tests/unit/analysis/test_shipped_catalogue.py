"""Analysis against the catalogue and the document that ship with it."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from pathlib import Path

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.analysis.findings import Meaning, Reading
from llama_mapper.domain.analysis.guidance.frameworks import ANY_FRAMEWORK
from llama_mapper.domain.analysis.guidance.insights import framework_text
from llama_mapper.domain.analysis.guidance.mitigations import MITIGATIONS
from llama_mapper.domain.analysis.own_evidence import provides
from llama_mapper.domain.analysis.risk import weights
from llama_mapper.domain.analysis.risk.exposure import control_exposure
from llama_mapper.domain.analysis.risk.score import score_risk
from llama_mapper.domain.contracts.catalogue import CatalogueView

DOCUMENT = Path(__file__).parents[3] / "docs" / "risk.md"


@pytest.fixture(scope="module")
def catalogue() -> CatalogueView:
    return load_catalogue()


def test_one_confident_finding_gets_its_categorys_default_severity_whatever_the_frameworks(
    catalogue: CatalogueView,
) -> None:
    names = sorted({edition.framework for edition in catalogue.frameworks()})
    for frameworks in ((), *((name,) for name in names), *combinations(names, 2)):
        editions = catalogue.resolve_frameworks(frameworks)
        for category, severity in catalogue.categories.items():
            found = Reading(Meaning((category,), category, severity, known=True), 0.9, None)
            risk = score_risk([found], partial(control_exposure, editions=editions, catalogue=catalogue))
            assert risk.level is severity, (category, frameworks)


def test_every_category_and_framework_has_a_text(catalogue: CatalogueView) -> None:
    assert MITIGATIONS.keys() == catalogue.categories.keys()
    assert ANY_FRAMEWORK not in {framework_text(edition.framework) for edition in catalogue.frameworks()}


def test_every_provided_requirement_speaks_of_records(catalogue: CatalogueView) -> None:
    words = ("log", "alert", "record", "event")
    provided = [
        catalogue.evidence_requirement(link.control_id, edition)
        for edition in catalogue.frameworks()
        for category in catalogue.categories
        for link in catalogue.controls(category, edition)
        if provides(edition, link.control_id)
    ]
    assert provided
    assert all(any(word in requirement.lower() for word in words) for requirement in provided)


def test_the_document_states_every_weight() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for table in (
        weights.SEVERITY,
        weights.EXPLOITABILITY,
        weights.SENSITIVITY_BY_CATEGORY,
        weights.SENSITIVITY_BY_DOMAIN,
    ):
        for name, weight in table.items():
            assert f"| `{name}` | {weight:g} |" in text
    for lowest, level in weights.LEVELS:
        assert f"| {level} | {lowest:g} |" in text
    assert f"This page describes version {weights.FORMULA_VERSION}." in text
