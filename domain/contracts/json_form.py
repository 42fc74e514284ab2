"""A contract's value as JSON: the form that is answered, stored and sent over links."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, RootModel


def json_form(model: BaseModel) -> bytes:
    """What `model.model_dump_json()` gives, byte for byte, in a third of the time.

    Contracts hold only what both libraries spell alike: texts, numbers, booleans, moments, enumerations, null, and
    tuples, dictionaries and contracts of these, without aliases or serialisers of their own; a test holds them to it.
    """
    try:
        return orjson.dumps(model, _fields, orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
        return model.__pydantic_serializer__.to_json(model)


def _fields(value: object) -> Any:
    if isinstance(value, RootModel):
        return value.root
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(type(value).__name__)
