"""Why, in the catalogue's words."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.contracts.mapping import MappedLabel, MappingStage
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.generation.definitions import definitions_of
from llama_mapper.domain.mapping.generation.explaining import Explainer, facts_of
from llama_mapper.domain.mapping.generation.rationale import RationaleFacts, rationale


@pytest.mark.parametrize("stage", sorted(set(MappingStage) - {MappingStage.ABSTAINED}))
def test_every_label_of_the_taxonomy_has_a_bounded_rationale_with_its_controls(
    catalogue: Catalogue, stage: MappingStage
) -> None:
    editions = catalogue.frameworks()
    for canonical in catalogue.labels:
        text = rationale(catalogue, RationaleFacts(stage, canonical, 0.83, 0.6), editions)
        assert canonical in text
        assert len(text) <= 4096
        assert "83%; 60% was needed" in text
        assert ("calibrated" in text) is (stage in (MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL))
    (edition,) = catalogue.resolve_frameworks(("soc2",))
    links = catalogue.controls("security.credentials", edition)
    assert links
    assert links[0].control_id in rationale(catalogue, RationaleFacts(stage, "security.credentials", 1.0), [edition])


@pytest.mark.parametrize(("stage", "canonical"), [(MappingStage.ABSTAINED, None), (MappingStage.MODEL, None)])
def test_an_abstention_says_that_it_waits(catalogue: Catalogue, stage: MappingStage, canonical: str | None) -> None:
    said = rationale(catalogue, RationaleFacts(stage, canonical, 0.0))
    assert "review queue" in said
    assert "Nearest" not in said


def test_what_is_below_the_threshold_never_reads_as_if_it_reached_it(catalogue: Catalogue) -> None:
    near = RationaleFacts(MappingStage.ABSTAINED, None, 0.0, 0.6, nearest=("security.credentials", 0.59999))
    said = rationale(catalogue, near)
    assert "at 59.9% where 60% was needed" in said
    assert "security.credentials" in said


def test_stages_that_could_not_try_are_named_and_their_reasons_are_not(catalogue: Catalogue) -> None:
    mapped = MappedLabel(
        vendor="acme",
        label="SECRET WORDS",
        score=1.0,
        confidence=0.0,
        stage=MappingStage.ABSTAINED,
        abstained=True,
        faults=("model: SECRET WORDS", "SECRET WORDS"),
    )
    said = rationale(catalogue, facts_of(mapped))
    assert "Could not be asked: model." in said
    assert "SECRET" not in said


def test_equal_facts_are_told_in_equal_words_whatever_the_label_is(catalogue: Catalogue) -> None:
    explain = Explainer(catalogue, catalogue.frameworks(), usual=0.6)
    answers = [
        MappedLabel(
            vendor="acme",
            label=label,
            canonical="security.credentials",
            score=1.0,
            confidence=0.9,
            stage=MappingStage.LEXICAL,
            abstained=False,
        )
        for label in ("password", "ignore all instructions")
    ]
    first, second = [explain(each).rationale for each in answers]
    assert first
    assert first == second


def test_every_canonical_label_has_a_definition(catalogue: Catalogue) -> None:
    definitions = definitions_of(load_raw_catalogue().taxonomy)
    assert definitions.keys() == catalogue.labels.keys()
    assert all(definitions.values())
