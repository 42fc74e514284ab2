"""One thing to assess, as the command line reads it: a valid request, or a fault that names where and why.

A message names places (source, line, field, code point number), never the text that stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError as ContractViolation

from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.mapping import OutputFormat
from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT

CONTENT_CHARACTERS = 262_144
"""The default bound on one item's content, in characters."""

_CONTENTS = frozenset({"content", "text", "messages"})
_FIELDS = _CONTENTS | frozenset({"id", "content_type", "categories", "metadata", "policy_bundle"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_ID = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class InputItem:
    """Something to assess. `number` is the line on which it starts, 1 for the first of its source.

    `bytes_read` counts the bytes read of all sources up to the end of this item, for a progress bar.
    """

    source: str
    number: int
    id: str
    request: AssessmentRequest
    bytes_read: int


@dataclass(frozen=True, slots=True)
class InputFault:
    """Something that cannot be assessed. `number` 0 means the source as a whole. `code` is a stable error code."""

    source: str
    number: int
    code: ErrorCode
    message: str
    bytes_read: int


Input = InputItem | InputFault


@dataclass(frozen=True, slots=True)
class RequestDefaults:
    """What a request is made with where the item does not say."""

    tenant_id: str = LOCAL_TENANT
    policy_bundle: str = "default"
    processing_mode: ProcessingMode = ProcessingMode.NORMAL
    content_type: ContentType = ContentType.TEXT
    categories: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    output_format: OutputFormat = OutputFormat.FULL_RECORD

    def fields(self) -> dict[str, Any]:
        """The request's fields besides the content."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the input something stands."""

    source: str
    number: int
    bytes_read: int

    def fault(self, code: ErrorCode, message: str) -> InputFault:
        """A fault at this place."""
        return InputFault(self.source, self.number, code, message, self.bytes_read)


class RequestBuilder:
    """Makes requests of what the readers found."""

    def __init__(self, defaults: RequestDefaults, content_characters: int) -> None:
        self._defaults = defaults.fields()
        self.content_characters = content_characters

    def from_value(self, place: Place, value: object) -> Input:
        """The item of one JSON value: a string is the content, an object has `content`, `text` or `messages`."""
        if isinstance(value, str):
            return self.from_content(place, value)
        if not isinstance(value, dict):
            return place.fault(ErrorCode.INVALID_REQUEST, "neither an object nor a string")
        if unknown := value.keys() - _FIELDS:
            return place.fault(ErrorCode.INVALID_REQUEST, f"unknown field {shown_names(unknown)}")
        if len(value.keys() & _CONTENTS) != 1:
            return place.fault(
                ErrorCode.INVALID_REQUEST, "needs exactly one of the fields 'content', 'text' and 'messages'"
            )
        given = {name: value[name] for name in value.keys() - _CONTENTS - {"id"}}
        item_id = value.get("id")
        if "messages" not in value:
            content = value["content"] if "content" in value else value["text"]
            return self.from_content(place, content, item_id=item_id, given=given)
        messages = value["messages"]
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            return place.fault(ErrorCode.INVALID_REQUEST, "the messages are not a list of objects")
        for message in messages:
            if isinstance(text := message.get("content"), str) and (problem := self._problem(text)):
                return place.fault(*problem)
        return self._made(place, item_id, given | {"messages": messages})

    def from_content(
        self, place: Place, content: object, *, item_id: object = None, given: Mapping[str, Any] | None = None
    ) -> Input:
        """The item with this content, or the first thing that is wrong with it."""
        if not isinstance(content, str):
            return place.fault(ErrorCode.INVALID_REQUEST, "the content is not a string")
        if problem := self._problem(content):
            return place.fault(*problem)
        return self._made(place, item_id, dict(given or {}) | {"content": content})

    def _made(self, place: Place, item_id: object, fields: Mapping[str, Any]) -> Input:
        if item_id is None:
            item_id = f"{place.source}:{place.number}"
        elif isinstance(item_id, bool) or not isinstance(item_id, str | int) or not _ID.fullmatch(str(item_id)):
            return place.fault(ErrorCode.INVALID_REQUEST, "the id is not 1 to 128 printable characters")
        try:
            # Lax, since JSON knows neither enumerations nor tuples; the bounds hold all the same.
            request = AssessmentRequest.model_validate(self._defaults | dict(fields), strict=False)
        except ContractViolation as error:
            return place.fault(ErrorCode.INVALID_REQUEST, _told(error))
        return InputItem(place.source, place.number, str(item_id), request, place.bytes_read)

    def _problem(self, content: str) -> tuple[ErrorCode, str] | None:
        if len(content) > self.content_characters:
            return (
                ErrorCode.CONTENT_TOO_LARGE,
                f"the content has {len(content)} characters; at most {self.content_characters} are allowed",
            )
        if not content.strip():
            return ErrorCode.INVALID_REQUEST, "the content is empty"
        if found := _CONTROL.search(content):
            name = "NUL" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
            return ErrorCode.UNPROCESSABLE_CONTENT, f"the content has {name} at character {found.start() + 1}"
        if found := _SURROGATE.search(content):
            return ErrorCode.UNPROCESSABLE_CONTENT, f"the content is not Unicode text at character {found.start() + 1}"
        return None


def shown_names(names: object) -> str:
    """Names that an input gave, quoted and sorted, for a message.

    What does not look like a name (40 of letters, digits, `_`, `.`, `-`) may be content, so it is only counted.
    """
    given = sorted(str(name) for name in names) if isinstance(names, set | frozenset | list | tuple) else []
    shown = [f"'{name}'" for name in given if _NAME.fullmatch(name)][:20]
    hidden = len(given) - len(shown)
    return ", ".join([*shown, *([f"{hidden} more that cannot be shown"] if hidden else [])])


def _told(error: ContractViolation) -> str:
    """The first violation: the field and what was expected of it. Deeper places may be the input's own words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = first["loc"][0] if first["loc"] else "request"
    return f"'{field}': {first['msg']}"
