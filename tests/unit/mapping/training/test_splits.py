"""Families of vendors, and which of them is asked about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.training.dataset import Recipe, Split
from llama_mapper.domain.mapping.training.splits import families_of, split_families

SIZES = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 500), min_size=3, max_size=20)


def labels(vendor: str, *names: str) -> list[KnownLabel]:
    return [KnownLabel(LabelKey(vendor, None, name), "a.b") for name in names]


def test_vendors_with_mostly_the_same_labels_are_a_family() -> None:
    shared = ("CREDIT_CARD", "IBAN", "EMAIL", "PHONE", "NAME")
    known = [
        *labels("one", *shared, "A", "B"),
        *labels("two", *(name.lower().replace("_", "-") for name in shared), "C"),
        *labels("three", "EMAIL", "PHONE", "X", "Y", "Z"),
    ]
    assert families_of(known) == {"one": "one", "two": "one", "three": "three"}


def test_few_labels_in_common_make_no_family() -> None:
    known = [*labels("one", "Hate", "Sexual", "Violence", "SelfHarm"), *labels("two", "hate", "sexual", "violence")]
    assert families_of(known) == {"one": "one", "two": "two"}


def test_families_are_told_and_carried_over() -> None:
    known = [vendor for name in "abcd" for vendor in labels(name, f"only {name}")]
    assert families_of(known, {"d": "x", "b": "x", "c": "y", "nobody": "y"}) == {"a": "a", "b": "b", "c": "c", "d": "b"}


@given(sizes=SIZES, seed=st.integers(0, 100), asked=st.sets(st.integers(0, 19), max_size=2))
def test_every_family_is_in_one_split_and_something_is_left_to_learn(
    sizes: dict[str, int], seed: int, asked: set[int]
) -> None:
    held_out = frozenset(name for place, name in enumerate(sorted(sizes)) if place in asked)
    splits = split_families(sizes, Recipe(seed=seed), held_out)
    assert splits.keys() == sizes.keys()
    assert all(splits[name] is Split.TEST for name in held_out)
    assert Split.TRAIN in splits.values()
    assert Split.TEST in splits.values()


@given(sizes=SIZES, seed=st.integers(0, 100))
def test_the_largest_family_is_learnt(sizes: dict[str, int], seed: int) -> None:
    splits = split_families(sizes, Recipe(seed=seed), frozenset())
    assert any(splits[name] is Split.TRAIN for name in sizes if sizes[name] == max(sizes.values()))


def test_the_seed_decides_who_is_asked() -> None:
    sizes = {f"v{number}": 10 for number in range(30)}
    asked = {
        frozenset(
            name for name, split in split_families(sizes, Recipe(seed=seed), frozenset()).items() if split is Split.TEST
        )
        for seed in range(5)
    }
    assert len(asked) > 1
