"""Small taxonomies that follow one another, and what a person wrote about the way."""

from __future__ import annotations

from hypothesis import strategies as st

from llama_mapper.domain.mapping.taxonomies.migrations import Migration, Split

CATEGORIES = [f"d.{letter}" for letter in "abc"]
IDS = [*CATEGORIES, *(f"{category}.{leaf}" for category in CATEGORIES for leaf in "xyz")]


@st.composite
def id_sets(draw: st.DrawFn) -> frozenset[str]:
    """Ids of one version: a subcategory only where its category is."""
    categories = draw(st.sets(st.sampled_from(CATEGORIES), min_size=1))
    leaves = draw(st.sets(st.sampled_from([name for name in IDS if name.count(".") == 2])))
    return frozenset(categories | {leaf for leaf in leaves if leaf.rpartition(".")[0] in categories})


@st.composite
def migrations(draw: st.DrawFn, before: frozenset[str], after: frozenset[str], versions: tuple[str, str]) -> Migration:
    """Something said about some of the old ids, not all of it wise: a target may even be missing."""
    renamed: dict[str, str] = {}
    merged: dict[str, str] = {}
    split: dict[str, Split] = {}
    removed: dict[str, str] = {}
    targets = st.sampled_from(IDS)
    for name in draw(st.lists(st.sampled_from(sorted(before)), unique=True, max_size=4)):
        match draw(st.sampled_from(["renamed", "merged", "split", "removed"])):
            case "renamed":
                renamed[name] = draw(targets)
            case "merged":
                merged[name] = draw(targets)
            case "split":
                into = tuple(draw(st.lists(targets, min_size=1, max_size=3, unique=True)))
                split[name] = Split(into, draw(st.none() | st.sampled_from(into)))
            case _:
                removed[name] = "was vague"
    return Migration(*versions, renamed=renamed, merged=merged, split=split, removed=removed)


@st.composite
def chains(draw: st.DrawFn, length: int) -> tuple[list[frozenset[str]], list[Migration]]:
    """`length` + 1 versions and the migrations between them."""
    versions = [draw(id_sets()) for _ in range(length + 1)]
    steps = [
        draw(migrations(versions[number], versions[number + 1], (str(number), str(number + 1))))
        for number in range(length)
    ]
    return versions, steps
