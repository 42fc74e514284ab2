"""Plans between versions of the taxonomy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.taxonomies import FateKind
from llama_mapper.domain.mapping.taxonomies.differences import difference, plan_report
from llama_mapper.domain.mapping.taxonomies.entries import Entry, entries_of
from llama_mapper.domain.mapping.taxonomies.library import TaxonomyLibrary
from llama_mapper.domain.mapping.taxonomies.migrations import (
    Migration,
    Split,
    migration_document_problems,
    migration_problems,
    migrations_of,
)
from llama_mapper.domain.mapping.taxonomies.plans import NEEDS_A_PERSON, composed, plan_of, unchanged
from llama_mapper.domain.mapping.taxonomies.present import current_ids
from tests.unit.mapping.taxonomies.strategies import IDS, chains


def taxonomy(version: str, **categories: list[str]) -> dict[str, Any]:
    """A document with one domain `d`: category → its subcategories."""
    return {
        "version": version,
        "domains": [
            {
                "id": "d",
                "name": "Domain",
                "definition": "All",
                "categories": [
                    {
                        "id": f"d.{category}",
                        "name": category,
                        "definition": f"about {category}",
                        "severity": "HIGH",
                        "subcategories": {f"d.{category}.{leaf}": leaf for leaf in leaves},
                    }
                    for category, leaves in categories.items()
                ],
            }
        ],
    }


@given(chain=chains(1))
def test_every_old_id_has_a_fate_and_no_target_is_off_the_later_version(chain: Any) -> None:
    (before, after), (migration,) = chain
    plan = plan_of(migration, before, after.__contains__)
    assert set(plan.fates) == before
    assert {fate.target for fate in plan.fates.values()} - {None} <= after
    for name in plan.unresolved:
        assert plan.now(name) is None


@given(chain=chains(3))
def test_composing_plans_is_associative(chain: Any) -> None:
    versions, migrations = chain
    first, second, third = (
        plan_of(migration, before, after.__contains__)
        for migration, before, after in zip(migrations, versions, versions[1:], strict=False)
    )
    assert composed(composed(first, second), third) == composed(first, composed(second, third))


@given(chain=chains(2))
def test_a_composed_plan_does_what_its_parts_do_one_after_the_other(chain: Any) -> None:
    (start, middle, end), (one, two) = chain
    first, second = plan_of(one, start, middle.__contains__), plan_of(two, middle, end.__contains__)
    whole = composed(first, second)
    for name in start:
        between = first.now(name)
        assert whole.now(name) == (None if between is None else second.now(between))


@given(chain=chains(1))
def test_mapping_again_at_the_target_changes_nothing(chain: Any) -> None:
    (before, after), (migration,) = chain
    plan = plan_of(migration, before, after.__contains__)
    assert composed(plan, unchanged(migration.after, after)) == plan
    assert composed(unchanged(migration.before, before), plan) == plan


@given(chain=chains(2), name=st.sampled_from(IDS), version=st.sampled_from(["0", "1", "2", "unheard-of"]))
def test_reading_an_old_id_gives_a_present_one_or_none_and_reading_that_again_gives_the_same(
    chain: Any, name: str, version: str
) -> None:
    (_, _, end), migrations = chain
    current = current_ids(migrations, "2", end)
    now = current(name, version)
    assert now is None or now in end
    if now is not None:
        assert current(now, "2") == now


def test_plans_that_do_not_meet_are_not_composed() -> None:
    with pytest.raises(ValueError, match="cannot be followed"):
        composed(unchanged("1", ["d.a"]), unchanged("2", ["d.a"]))


def test_each_kind_of_fate_has_its_rule() -> None:
    before = entries_of(
        taxonomy("1", a=["x", "y", "gone"], b=["p", "q"], c=["only"], e=["m"], far=["away"], whole=["w"])
    )
    after = entries_of(taxonomy("2", a=["x2", "y", "home"], b=["r", "s"], new=["m"], z=["z1"], parts=["w1", "w2"]))
    migration = Migration(
        "1",
        "2",
        renamed={"d.a.x": "d.a.x2", "d.e": "d.new", "d.far.away": "d.a.home"},
        merged={"d.b.p": "d.b.r", "d.b.q": "d.b.r"},
        split={"d.whole.w": Split(("d.parts.w1", "d.parts.w2"), None), "d.whole": Split(("d.parts", "d.z"), "d.parts")},
    )
    plan = plan_of(migration, before, after.__contains__)
    told = {name: (fate.hops[-1].kind.value if fate.hops else "kept", fate.target) for name, fate in plan.fates.items()}
    assert told == {
        "d.a": ("kept", "d.a"),
        "d.a.x": ("renamed", "d.a.x2"),
        "d.a.y": ("kept", "d.a.y"),
        "d.a.gone": ("removed", "d.a"),
        "d.b": ("kept", "d.b"),
        "d.b.p": ("merged", "d.b.r"),
        "d.b.q": ("merged", "d.b.r"),
        "d.c": ("removed", None),
        "d.c.only": ("removed", None),
        "d.e": ("renamed", "d.new"),
        "d.e.m": ("moved", "d.new.m"),
        "d.far": ("removed", None),
        "d.far.away": ("moved", "d.a.home"),
        "d.whole": ("split", "d.parts"),
        "d.whole.w": ("split", "d.parts"),
    }
    report = plan_report(plan)
    assert report.kept == 3
    assert set(report.needs_a_person) == {"d.c", "d.c.only", "d.far"}
    assert {fate.rule for fate in report.changed if fate.target is None} == {NEEDS_A_PERSON}
    assert next(fate for fate in report.changed if fate.id == "d.whole.w").rule == "the category that all parts share"


def test_a_split_without_a_shared_category_needs_a_person() -> None:
    migration = Migration("1", "2", split={"d.a.x": Split(("d.b.x", "d.c.x"), None)})
    plan = plan_of(migration, ["d.a.x"], {"d.b", "d.b.x", "d.c", "d.c.x"}.__contains__)
    fate = plan.fates["d.a.x"]
    assert fate.target is None
    assert fate.hops[0].kind is FateKind.SPLIT and fate.hops[0].candidates == ("d.b.x", "d.c.x")


def test_the_difference_tells_what_the_migration_does_not_account_for_and_proposes_what_is_alike() -> None:
    before = entries_of(taxonomy("1", a=["credit_card", "gone"], b=["x"]))
    after = entries_of(taxonomy("2", a=["credit_cards", "unlike"], b=["x"]))
    found = difference(before, after, Migration("1", "2"))
    assert (found.added, found.removed) == (("d.a.credit_cards", "d.a.unlike"), ("d.a.credit_card", "d.a.gone"))
    assert next((each.id, each.candidate) for each in found.proposals) == ("d.a.credit_card", "d.a.credit_cards")
    told = difference(before, after, Migration("1", "2", renamed={"d.a.credit_card": "d.a.credit_cards"}))
    assert (told.added, told.removed) == (("d.a.unlike",), ("d.a.gone",))
    assert told.renamed == {"d.a.credit_card": "d.a.credit_cards"}
    assert all(each.id == "d.a.gone" for each in told.proposals)


def test_a_proposal_is_never_followed_until_a_person_writes_it_down() -> None:
    before, after = {"d.a", "d.a.credit_card"}, {"d.a", "d.a.credit_cards"}
    assert plan_of(Migration("1", "2"), before, after.__contains__).now("d.a.credit_card") == "d.a"
    written = Migration("1", "2", renamed={"d.a.credit_card": "d.a.credit_cards"})
    assert plan_of(written, before, after.__contains__).now("d.a.credit_card") == "d.a.credit_cards"


def test_wording_that_differs_is_told() -> None:
    before, after = entries_of(taxonomy("1", a=["x"])), entries_of(taxonomy("2", a=["x"]))
    after["d.a.x"] = Entry("d.a.x", "d.a", "another name", "", "HIGH")
    assert difference(before, after, Migration("1", "2")).reworded == ("d.a.x",)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"from": "1"}, "lacks 'to'"),
        ({"from": "1", "to": "2", "renamed": {}}, "unknown key"),
        ({"from": "1", "to": "2", "renamed_from": {"NO": "d.a"}}, "canonical"),
        ({"from": "1", "to": "2", "split_into": {"d.a": {"otherwise": "d.b"}}}, "lacks 'into'"),
        ({"from": "1", "to": "2", "merged_into": {"d.a": "d.b"}, "removed": {"d.a": "x"}}, "more than one thing"),
    ],
)
def test_a_broken_migration_document_is_named(entry: dict[str, Any], problem: str) -> None:
    found = list(migration_document_problems({"migrations": [entry]}))
    assert any(problem in what for _, what in found), found


def test_a_chain_must_hang_together() -> None:
    document = {"migrations": [{"from": "1", "to": "2"}, {"from": "3", "to": "4"}]}
    assert any("does not begin" in what for _, what in migration_document_problems(document))


def test_a_migration_that_names_what_is_not_there_is_named() -> None:
    document = {
        "migrations": [
            {
                "from": "1",
                "to": "2",
                "renamed_from": {"d.new": "d.old"},
                "split_into": {"d.s": {"into": ["d.p"], "otherwise": "d.q"}},
            }
        ]
    }
    assert not list(migration_document_problems(document))
    (migration,) = migrations_of(document)
    problems = [what for _, what in migration_problems(migration, {"d.s"}, {"d.p"})]
    assert problems == ["is not in version 1", "is not one of those that it is split into", "is not in version 2"]


def test_the_library_tells_the_way_of_every_version_to_the_present_one() -> None:
    first = Migration("1", "2", note="tidied", renamed={"d.a.x": "d.a.y"})
    second = Migration("2", "3", split={"d.a.y": Split(("d.a.p", "d.a.q"), None)}, removed={"d.b": "was empty"})
    labels = {"d.a": "A", "d.a.p": "P", "d.a.q": "Q"}
    library = TaxonomyLibrary((first, second), "3", labels, current_ids((first, second), "3", labels))
    assert [(hop.before, hop.after, hop.changes) for hop in library.history().items] == [("1", "2", 1), ("2", "3", 2)]
    plan = library.plan("1")
    assert {fate.id: fate.target for fate in plan.changed} == {"d.a.x": "d.a"}
    assert library.plan("2").needs_a_person == ("d.b",)
    assert library.plan("3").changed == ()
