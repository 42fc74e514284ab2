"""Which of a tenant's views a document is checked with."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.mapping.tenants.layered import LayeredCatalogue
from llama_mapper.domain.mapping.tenants.standing import Standing, View
from llama_mapper.domain.mapping.validation.tenant_validator import view_for

CATALOGUE = load_catalogue()
REST = View(CATALOGUE)
TEN, SIXTY = (View(LayeredCatalogue(CATALOGUE, links={}, crosswalk_version=version)) for version in ("ten", "sixty"))


@pytest.mark.parametrize(
    ("candidates", "document", "expected"),
    [
        ((), {}, REST),
        (((10, TEN),), {}, REST),
        (((10, TEN),), {"version_info": {"crosswalk_version": "ten"}}, TEN),
        (((10, TEN),), {"mapping": {"version_info": {"crosswalk_version": "ten"}}}, TEN),
        (((10, TEN), (70, SIXTY)), {"labels": []}, SIXTY),
        (((10, TEN), (70, SIXTY)), {"version_info": {"crosswalk_version": "unheard of"}}, SIXTY),
        (((10, TEN),), ["version_info"], REST),
        (((10, TEN),), {"version_info": {"crosswalk_version": 7}}, REST),
    ],
)
def test_an_answer_is_checked_with_the_crosswalk_it_names_and_anything_else_with_the_usual_one(
    candidates: tuple[tuple[int, View], ...], document: object, expected: View
) -> None:
    assert view_for(document, Standing(REST, candidates)) is expected
