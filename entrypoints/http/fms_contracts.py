"""What the FMS detector API takes and answers.

The contract: github.com/foundation-model-stack/fms-guardrails-orchestrator, docs/api/openapi_detector_api.yaml.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel

from llama_mapper.domain.contracts.base import CONTENT_LIMIT
from llama_mapper.domain.contracts.orchestration import CONTENT_PATTERN

_Text = Annotated[str, Field(max_length=CONTENT_LIMIT, pattern=CONTENT_PATTERN)]


class _Fms(BaseModel):
    """Open to fields that are unknown here: the API's clients send what others of its detectors take."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


Params = Annotated[dict[Annotated[str, Field(max_length=128)], JsonValue], Field(max_length=64)]
"""`threshold`, 0 to 1: findings with a lower score are left out. Everything else is ignored."""


class FmsContentsRequest(_Fms):
    """Texts to judge one by one."""

    contents: Annotated[list[_Text], Field(min_length=1, max_length=1024)]
    detector_params: Params = Field(default_factory=dict)


class FmsTextPart(_Fms):
    """A text part of a message."""

    type: Literal["text"]
    text: _Text


class FmsFunction(_Fms):
    """What a tool was called with."""

    arguments: _Text = ""


class FmsToolCall(_Fms):
    """That the assistant called a tool."""

    function: FmsFunction


class FmsRole(StrEnum):
    """Who a message is from, in OpenAI's words."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    FUNCTION = "function"


class FmsMessage(_Fms):
    """A message as in OpenAI's chat completions; images and audio are refused: no detector here judges them."""

    role: FmsRole
    content: _Text | Annotated[list[FmsTextPart], Field(max_length=64)] | None = None
    tool_calls: Annotated[list[FmsToolCall], Field(max_length=128)] | None = None


class FmsChatRequest(_Fms):
    """A conversation to judge as a whole."""

    messages: Annotated[list[FmsMessage], Field(min_length=1, max_length=1000)]
    detector_params: Params = Field(default_factory=dict)


class FmsContextType(StrEnum):
    """What the context is."""

    URL = "url"
    """Refused: this service fetches nothing."""
    DOCS = "docs"
    CHUNKS = "chunks"
    DOCUMENT = "document"


class FmsContextRequest(_Fms):
    """A text, and the documents that it is based on."""

    content: _Text
    context_type: FmsContextType
    context: Annotated[list[_Text], Field(max_length=256)]
    detector_params: Params = Field(default_factory=dict)


class FmsGenerationRequest(_Fms):
    """A prompt, and what a model made of it."""

    prompt: _Text
    generated_text: _Text
    detector_params: Params = Field(default_factory=dict)


class FmsEvidence(_Fms):
    """In which part of the request a label was found, and its highest score there."""

    name: Annotated[str, Field(max_length=128)]
    score: Annotated[float, Field(ge=0, le=1)]


class FmsDetection(_Fms):
    """A label that was found anywhere in what was judged as a whole, and its highest score."""

    detection: Annotated[str, Field(max_length=256)]
    detection_type: Annotated[str, Field(max_length=128)]
    """The risk category; `unmapped` where nobody knows it."""
    score: Annotated[float, Field(ge=0, le=1)]
    evidence: Annotated[list[FmsEvidence], Field(max_length=1001)] = Field(default_factory=list)


class FmsSpan(_Fms):
    """One finding in one text. A finding without a place is about the whole text."""

    start: Annotated[int, Field(ge=0, le=CONTENT_LIMIT)]
    """In Unicode code points, as everywhere here."""
    end: Annotated[int, Field(ge=0, le=CONTENT_LIMIT)]
    text: Annotated[str, Field(max_length=CONTENT_LIMIT)]
    """What stands there: the caller's own words, answered and never kept."""
    detection: Annotated[str, Field(max_length=256)]
    detection_type: Annotated[str, Field(max_length=128)]
    score: Annotated[float, Field(ge=0, le=1)]


class FmsContentsResponse(RootModel[list[list[FmsSpan]]]):
    """The findings of each text, in the order of the texts."""


class FmsDetectionsResponse(RootModel[list[FmsDetection]]):
    """The labels found, strongest first."""


class FmsError(_Fms):
    """What went wrong; `code` is the HTTP status."""

    code: Annotated[int, Field(ge=400, le=599)]
    message: str
