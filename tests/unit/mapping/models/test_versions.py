"""Semantic versions, ranges of them, and whether a model fits a catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import ModelCompatibility, SemanticVersion
from llama_mapper.domain.mapping.models.compatibility import differences, range_problems
from llama_mapper.domain.mapping.models.versions import next_version, parsed, range_problem, satisfies, sort_key

NUMBERS = st.integers(0, 20)
VERSIONS = st.builds("{}.{}.{}{}".format, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["", "-rc.1", "-a", "+b.1"]))
SEMANTIC: TypeAdapter[str] = TypeAdapter(SemanticVersion)


@pytest.mark.parametrize(
    ("version", "text", "inside"),
    [
        ("1.1.0", "*", True),
        ("1.1.0", "1.1.0", True),
        ("1.1.0", "1.1.1", False),
        ("1.1.0", ">=1.1.0,<2.0.0", True),
        ("1.1.0", ">= 1.0.0 , < 1.1.0", False),
        ("2.0.0-rc.1", "<2.0.0", True),
        ("2.0.0-rc.1", ">=2.0.0", False),
        ("1.1.0+acme.3", "1.1.0", True),
        ("1.1.0+acme.3", "1.1.0+acme.3", True),
        ("1.10.0", ">1.9.0", True),
        ("1.1.0", "!=1.1.0", False),
        ("2026-03", "*", True),
        ("2026-03", "2026-03", True),
        ("2026-03", ">=1.0.0", False),
    ],
)
def test_a_range_is_what_semver_says(version: str, text: str, inside: bool) -> None:
    assert satisfies(version, text) is inside


@pytest.mark.parametrize("text", ["", "x", ">=", "1.0", "1.0.0,", ">=1.0.0,b", "^1.0.0", "01.0.0"])
def test_a_range_that_is_none_is_told(text: str) -> None:
    assert range_problem(text) is not None


@given(VERSIONS, VERSIONS, VERSIONS)
def test_a_version_within_both_bounds_is_in_the_range_and_no_other(low: str, high: str, version: str) -> None:
    order = parsed(low), parsed(version), parsed(high)
    assert None not in order
    expected = order[0] <= order[1] < order[2]  # type: ignore[operator]  # none of them is None
    assert satisfies(version, f">={low},<{high}") is expected


@given(st.text(st.sampled_from("0123456789.-+abAB"), max_size=12) | VERSIONS)
def test_the_contract_and_the_library_agree_on_what_a_version_is(text: str) -> None:
    try:
        SEMANTIC.validate_python(text)
    except ValidationError:
        assert parsed(text) is None
    else:
        assert parsed(text) is not None


@given(st.lists(VERSIONS))
def test_the_next_version_is_above_all_that_are_known(known: list[str]) -> None:
    after = next_version(known)
    assert all(sort_key(each) < sort_key(after) for each in known)
    assert parsed(after) is not None


def test_every_part_that_does_not_fit_is_named() -> None:
    versions = CatalogueVersions("1.1.0", "1.2.0", "1.1.0")
    needs = ModelCompatibility(taxonomy=">=2.0.0", vocabulary="*", crosswalk="1.0.0")
    assert differences(needs, versions) == (
        "it needs taxonomy >=2.0.0, which is 1.1.0 here",
        "it needs crosswalk 1.0.0, which is 1.1.0 here",
    )
    assert differences(ModelCompatibility(), versions) == ()
    assert [each.split(":")[0] for each in range_problems(ModelCompatibility(taxonomy=">=2"))] == [
        "compatible.taxonomy"
    ]
