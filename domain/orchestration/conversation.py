"""A request's content as one text, and where its messages are in it."""

from __future__ import annotations

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


def place(start: int, end: int, turns: tuple[Turn, ...]) -> tuple[int | None, int, int]:
    """Where a span of the whole text is: index of its message, and offsets within that.

    A span that crosses messages is cut at the end of the one that it starts in; one that starts between two messages
    starts with the second.
    """
    if not turns:
        return None, start, end
    at = next((index for index, turn in enumerate(turns) if start < turn.end), len(turns) - 1)
    turn = turns[at]
    start = min(max(start, turn.start), turn.end)
    return at, start - turn.start, max(start, min(end, turn.end)) - turn.start
