"""The mapper's data set: what is asked was never learnt, and every question has exactly one right answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.mapping.generation.label_prompt import label_prompt, read_answer
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.training.card import markdown_of
from llama_mapper.domain.mapping.training.dataset import DataSet, Recipe, Source, Split, leaks
from llama_mapper.domain.mapping.training.knowledge import Knowledge
from llama_mapper.domain.mapping.training.mapper_data import build_mapper_data, form_of
from llama_mapper.domain.mapping.training.splits import families_of

_FEW = settings(max_examples=4, suppress_health_check=list(HealthCheck))


@_FEW
@given(seed=st.integers(0, 10_000), options=st.integers(2, 12), none_share=st.floats(0.0, 0.6))
def test_no_family_and_no_label_is_in_two_splits_whatever_the_seed(
    little: Knowledge, seed: int, options: int, none_share: float
) -> None:
    recipe = Recipe(seed=seed, options=options, none_share=none_share, variants=2)
    data = build_mapper_data(little, recipe)
    family = families_of(little.labels)
    assert leaks(data.examples, family) == ()
    where: dict[str, set[Split]] = {}
    for example in data.examples:
        where.setdefault(example.form, set()).add(example.split)
        if example.vendor in family:
            where.setdefault(f"family {family[example.vendor]}", set()).add(example.split)
    assert all(len(splits) == 1 for splits in where.values())


@_FEW
@given(seed=st.integers(0, 10_000))
def test_the_same_seed_makes_the_same_data_and_another_seed_another(little: Knowledge, seed: int) -> None:
    first, again, other = (build_mapper_data(little, Recipe(seed=each, variants=1)) for each in (seed, seed, seed + 1))
    assert first.digest == again.digest == first.card["digest"]
    assert first.digest != other.digest


def test_leaks_are_seen() -> None:
    meanings = {"a.bees": "B", "a.cees": "C", "d.ease": "E"}
    nothing = Knowledge(meanings=meanings, labels=(), origins={}, titles=(), versions={}, digests={})
    one = build_mapper_data(nothing, Recipe(variants=0)).examples[0]
    moved = (replace(one, vendor="v"), replace(one, split=Split.TEST, vendor="w"))
    assert leaks(moved, {"v": "f", "w": "f"}) == ("family:f", f"form:{one.form}")


def test_every_answer_is_a_choice_that_serving_reads_back(data: DataSet) -> None:
    for example in data.examples:
        choices = {answer.strip('"'): canonical or "none" for answer, canonical in example.choices.items()}
        assert read_answer(example.answer, choices) == example.subject
        assert list(example.choices.values()).count(None) == 1
        assert len(set(example.choices.values())) == len(example.choices)


def test_questions_are_worded_as_in_service(knowledge: Knowledge, data: DataSet) -> None:
    example = data.of(Split.TEST)[0]
    boundary = example.user.partition("<<")[2].partition(">>")[0]
    candidates = [canonical for canonical in example.choices.values() if canonical]
    [label] = [
        label.key
        for label in knowledge.labels
        if label.key.vendor == example.vendor and form_of(label.key.label) == example.form
    ][:1]
    prompt = label_prompt(label, candidates, knowledge.meanings, boundary)
    assert (prompt.system, prompt.user) == (example.system, example.user)


def test_the_right_answer_is_not_told_by_its_place(data: DataSet) -> None:
    letters = Counter(example.answer for example in data.of(Split.TRAIN) if example.subject != "none")
    assert len(letters) >= 8
    assert max(letters.values()) < 0.35 * sum(letters.values())


def test_wrong_options_are_relatives_as_well_as_strangers(data: DataSet) -> None:
    related = strange = 0
    for example in data.of(Split.TRAIN):
        if example.subject == "none":
            continue
        categories = [category_of(each) for each in example.choices.values() if each and each != example.subject]
        related += category_of(example.subject) in categories
        strange += any(category != category_of(example.subject) for category in categories)
    answered = sum(example.subject != "none" for example in data.of(Split.TRAIN))
    assert related > 0.9 * answered
    assert strange > 0.9 * answered


def test_none_of_these_is_right_only_where_no_relative_is_offered(knowledge: Knowledge, data: DataSet) -> None:
    meaning = {(label.key.vendor, label.key.label): label.canonical for label in knowledge.labels}
    left_out = [
        example
        for example in data.examples
        if example.subject == "none" and example.source in (Source.VOCABULARY, Source.TAXONOMY)
    ]
    assert left_out
    for example in left_out:
        shown = {
            form_of(label): canonical for (vendor, label), canonical in meaning.items() if vendor == example.vendor
        }
        right = shown.get(example.form)
        if right is not None:
            assert category_of(right) not in {category_of(each) for each in example.choices.values() if each}


def test_meaningless_labels_have_no_answer(data: DataSet) -> None:
    meaningless = [example for example in data.examples if example.source is Source.MEANINGLESS]
    assert {example.split for example in meaningless} == set(Split)
    assert {example.subject for example in meaningless} == {"none"}


def test_a_vendor_held_out_is_never_learnt_and_one_excluded_is_nowhere(knowledge: Knowledge) -> None:
    data = build_mapper_data(knowledge, Recipe(hold_out=("presidio",), exclude=("gitleaks",), variants=0))
    splits = {example.split for example in data.examples if example.vendor == "presidio"}
    assert splits == {Split.TEST}
    assert not any(example.vendor in ("gitleaks", "betterleaks") for example in data.examples), "nor its family"
    assert '"presidio"' not in "".join(example.user for example in data.of(Split.TRAIN))


def test_vendors_told_to_be_a_family_stay_together(knowledge: Knowledge) -> None:
    told = {"presidio": "pii", "google_dlp": "pii"}
    for seed in range(2):
        data = build_mapper_data(knowledge, Recipe(seed=seed, variants=0), families=told)
        vendors = data.card["vendors"]
        assert vendors["presidio"]["split"] == vendors["google_dlp"]["split"]
        assert vendors["presidio"]["family"] == vendors["google_dlp"]["family"] == "google_dlp"


def test_what_reviewers_decided_comes_before_a_vocabulary(little: Knowledge) -> None:
    known = next(label for label in little.labels if label.key.vendor == "presidio" and label.key.label == "PERSON")
    other = KnownLabel(known.key, "pii.demographic")
    new = KnownLabel(LabelKey("inhouse", None, "Purple Alert"), "content.violence")
    data = build_mapper_data(replace(little, reviewed=(other, new)), Recipe(none_share=0.0, variants=0))
    reviewed = [example for example in data.examples if example.source is Source.REVIEWED]
    meant = {(example.vendor, example.form): example.subject for example in reviewed}
    assert meant[("inhouse", "purplealert")] == "content.violence"
    assert meant.get(("presidio", "person"), "pii.demographic") == "pii.demographic"
    assert data.card["vendors"]["inhouse"]["source"] == "reviewed by the tenant"


def test_the_card_says_what_is_in_it_and_where_it_is_from(knowledge: Knowledge, data: DataSet) -> None:
    card = data.card
    assert card["splits"] == {split.value: len(data.of(split)) for split in Split}
    assert sum(card["sources"].values()) == len(data.examples)
    assert sum(sum(counts.values()) for counts in card["categories"].values()) == len(data.examples)
    assert card["code_version"] == "1.2.3"
    assert card["digests"] == dict(knowledge.digests)
    assert card["left_out"] >= 0
    page = markdown_of(card)
    for vendor, told in card["vendors"].items():
        assert f"| {vendor} | {told['family']} | {told['split']} |" in page
        assert told["source"]
        assert told["basis"]


def test_a_cap_keeps_secrets_from_drowning_the_rest(knowledge: Knowledge) -> None:
    data = build_mapper_data(knowledge, Recipe(variants=0, per_canonical=5))
    counts = Counter(
        (example.split, example.subject)
        for example in data.examples
        if example.source is Source.VOCABULARY and example.subject != "none"
    )
    assert max(counts.values()) in (4, 5)
