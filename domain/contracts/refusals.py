"""A failed contract validation in the kernel's words, for every door alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError

_SHOWN = 20
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One thing that is wrong: where, dotted (`labels.3.vendor`; empty for the whole), and what."""

    field: str
    message: str


def refusal_of(error: PydanticError) -> tuple[ValidationError, tuple[FieldFault, ...]]:
    """The error to raise or answer with, and its first 20 details. No value of the input is in either.

    Content that is too long is `CONTENT_TOO_LARGE`, content with control characters `UNPROCESSABLE_CONTENT`,
    anything else `INVALID_REQUEST`.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)
    for detail in details:
        if detail["loc"] == ("content",) and detail["type"] == "string_too_long":
            return ValidationError("the content is too long", ErrorCode.CONTENT_TOO_LARGE), ()
        if detail["loc"] == ("content",) and detail["type"] == "string_pattern_mismatch":
            message = "the content has NUL or other control characters that are not white space"
            return ValidationError(message, ErrorCode.UNPROCESSABLE_CONTENT), ()
    faults = _field_faults(error)[:_SHOWN]
    first = faults[0]
    where = f" at '{first.field}'" if first.field else ""
    return ValidationError(f"the request does not match its schema{where}: {first.message}"), faults


def faults_of(model: type[Model], document: object) -> tuple[Model | None, tuple[FieldFault, ...]]:
    """The model that a JSON document is, or all that is wrong with it. No value of the document is in a fault."""
    try:
        return model.model_validate_json(json.dumps(document)), ()
    except PydanticError as error:
        return None, _field_faults(error)


def _field_faults(error: PydanticError) -> tuple[FieldFault, ...]:
    return tuple(
        FieldFault(".".join(str(part) for part in detail["loc"])[:512], detail["msg"][:512])
        for detail in error.errors(include_url=False, include_context=False, include_input=False)
    )
