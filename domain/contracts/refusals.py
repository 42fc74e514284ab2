"""A failed contract validation in the kernel's words, for every door alike."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError as PydanticError

from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError

_SHOWN = 20


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
    faults = tuple(
        FieldFault(".".join(str(part) for part in detail["loc"])[:512], detail["msg"][:512])
        for detail in details[:_SHOWN]
    )
    first = faults[0]
    where = f" at '{first.field}'" if first.field else ""
    return ValidationError(f"the request does not match its schema{where}: {first.message}"), faults
