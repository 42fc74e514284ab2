"""The JSON form of a contract is what pydantic would write, byte for byte."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.contracts.published import RESPONSES
from tests.support.records import Found, assessment

LEAVES = {str, int, float, bool, datetime, type(None)}
HOURS = timedelta(hours=1)


class Anything(Contract):
    """One field of every kind that a contract may hold."""

    text: str
    number: float
    whole: int
    moment: datetime
    inner: dict[str, str | int | float | bool | None]
    many: tuple[Anything, ...] = ()


TEXT = st.text(st.characters(codec="utf-8"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(2 * HOURS), timezone(-4.5 * HOURS)]))
FLAT = st.builds(
    Anything,
    text=TEXT,
    number=NUMBERS,
    whole=st.integers(),
    moment=MOMENTS,
    inner=st.dictionaries(TEXT, TEXT | st.integers() | NUMBERS | st.booleans() | st.none(), max_size=4),
)
NESTED = st.builds(lambda outer, many: outer.model_copy(update={"many": many}), FLAT, st.lists(FLAT).map(tuple))


@given(value=NESTED)
def test_any_value_is_spelt_as_pydantic_spells_it(value: Anything) -> None:
    assert json_form(value) == value.model_dump_json().encode()


def test_a_whole_record_is_spelt_as_pydantic_spells_it() -> None:
    for record in (assessment(), assessment(Found(), Found(label='Ω"\u2028', span=None))):
        assert json_form(record) == record.model_dump_json().encode()


@pytest.mark.parametrize("model", RESPONSES, ids=lambda model: model.__name__)
def test_contracts_hold_only_what_both_libraries_spell_alike(model: type[Contract]) -> None:
    for part in _parts(model, set()):
        assert not part.__pydantic_decorators__.field_serializers, part
        assert not part.__pydantic_decorators__.model_serializers, part
        assert not part.model_computed_fields, part
        for name, field in part.model_fields.items():
            assert field.serialization_alias is None, (part, name)
            assert not field.exclude, (part, name)


def test_what_is_no_contract_is_refused() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        odd: object

    with pytest.raises(ValueError, match="serialize"):
        json_form(Odd(odd=object()))


def _parts(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for name, field in model.model_fields.items():
        for leaf in _leaves(field.annotation):
            if isinstance(leaf, type) and issubclass(leaf, BaseModel):
                yield from _parts(leaf, seen)
            else:
                assert leaf in LEAVES or issubclass(leaf, StrEnum), (model, name, leaf)


def _leaves(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin in (tuple, dict, Union, types.UnionType):
        for inner in get_args(annotation):
            if inner is not Ellipsis:
                yield from _leaves(inner)
    elif hasattr(annotation, "__metadata__"):
        yield from _leaves(get_args(annotation)[0])
    else:
        yield annotation
