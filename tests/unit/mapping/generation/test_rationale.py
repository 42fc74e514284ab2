"""Why, in the catalogue's words."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.generation.definitions import definitions_of
from llama_mapper.domain.mapping.generation.rationale import rationale


@pytest.mark.parametrize("stage", sorted(set(MappingStage) - {MappingStage.ABSTAINED}))
def test_every_label_of_the_taxonomy_has_a_bounded_rationale_with_its_controls(
    catalogue: Catalogue, stage: MappingStage
) -> None:
    editions = catalogue.frameworks()
    for canonical in catalogue.labels:
        text = rationale(catalogue, stage, canonical, 0.83, editions)
        assert canonical in text
        assert len(text) <= 4096
        assert ("83%" in text) is (stage in (MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL))
    (edition,) = catalogue.resolve_frameworks(("soc2",))
    links = catalogue.controls("security.credentials", edition)
    assert links
    assert links[0].control_id in rationale(catalogue, stage, "security.credentials", 1.0, [edition])


@pytest.mark.parametrize(("stage", "canonical"), [(MappingStage.ABSTAINED, None), (MappingStage.MODEL, None)])
def test_an_abstention_says_that_it_waits(catalogue: Catalogue, stage: MappingStage, canonical: str | None) -> None:
    assert "review queue" in rationale(catalogue, stage, canonical, 0.0)


def test_every_canonical_label_has_a_definition(catalogue: Catalogue) -> None:
    definitions = definitions_of(load_raw_catalogue().taxonomy)
    assert definitions.keys() == catalogue.labels.keys()
    assert all(definitions.values())
