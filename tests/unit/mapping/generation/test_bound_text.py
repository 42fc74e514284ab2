"""Our reading of a schema agrees with the standard's, in the keywords that we use."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.mapping.generation.bound_text import is_bound

_NAMES = st.sampled_from(["a", "b", "id"])
_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, 1.0]), _NAMES)
_VALUES = st.recursive(_PLAIN, lambda v: st.lists(v, max_size=3) | st.dictionaries(_NAMES, v, max_size=3), max_leaves=6)
_KINDS = st.sampled_from(["object", "array", "string", "boolean", "null", "integer", "number"])


def _schemas(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": _KINDS,
            "enum": st.lists(_VALUES, min_size=1, max_size=3),
            "const": _VALUES,
            "properties": st.dictionaries(_NAMES, inner, max_size=2),
            "required": st.lists(_NAMES, max_size=2, unique=True),
            "additionalProperties": st.booleans(),
            "items": inner,
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 3),
        },
    )


_SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(st.just({}), _schemas, max_leaves=4)


@given(_SCHEMAS, _VALUES)
def test_what_keeps_a_schema_is_what_the_standard_says(schema: dict[str, Any], value: Any) -> None:
    assert is_bound(json.dumps(value), schema) == jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("text", ["", "{", "apple", "[" * 100_000, "1 2"])
def test_what_is_not_json_keeps_none(text: str) -> None:
    assert not is_bound(text, {})
