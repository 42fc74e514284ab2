"""What differs from one protocol to the next: where to ask, what to send, how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llama_mapper.domain.contracts.orchestration import Role
from llama_mapper.domain.orchestration.ports import Inquiry, RawFinding


@dataclass(frozen=True, slots=True)
class Question:
    """One request: its JSON body, and how to read the parsed JSON that answers it.

    `read` raises `DetectorFailed` for an answer outside the protocol. `subject` names what is asked where one inquiry
    takes several questions.
    """

    body: Mapping[str, Any]
    read: Callable[[Any], tuple[RawFinding, ...]]
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """Where to ask for a sign of life, and which statuses besides 2xx are one."""

    url: str
    also_alive: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol as one detector speaks it.

    `ask` gives the questions that an inquiry takes, at least one; it raises `DetectorFailed` where the protocol has
    no way to ask it. It and the readers are pure.
    """

    url: str
    probe: Probe
    ask: Callable[[Inquiry], Sequence[Question]]
    headers: Mapping[str, str] = field(default_factory=dict)


def below(base: str, path: str) -> str:
    """`path`, which starts with a slash, below the base address, which may end in one."""
    return base.rstrip("/") + path


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def messages_of(inquiry: Inquiry) -> list[dict[str, str]]:
    """The inquiry as chat messages: a conversation's turns, or the text as one message of the user.

    Roles beyond `system`, `user` and `assistant` become the nearest of them, since few services know more.
    """
    if not inquiry.turns:
        return [{"role": "user", "content": inquiry.text}]
    return [
        {"role": _ROLES.get(turn.role, "user"), "content": inquiry.text[turn.start : turn.end]}
        for turn in inquiry.turns
    ]


_ROLES = {Role.SYSTEM: "system", Role.DEVELOPER: "system", Role.ASSISTANT: "assistant"}
