"""A request's content as one text, and where its messages are in it."""

from __future__ import annotations

from bisect import bisect_right

from llama_mapper.domain.contracts.orchestration import OrchestrationRequest
from llama_mapper.domain.orchestration.ports import Turn

BETWEEN_MESSAGES = "\n\n"
"""What separates two messages, so that no detector reads across them as one sentence."""


def text_of(request: OrchestrationRequest) -> tuple[str, tuple[Turn, ...]]:
    """All there is to judge, and its turns: none where the request has one text."""
    if request.content is not None:
        return request.content, ()
    turns, at = [], 0
    for message in request.messages:
        turns.append(Turn(message.role, at, at + len(message.content)))
        at += len(message.content) + len(BETWEEN_MESSAGES)
    return BETWEEN_MESSAGES.join(message.content for message in request.messages), tuple(turns)


def places_of(start: int, end: int, turns: tuple[Turn, ...]) -> list[tuple[int | None, int, int]]:
    """Where a span of the whole text is: index of its message, and offsets within that; one place for each message
    that it touches, none where it lies between two messages.
    """
    if not turns:
        return [(None, start, end)]
    first = bisect_right(turns, start, key=lambda turn: turn.end)
    places: list[tuple[int | None, int, int]] = []
    for index in range(first, len(turns)):
        turn = turns[index]
        if turn.start >= end:
            break
        places.append((index, max(start, turn.start) - turn.start, min(end, turn.end) - turn.start))
    return places
