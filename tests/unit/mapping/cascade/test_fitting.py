"""A calibration is learnt from held-out families, the same from the same, and reads back as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.neighbour_files import (
    load_calibration,
    load_families,
    load_lexicon,
    load_shipped,
    write_calibration,
)
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import CatalogueError
from llama_mapper.domain.mapping.cascade.calibration import Calibration, calibration_document, calibration_from
from llama_mapper.domain.mapping.cascade.families import NO_FAMILIES, Family, VendorFamilies
from llama_mapper.domain.mapping.cascade.fitting import LABELS_A_FAMILY, drawn, fit_calibration, judged_apart
from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial
from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.neighbours.lexical import LexicalStage
from llama_mapper.domain.mapping.neighbours.references import references_of

RAW = load_shipped()
VENDORS = {
    "presidio",
    "google_dlp",
    "openai_moderation",
    "perspective",
    "llm_guard",
    "github_secret_scanning",
    "qwen3guard",
}
KNOWN = [one for one in known_labels(RAW.vocabularies) if one.key.vendor in VENDORS]
FAMILIES = VendorFamilies("1", [Family("two", ("openai_moderation", "qwen3guard"), "for the test")])
LEXICON = load_lexicon(RAW)


def stage(known: list[KnownLabel] = KNOWN) -> LexicalStage:
    return LexicalStage(references_of(known, RAW.taxonomy, LEXICON), LEXICON)


async def fitted(seed: int = 0) -> Calibration:
    return await fit_calibration(
        [stage()], KNOWN, FAMILIES, 39, seed=seed, version="t", fitted_on={"vocabularies": "t"}
    )


async def test_the_same_seed_learns_the_same_and_it_reads_back(tmp_path: Path) -> None:
    one, other = await fitted(), await fitted()
    assert one == other
    write_calibration(one, tmp_path / "c.yaml")
    read = load_calibration(tmp_path / "c.yaml")
    assert calibration_document(read) == calibration_document(one)
    assert read.measured({MappingStage.LEXICAL}) is not None
    assert read.measured({MappingStage.MODEL}) is None


async def test_a_family_is_left_out_whole() -> None:
    own = KnownLabel(LabelKey("qwen3guard", None, "harassment"), "content.harassment.bullying")
    judged = await judged_apart([stage()], [own], FAMILIES)
    without = [one for one in KNOWN if one.key.vendor not in FAMILIES.of("qwen3guard")]
    expected = (await stage(without).rank([own.key], within_s=60))[0]
    found = judged[0].rankings[MappingStage.LEXICAL]
    assert [one.canonical for one in found[:3]] == [one.canonical for one in expected.candidates[:3]]


def test_no_family_outweighs_the_others() -> None:
    many = [KnownLabel(LabelKey("presidio", None, f"label {n}"), "pii.demographic.age") for n in range(200)]
    sample = drawn([*many, *KNOWN], FAMILIES, 0)
    assert sum(one.key.vendor == "presidio" for one in sample) == LABELS_A_FAMILY
    assert drawn([*many, *KNOWN], FAMILIES, 0) == sample
    assert drawn([*many, *KNOWN], FAMILIES, 1) != sample


async def test_too_few_families_teach_nothing() -> None:
    few = [one for one in KNOWN if one.key.vendor == "presidio"]
    with pytest.raises(ValueError, match="5 families"):
        await fit_calibration([stage(few)], few, NO_FAMILIES, 39, seed=0, version="t", fitted_on={})


async def test_a_trial_knows_nothing_but_what_it_was_given() -> None:
    async def make(known: object) -> list[LexicalStage]:
        return [stage(list(known))]  # type: ignore[call-overload]  # one of two factories

    trial = CascadeTrial("cascade", make, FAMILIES, 39)
    await trial.fit([one for one in KNOWN if one.key.vendor != "presidio"], 0)
    answers = await trial.answer(
        [LabelKey("presidio", None, label) for label in ("EMAIL_ADDRESS", "S5", "PHONE_NUMBER")]
    )
    assert [answer.canonical for answer in answers] == [
        "pii.personal_identifiers.email",
        None,
        "pii.personal_identifiers.phone",
    ]
    assert answers[0].confidence > 0.6


def test_the_shipped_calibration_measures_the_stages_and_was_fitted_on_what_ships() -> None:
    shipped = load_calibration()
    lexical, embedding = MappingStage.LEXICAL, MappingStage.EMBEDDING
    assert {frozenset(one.stages) for one in shipped.combinations} == {
        frozenset({lexical}),
        frozenset({embedding}),
        frozenset({lexical, embedding}),
    }
    assert shipped.fitted_on["vocabularies"] == RAW.vocabularies["version"]
    assert shipped.fitted_on["taxonomy"] == RAW.taxonomy["version"]
    assert shipped.fitted_on["synonyms"] == LEXICON.version
    assert shipped.fitted_on["families"] == load_families(RAW).version
    assert (
        shipped.fitted_on["lexical"]
        == LexicalStage(references_of(known_labels(RAW.vocabularies), RAW.taxonomy, LEXICON), LEXICON).version
    )


@pytest.mark.parametrize("key", ["version", "combinations", "fitted_on", "number_of_categories"])
def test_a_document_without_a_part_is_refused(key: str) -> None:
    document = calibration_document(load_calibration())
    with pytest.raises(CatalogueError, match="not valid"):
        calibration_from({name: value for name, value in document.items() if name != key})


def test_coefficients_that_do_not_fit_the_features_are_refused() -> None:
    document = calibration_document(load_calibration())
    document["combinations"][0]["alone"]["coefficients"].pop()
    with pytest.raises(CatalogueError, match="one coefficient for each feature"):
        calibration_from(document)
