"""Test cases of crosswalks, and what they say of the shipped one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue, load_crosswalk_cases
from llama_mapper.domain.mapping.crosswalks.accuracy import (
    ControlCase,
    case_problems,
    validate_mapping_accuracy,
    with_own,
)

CATALOGUE = load_catalogue()
CASES = load_crosswalk_cases()


def shipped_controls(label: str, edition: str) -> set[str]:
    (found,) = CATALOGUE.resolve_frameworks((edition,))
    return {link.control_id for link in CATALOGUE.controls(label, found)}


def case(must: tuple[str, ...] = (), must_not: tuple[str, ...] = (), edition: str = "f:1") -> ControlCase:
    return ControlCase("a.b", edition, must, must_not, "because")


def test_the_shipped_crosswalk_passes_every_shipped_case() -> None:
    found = validate_mapping_accuracy(shipped_controls, CASES, version="shipped", gate=1.0)
    assert found.failures == ()
    assert found.passes


def test_there_are_cases_of_both_kinds_for_every_edition() -> None:
    assert len(CASES) >= 60
    for edition in CATALOGUE.frameworks():
        of_edition = [each for each in CASES if each.edition == edition.ref]
        assert len(of_edition) >= 5, edition.ref
        assert any(each.must for each in of_edition) and any(each.must_not for each in of_edition), edition.ref


def test_the_shipped_cases_name_nothing_that_does_not_exist() -> None:
    editions = {
        each.ref: {link.control_id for label in CATALOGUE.labels for link in CATALOGUE.controls(label, each)}
        for each in CATALOGUE.frameworks()
    }
    assert list(case_problems(CASES, CATALOGUE.labels, editions)) == []


@pytest.mark.parametrize("broken", sorted({each.edition for each in CASES}))
def test_a_crosswalk_that_links_nothing_to_an_edition_fails_there_alone(broken: str) -> None:
    found = validate_mapping_accuracy(
        lambda label, edition: set() if edition == broken else shipped_controls(label, edition),
        CASES,
        version="broken",
        gate=0.95,
    )
    assert not found.passes
    assert {failure.edition for failure in found.failures} == {broken}


def test_a_crosswalk_that_links_everything_to_everything_fails() -> None:
    everything: dict[str, set[str]] = {
        edition: {control for each in CASES if each.edition == edition for control in (*each.must, *each.must_not)}
        for edition in {each.edition for each in CASES}
    }
    found = validate_mapping_accuracy(lambda _, edition: everything[edition], CASES, version="all", gate=0.95)
    assert not any(each.accuracy >= 0.95 for each in found.editions)


def test_one_bad_edition_is_not_saved_by_the_others() -> None:
    cases = [*(case(must=("C",), edition="f:1") for _ in range(99)), case(must=("C",), edition="g:1")]
    found = validate_mapping_accuracy(
        lambda _, edition: {"C"} if edition == "f:1" else set(), cases, version="x", gate=0.9
    )
    assert found.accuracy == 0.99 and not found.passes


@pytest.mark.parametrize(("framework", "cases"), [(None, 3), ("f", 2), ("f:2", 1), ("g", 1), ("nope", 0)])
def test_only_the_cases_of_the_framework_count(framework: str | None, cases: int) -> None:
    listed = [case(("C",), edition=edition) for edition in ("f:1", "f:2", "g:1")]
    found = validate_mapping_accuracy(lambda *_: {"C"}, listed, version="x", gate=1.0, framework=framework)
    assert (found.cases, found.passed, found.accuracy) == (cases, cases, 1.0)


def test_own_cases_stand_in_for_shipped_ones_about_the_same() -> None:
    shipped = [case(("A",)), case(("B",), edition="g:1")]
    own = [case(("C",))]
    assert with_own(shipped, own) == (shipped[1], own[0])


CONTROLS = st.frozensets(st.sampled_from("ABCD"))


@given(touched=CONTROLS, must=CONTROLS, must_not=CONTROLS, gate=st.floats(0.0, 1.0))
def test_a_case_passes_exactly_if_all_that_must_be_is_touched_and_nothing_that_must_not(
    touched: frozenset[str], must: frozenset[str], must_not: frozenset[str], gate: float
) -> None:
    found = validate_mapping_accuracy(
        lambda *_: touched, [case(tuple(sorted(must)), tuple(sorted(must_not)))], version="x", gate=gate
    )
    holds = must <= touched and not must_not & touched
    assert found.accuracy == (1.0 if holds else 0.0)
    assert found.passes is (holds or gate == 0.0)
    for failure in found.failures:
        assert {*failure.missing} == must - touched and {*failure.wrong} == must_not & touched


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (ControlCase("a.nope", "f:1", ("C",), (), "x"), "not in the taxonomy"),
        (ControlCase("a.b", "nope:1", ("C",), (), "x"), "not an edition"),
        (ControlCase("a.b", "f:1", ("Z",), (), "x"), "has no control"),
        (ControlCase("a.b", "f:1", (), (), "x"), "demands nothing"),
        (ControlCase("a.b", "f:1", ("C",), ("C",), "x"), "both must and must not"),
    ],
)
def test_a_case_that_makes_no_sense_is_named(broken: ControlCase, problem: str) -> None:
    assert any(problem in what for _, what in case_problems([broken], {"a.b"}, {"f:1": {"C"}}))
