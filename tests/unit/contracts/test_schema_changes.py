"""What counts as breaking somebody, and that what is committed is what the code says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.platform.jsoncompat_containment import contains
from llama_mapper.adapters.platform.published_schemas import schema_files
from llama_mapper.domain.contracts.evolution.changes import Side, compare
from llama_mapper.domain.contracts.evolution.places import places_of
from llama_mapper.domain.contracts.evolution.versions import State
from llama_mapper.domain.contracts.published import published_schemas
from llama_mapper.entrypoints.containers.schemas import checked, commit, schema_versions, standings

COMMITTED = Path("domain/contracts/schemas")
BOTH = {Side.READER, Side.WRITER}

OLD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["label", "stage"],
    "properties": {
        "label": {"type": "string", "maxLength": 256, "pattern": "^[a-z]+$"},
        "stage": {"$ref": "#/$defs/Stage"},
        "score": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "controls": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    },
    "$defs": {"Stage": {"enum": ["exact", "model"], "type": "string", "description": "How."}},
}


def _set(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["properties"].__setitem__(name, value)


def _required(schema: dict[str, Any]) -> None:
    schema["properties"]["new"] = {"type": "string"}
    schema["required"].append("new")


CHANGES: list[tuple[str, Callable[[dict[str, Any]], object], set[Side], str]] = [
    ("an optional property", _set("new", {"type": "string"}), BOTH, "/new: is new"),
    ("a required property", _required, {Side.WRITER}, "/new: is new and required"),
    ("an optional property gone", lambda s: s["properties"].pop("score"), {Side.WRITER}, "/score: is gone"),
    (
        "one more value",
        lambda s: s["$defs"]["Stage"]["enum"].append("guess"),
        {Side.READER},
        "/stage: may also be guess",
    ),
    (
        "one value less",
        lambda s: s["$defs"]["Stage"]["enum"].remove("model"),
        {Side.WRITER},
        "/stage: may no longer be model",
    ),
    (
        "a narrower bound",
        lambda s: s["properties"]["label"].__setitem__("maxLength", 10),
        {Side.WRITER},
        "/label: bounds were maxLength 256, are maxLength 10",
    ),
    (
        "a wider bound",
        lambda s: s["properties"]["label"].__setitem__("maxLength", 500),
        {Side.READER},
        "/label: bounds were maxLength 256, are maxLength 500",
    ),
    (
        "another pattern",
        lambda s: s["properties"]["label"].__setitem__("pattern", "^[a-z0-9]+$"),
        set(),
        "/label: the form of the text was pattern ^[a-z]+$, is pattern ^[a-z0-9]+$",
    ),
    (
        "no pattern any more",
        lambda s: s["properties"]["label"].pop("pattern"),
        {Side.READER},
        "/label: the form of the text was pattern ^[a-z]+$, is free",
    ),
    ("not required any more", lambda s: s["required"].remove("label"), {Side.READER}, "/label: is optional now"),
    (
        "another type deep inside",
        lambda s: s["properties"]["controls"]["additionalProperties"].__setitem__("items", {"type": "integer"}),
        set(),
        "/controls/*/*: was string, is integer",
    ),
    ("null no longer", _set("score", {"type": "number", "default": None}), {Side.WRITER}, "/score: was null, number"),
]


@pytest.mark.parametrize(("change", "sides", "said"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES])
def test_a_change_is_compatible_for_exactly_these_sides(
    change: Callable[[dict[str, Any]], object], sides: set[Side], said: str
) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    found = compare(OLD, new, contains)
    assert found.compatible == sides
    assert any(str(one).startswith(said) for one in found.changes), [str(one) for one in found.changes]


def test_words_and_names_of_definitions_change_nothing() -> None:
    new = copy.deepcopy(OLD)
    new["title"] = "Label"
    new["properties"]["label"]["description"] = "Other words."
    new["$defs"] = {"How": new["$defs"]["Stage"]}
    new["properties"]["stage"] = {"$ref": "#/$defs/How"}
    found = compare(OLD, new, contains)
    assert found.changes == ()
    assert found.compatible == BOTH


def test_a_property_called_like_a_word_is_no_word() -> None:
    new = copy.deepcopy(OLD)
    new["properties"]["title"] = {"type": "string"}
    assert [str(one) for one in compare(OLD, new, contains).changes] == ["/title: is new"]


def test_every_published_schema_has_places() -> None:
    for name, schema in published_schemas().items():
        assert len(places_of(schema)) > 1, name


def test_the_committed_schemas_are_those_of_the_code() -> None:
    behind = {each.model: each.state for each in standings(COMMITTED) if each.state is not State.SAME}
    assert behind == {}, "run `llama-mapper schemas publish` and complete the plans"


def test_what_is_committed_is_what_is_served() -> None:
    committed = {one.schema["$id"]: one.schema for one in checked(COMMITTED).all()}
    assert committed == {one.schema["$id"]: one.schema for one in schema_versions().all()}


def test_publishing_twice_writes_once(tmp_path: Path) -> None:
    written = commit(tmp_path)
    assert len(written) == len(published_schemas())
    assert commit(tmp_path) == ()
    assert dict(schema_files(tmp_path)) == dict(schema_files(COMMITTED))
