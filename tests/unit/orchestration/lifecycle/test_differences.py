"""How values and bundles differ."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.domain.contracts.policies import Change
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.lifecycle.differences import (
    LISTED,
    decision_differences,
    module_differences,
    value_differences,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.0, 1.0, 2.5]) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=4),
    max_leaves=12,
)


def told(before: Any, after: Any) -> list[tuple[str, str, Any, Any]]:
    return [(one.path, one.change.value, one.before, one.after) for one in value_differences(before, after)[0]]


def at(document: Any, pointer: str) -> Any:
    """RFC 6901."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(JSON, JSON)
def test_there_is_a_difference_exactly_where_two_documents_are_not_the_same_json(before: Any, after: Any) -> None:
    assert bool(told(before, after)) is (exact(before) != exact(after))
    assert told(before, copy.deepcopy(before)) == []


@given(JSON, JSON)
def test_every_difference_quotes_what_stands_at_its_path(before: Any, after: Any) -> None:
    for one in value_differences(before, after)[0]:
        if one.change is not Change.ADDED:
            assert exact(at(before, one.path)) == exact(one.before)
        else:
            assert exact(at(after, one.path)) == exact(one.after)


def test_a_name_put_first_in_a_list_is_one_addition() -> None:
    assert told({"primary": ["a", "b", "c"]}, {"primary": ["x", "a", "b", "c"]}) == [("/primary/0", "added", None, "x")]


def test_numbers_and_truth_are_told_apart() -> None:
    before, after = {"a": 1, "b": [1], "c": 1}, {"a": True, "b": [1.0], "c": 1}
    assert [path for path, *_ in told(before, after)] == ["/a", "/b/0"]


def test_no_more_than_the_limit_is_listed() -> None:
    before = {str(number): number for number in range(LISTED + 5)}
    found, truncated = value_differences(before, {})
    assert (len(found), truncated) == (LISTED, True)
    assert value_differences(before, before) == ((), False)


def test_long_lists_are_compared_place_by_place() -> None:
    before = list(range(5000))
    assert told(before, [*before[:10], -1, *before[11:]]) == [("/10", "changed", 10, -1)]


def test_modules_differ_line_by_line() -> None:
    found = module_differences({"a.rego": "x\ny\n", "b.rego": "1"}, {"a.rego": "x\nz\n", "c.rego": "2"})
    assert [(one.path, one.change.value) for one in found] == [
        ("a.rego", "changed"),
        ("b.rego", "removed"),
        ("c.rego", "added"),
    ]
    assert found[0].diff.splitlines() == ["--- a.rego", "+++ a.rego", "@@ -1,2 +1,2 @@", " x", "-y", "+z"]


async def test_a_change_of_data_is_told_by_the_plans_that_it_changes() -> None:
    [default] = [bundle for bundle in load_shipped_bundles() if bundle.name == "default"]
    data = copy.deepcopy(dict(default.data))
    data["defaults"]["content_types"]["code"]["required_categories"] = ["security.credentials"]
    changed = make_bundle("default", "2", "", default.modules, data)
    found, compared = await decision_differences(RegorusPolicyEngine(), default, changed, "acme", [])
    assert compared == 18
    assert {one.content_type.value for one in found} == {"code"}
    assert len(found) == 3
    assert all(one.differences for one in found)


async def test_a_bundle_that_gives_no_plan_is_told_with_its_error() -> None:
    [default] = [bundle for bundle in load_shipped_bundles() if bundle.name == "default"]
    broken = make_bundle("default", "2", "", {"p.rego": "package llama_mapper.policy\nplan := {}"}, {})
    found, _ = await decision_differences(RegorusPolicyEngine(), default, broken, "acme", [])
    assert len(found) == 18
    assert all(one.before_error is None and one.after_error for one in found)
