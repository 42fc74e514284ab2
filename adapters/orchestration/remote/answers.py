"""Reading what a service answered: bounded, strict, and never quoting it."""

from __future__ import annotations

import re
from typing import Any

from llama_mapper.domain.orchestration.ports import DetectorFailed, RawFinding

MALFORMED = "DETECTOR_MALFORMED_ANSWER"
_STRUCTURE_LIMIT = 250_000
"""Commas and opening brackets admitted in an answer: each costs up to a hundred bytes of memory once it is parsed."""

# What the contract admits as a label; lone surrogates cannot be in JSON that was parsed.
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,256}")


def malformed(what: str) -> DetectorFailed:
    """The failure that says what is wrong with an answer; `what` must not quote it."""
    return DetectorFailed(f"the answer is malformed: {what}", MALFORMED)


def parse(content: bytes) -> Any:
    """The JSON in `content`, with no NaN or infinity, not nested too deeply, not of too many parts.

    Raises `DETECTOR_MALFORMED_ANSWER`.
    """
    import orjson

    if sum(content.count(part) for part in (b",", b"[", b"{")) > _STRUCTURE_LIMIT:
        raise malformed("it has too many parts")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        error.doc = ""  # it may quote the content, and exceptions travel
        raise malformed("it is not JSON") from error


def objects_in(value: Any, what: str) -> list[dict[str, Any]]:
    """`value` as a list of objects."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise malformed(f"{what} is not a list of objects")
    return value


def label_of(value: Any) -> str:
    """`value` as a label of 1 to 256 characters without control characters."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value) or value.isspace():
        raise malformed("a label is not text of 1 to 256 characters without control characters")
    return value


def score_of(value: Any, scale: float = 1.0) -> float:
    """`value` as a score from 0 to 1, where the detector's own scores go up to `scale`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed("a score is not a number")
    if not 0.0 <= value <= scale:
        raise malformed("a score is out of its range")
    return min(1.0, value / scale)


def finding(label: Any, score: float, start: Any, end: Any, length: int) -> RawFinding:
    """A finding with the span of code points from `start` to `end` of a text of `length`.

    A span outside the text is left out and the finding stays; one that is not two integers is malformed.
    """
    if start is None and end is None:
        return RawFinding(label_of(label), score)
    if type(start) is not int or type(end) is not int:
        raise malformed("a span is not two integers")
    if not 0 <= start < end <= length:
        return RawFinding(label_of(label), score)
    return RawFinding(label_of(label), score, start, end)
