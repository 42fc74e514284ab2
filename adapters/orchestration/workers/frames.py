"""What a worker process and its owner say to each other over a socket: length-prefixed frames.

A frame is `length, kind, frame id, index` (big-endian, 11 bytes; the length counts the body alone) and a body:

| kind         | sender | index             | body                                                        |
| ------------ | ------ | ----------------- | ----------------------------------------------------------- |
| JOB          | owner  | number of scanners | that many 16-bit scanner indexes, then the text              |
| CANCEL       | owner  | scanner           | empty; drops that scanner of frame `id` if it has not begun  |
| RESULT       | worker | scanner           | JSON `[language, [[label, score, start, end], …]]`, or empty |
| FAILED       | worker | scanner           | name of the exception's class                                |
| SKIPPED      | worker | scanner           | empty: it was cancelled before it began                      |
| LOADING      | worker | scanner           | empty                                                        |
| LOADED       | worker | scanner           | empty                                                        |
| NOT_LOADED   | worker | scanner           | why, as it may be shown to callers                           |

Every scanner of a JOB gets exactly one of RESULT, FAILED and SKIPPED, in the order they were named. Text is UTF-8 with
lone surrogates let through, since callers may send them. Answers are JSON, so that a library gone wrong in the worker
can send nothing that runs code in its owner.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

import orjson

from llama_mapper.domain.orchestration.ports import Inspection, RawFinding

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of body that a frame may have; a longer one means that the stream is broken."""

FINDINGS_LIMIT = 10_000
"""Findings that one answer carries, the strongest ones, so that reading it cannot hold up the owner's event loop."""

NOTHING_FOUND = Inspection()
_HEADER = struct.Struct("!IBIH")


class Kind(IntEnum):
    """What a frame says."""

    JOB = 1
    CANCEL = 2
    RESULT = 3
    FAILED = 4
    SKIPPED = 5
    LOADING = 6
    LOADED = 7
    NOT_LOADED = 8


Frame = tuple[int, int, int, bytes]
"""Kind, frame id, index, body."""


class BrokenStream(Exception):
    """What arrived is not a frame."""


def encode(kind: Kind, frame_id: int, index: int, body: bytes = b"") -> bytes:
    """One frame, ready to send."""
    return _HEADER.pack(len(body), kind, frame_id, index) + body


def encode_job(frame_id: int, indexes: list[int], text: str) -> bytes:
    """A JOB frame for the scanners `indexes`."""
    count = len(indexes)
    return encode(
        Kind.JOB, frame_id, count, struct.pack(f"!{count}H", *indexes) + text.encode("utf-8", "surrogatepass")
    )


def decode_job(count: int, body: bytes) -> tuple[tuple[int, ...], str]:
    """The scanner indexes and the text of a JOB frame's body."""
    return struct.unpack_from(f"!{count}H", body), body[2 * count :].decode("utf-8", "surrogatepass")


def encode_inspection(inspection: Inspection, text_length: int) -> bytes:
    """The body of a RESULT; raise `ValueError` or `TypeError` for an answer that breaks the scanner's promise.

    Scores may be any real number type (libraries answer with NumPy's), of value 0 to 1; spans lie within the text.
    """
    if not inspection.findings and inspection.language is None:
        return b""
    rows = []
    for finding in inspection.findings:
        score, start, end = float(finding.score), finding.start, finding.end
        if not 0.0 <= score <= 1.0 or not finding.label or (start is None) is not (end is None):
            raise ValueError("a finding is outside the contract")
        if start is not None and end is not None:
            start, end = int(start), int(end)
            if not 0 <= start <= end <= text_length:
                raise ValueError("a span is outside the text")
        rows.append((finding.label, score, start, end))
    if len(rows) > FINDINGS_LIMIT:
        rows = sorted(rows, key=lambda row: -row[1])[:FINDINGS_LIMIT]
    return orjson.dumps((inspection.language, rows))


def decode_inspection(body: bytes) -> Inspection:
    """The answer in the body of a RESULT."""
    if not body:
        return NOTHING_FOUND
    try:
        language, rows = orjson.loads(body)
        return Inspection(tuple([RawFinding(*row) for row in rows]), language)
    except (ValueError, TypeError) as error:
        raise BrokenStream("an answer cannot be read") from error


class FrameReader:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete once `data` has arrived; raise `BrokenStream` for what cannot be one."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= _HEADER.size:
                length, kind, frame_id, index = _HEADER.unpack_from(buffer, at)
                if length > BODY_LIMIT or not Kind.JOB <= kind <= Kind.NOT_LOADED:
                    raise BrokenStream("the stream lost its framing")
                end = at + _HEADER.size + length
                if len(buffer) < end:
                    break
                body = bytes(memoryview(buffer)[at + _HEADER.size : end])
                at = end
                yield kind, frame_id, index, body
        finally:
            del buffer[:at]
