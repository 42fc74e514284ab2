"""Judging a text while it is written: lines in, lines out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from llama_mapper.domain.contracts.base import CONTENT_LIMIT, Contract, Count, Identifier, ShortText
from llama_mapper.domain.contracts.orchestration import (
    CONTENT_PATTERN,
    DetectorFault,
    DetectorStatus,
    Finding,
    OrchestrationOptions,
    OrchestrationResponse,
    VerdictAction,
    VerdictReason,
)


class StreamStart(OrchestrationOptions):
    """The first line in."""

    type: Literal["start"]
    hold_chars: Annotated[int, Field(ge=0, le=16_384)] = 256
    """Characters at the end of what was judged that are held back: no finding of at most this length has left before
    it was found."""
    max_chunk_chars: Annotated[int, Field(ge=64, le=65_536)] = 2000
    """A sentence that grows longer is judged in parts."""
    max_hold_ms: Annotated[int, Field(ge=1, le=60_000)] = 1000
    """Milliseconds that a detector may hold the stream for one part. One that is late three times in a row is asked
    about the whole text at the end instead."""


class StreamDelta(Contract):
    """More of the text."""

    type: Literal["delta"]
    text: Annotated[str, Field(min_length=1, max_length=CONTENT_LIMIT, pattern=CONTENT_PATTERN)]


class StreamFinish(Contract):
    """The text is complete. The end of the request body says the same."""

    type: Literal["end"]


StreamLine = Annotated[StreamDelta | StreamFinish, Field(discriminator="type")]
STREAM_LINE: TypeAdapter[StreamDelta | StreamFinish] = TypeAdapter(StreamLine)


class StreamRelease(Contract):
    """Text that was judged and may be shown: characters `start` to `end` of the text that came in."""

    type: Literal["release"]
    start: Count
    end: Count
    text: Annotated[str, Field(max_length=CONTENT_LIMIT * 8)]
    redacted: bool
    """Whether something in it was replaced, so that its length differs."""


class StreamFinding(Contract):
    """A finding, as soon as it is certain."""

    type: Literal["finding"]
    detector: Identifier
    finding: Finding
    """Its span is in the text that came in."""
    late: bool
    """Whether its place had been released already: its detector judges more than a sentence, or did not keep up."""


class StreamVerdict(Contract):
    """The verdict so far, whenever it gets stricter. After `block` nothing more is released or read."""

    type: Literal["verdict"]
    action: VerdictAction
    reasons: Annotated[tuple[VerdictReason, ...], Field(max_length=256)]
    judged: Count
    """Characters that it rests on."""


class StreamFault(Contract):
    """A detector gave no answer about a part; the stream went on without it."""

    type: Literal["fault"]
    detector: Identifier
    status: DetectorStatus
    fault: DetectorFault
    start: Count
    end: Count


class StreamDone(Contract):
    """The last line: the whole judgement, as `/v1/orchestrate` would give it."""

    type: Literal["end"]
    released: Count
    """Characters of the text that were released."""
    complete: bool
    """Whether all of the text was."""
    response: OrchestrationResponse


class StreamProblem(Contract):
    """The last line where the stream broke: the problem that the answer's status would have told."""

    type: Literal["error"]
    code: Identifier
    detail: ShortText
    retryable: bool


StreamEvent = StreamRelease | StreamFinding | StreamVerdict | StreamFault | StreamDone


class OpenStream(Protocol):
    """A text that is about to be judged while it is written; good for one text."""

    def events(self, deltas: AsyncIterator[str]) -> AsyncGenerator[StreamEvent, None]:
        """Judge what `deltas` bring; the last event is `StreamDone`.

        `deltas` are read no faster than they are judged, and no further after a `block`. What they raise ends the
        stream and is raised again. Raises `CONTENT_TOO_LARGE` beyond the limit, and `INVALID_REQUEST` for no text.
        Closing the generator cancels the detectors.
        """
        ...


class StreamingApi(Protocol):
    """Judges a text while it is written."""

    async def open_stream(self, start: StreamStart) -> OpenStream:
        """Choose policy and detectors for `start.tenant_id` (which must be set).

        Raises `POLICY_NOT_FOUND`, `POLICY_INVALID` and `CATEGORY_NOT_FOUND`.
        """
        ...
