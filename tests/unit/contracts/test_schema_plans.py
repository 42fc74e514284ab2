"""Documents of one version as those of another."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.jsoncompat_containment import contains
from llama_mapper.domain.contracts.evolution.changes import Side, compare
from llama_mapper.domain.contracts.evolution.places import place_of, text_of
from llama_mapper.domain.contracts.evolution.plans import Plan, Step, StepKind, chain, plan_from, propose
from llama_mapper.domain.contracts.evolution.versions import (
    Published,
    SchemaVersion,
    SchemaVersions,
    State,
    named_schema,
    schema_id,
    standing,
)
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, NotFoundError, ValidationError

ONE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["label"],
                "properties": {
                    "label": {"type": "string"},
                    "stage": {"enum": ["catalogue", "none"]},
                    "old": {"type": "integer"},
                },
            },
        }
    },
}
TWO = copy.deepcopy(ONE)
_ITEM = TWO["properties"]["items"]["items"]
_ITEM["properties"] = {
    "label": {"type": "string"},
    "stage": {"enum": ["catalogue", "none", "model"]},
    "tenant": {"type": "string"},
}
_ITEM["required"] = ["label", "tenant"]

UP = Plan(
    "Asked",
    1,
    2,
    (
        Step(StepKind.DROP, ("items", "*", "old")),
        Step(StepKind.DEFAULT, ("items", "*", "tenant"), value="local"),
    ),
)
DOWN = Plan(
    "Told",
    2,
    1,
    (
        Step(StepKind.DROP, ("items", "*", "tenant")),
        Step(StepKind.VALUES, ("items", "*", "stage"), values={"model": "none"}),
    ),
)

_ITEMS_OF_ONE = st.fixed_dictionaries(
    {"label": st.text()}, optional={"stage": st.sampled_from(["catalogue", "none"]), "old": st.integers()}
)
_ITEMS_OF_TWO = st.fixed_dictionaries(
    {"label": st.text(), "tenant": st.text()}, optional={"stage": st.sampled_from(["catalogue", "none", "model"])}
)


def _versions(*plans: Plan) -> SchemaVersions:
    return SchemaVersions(
        {
            (model, major): Published(
                model, SchemaVersion(major, 0), side, {**schema, "$id": schema_id(model, SchemaVersion(major, 0))}
            )
            for model, side in (("Asked", Side.READER), ("Told", Side.WRITER))
            for major, schema in ((1, ONE), (2, TWO))
        },
        plans,
    )


@given(st.lists(_ITEMS_OF_ONE))
def test_an_old_request_becomes_one_that_the_new_schema_accepts(items: list[dict[str, Any]]) -> None:
    document = {"items": items}
    before = copy.deepcopy(document)
    upgraded = _versions(UP, DOWN).upgraded("Asked", 1, document)
    jsonschema.validate(upgraded, TWO)
    assert document == before


@given(st.lists(_ITEMS_OF_TWO))
def test_a_new_answer_becomes_one_that_the_old_schema_accepts(items: list[dict[str, Any]]) -> None:
    downgraded = _versions(UP, DOWN).downgraded("Told", 1, {"items": items})
    jsonschema.validate(downgraded, ONE)
    assert [one["label"] for one in downgraded["items"]] == [one["label"] for one in items]


def test_the_newest_version_passes_unchanged() -> None:
    document = {"items": [{"label": "a", "tenant": "b"}]}
    assert _versions(UP, DOWN).upgraded("Asked", 2, document) is document


def test_a_proposal_says_what_it_can_and_asks_for_the_rest() -> None:
    up = propose("Asked", 1, 2, ONE, TWO, compare(ONE, TWO, contains))
    assert {(step.kind, text_of(step.at)) for step in up.steps} == {
        (StepKind.DROP, "/items/*/old"),
        (StepKind.DEFAULT, "/items/*/tenant"),
    }
    assert [line.split(":")[0] for line in up.undecided] == ["/items/*/tenant"]
    down = propose("Told", 2, 1, TWO, ONE, compare(TWO, ONE, contains))
    assert [line.split(":")[0] for line in down.undecided] == ["/items/*/stage"]


def test_a_plan_is_written_and_read_back() -> None:
    renamed = Plan("Told", 2, 1, (*DOWN.steps, Step(StepKind.RENAME, ("items", "*", "label"), to="name")))
    assert plan_from(renamed.as_document()) == renamed
    assert renamed.apply({"items": [{"label": "a", "stage": "model", "tenant": "t"}]}) == {
        "items": [{"name": "a", "stage": "none"}]
    }


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"model": "A", "from": 1, "to": 2, "steps": [{"step": "explode", "at": "/a"}]},
        {"model": "A", "from": 1, "to": 2, "steps": [{"step": "rename", "at": "/a"}]},
        {"model": "A", "from": 1, "to": 2, "steps": [{"step": "drop", "at": "/a", "why": "x"}]},
    ],
)
def test_what_is_no_plan_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        plan_from(broken)


def test_an_undecided_plan_cannot_be_used() -> None:
    proposed = propose("Asked", 1, 2, ONE, TWO, compare(ONE, TWO, contains))
    with pytest.raises(ConfigurationError, match="has to be decided"):
        _versions(proposed, DOWN)


def test_an_older_version_without_a_way_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no plan leads from Told 2 to 1"):
        _versions(UP)


def test_a_breaking_change_asks_for_a_new_major_version_with_a_plan() -> None:
    committed = _versions(UP, DOWN).get("Told", 1)
    found = standing("Told", Side.WRITER, TWO, committed, contains)
    assert (found.state, str(found.due.version)) == (State.MAJOR, "2.0")
    assert found.plan is not None
    assert (found.plan.origin, found.plan.target) == (2, 1)
    wider = copy.deepcopy(ONE)
    wider["properties"]["note"] = {"type": "string"}
    minor = standing("Told", Side.WRITER, wider, committed, contains)
    assert (minor.state, str(minor.due.version), minor.plan) == (State.MINOR, "1.1", None)


def test_only_served_versions_are_spoken() -> None:
    versions = _versions(UP, DOWN)
    for move, model, major in (
        (versions.upgraded, "Asked", 3),
        (versions.upgraded, "Told", 1),
        (versions.downgraded, "Nobody", 1),
    ):
        with pytest.raises(ValidationError) as refused:
            move(model, major, {})
        assert refused.value.error_code is ErrorCode.SCHEMA_UNKNOWN
    with pytest.raises(NotFoundError):
        versions.get("Told", 7)


@pytest.mark.parametrize("text", ["", "MappingRequest:1", "urn:llama-mapper:schema:X:one", "urn:llama-mapper:schema:X"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        named_schema(text)


def test_a_chain_leads_both_ways() -> None:
    plans = [Plan("A", low, high, ()) for low, high in ((1, 2), (2, 3), (3, 2), (2, 1))]
    assert [plan.target for plan in chain(plans, 1, 3)] == [2, 3]
    assert [plan.target for plan in chain(plans, 3, 1)] == [2, 1]
    with pytest.raises(KeyError):
        tuple(chain(plans, 3, 4))


@given(st.lists(st.text(min_size=1), min_size=1).map(tuple))
def test_places_are_written_as_pointers_and_read_back(place: tuple[str, ...]) -> None:
    assert place_of(text_of(place)) == place
