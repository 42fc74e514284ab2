"""What runs inside the process that evaluates policies nobody vouches for.

It is started by `rego_process.py` and answers one message after the other on one socket: length-prefixed JSON. Regorus
holds the interpreter's lock while it computes and cannot be stopped, so limits are the system's: an alarm ends this
process when a message takes too long, and its memory is bounded.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from llama_mapper.adapters.orchestration.policies.rego_exercise import RegoExercise
from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.ports import PolicyBundle

HEADER = struct.Struct("!I")
_REMEMBERED = 64

Message = dict[str, Any]


def main(fd: int, limit_s: float, memory_bytes: int) -> None:
    """Serve the socket `fd` until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    channel = socket.socket(fileno=fd)
    child = _Child()
    send(channel, {"ready": True})
    while (message := receive(channel)) is not None:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        answer = child.answer(message)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        send(channel, answer)
    os._exit(0)


def send(channel: socket.socket, message: Message) -> None:
    """Send one message."""
    body = json.dumps(message).encode()
    channel.sendall(HEADER.pack(len(body)) + body)


def receive(channel: socket.socket) -> Message | None:
    """The next message, None if the other side is gone."""
    head = _exactly(channel, HEADER.size)
    body = None if head is None else _exactly(channel, HEADER.unpack(head)[0])
    if body is None:
        return None
    message: Message = json.loads(body)
    return message


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


class _Child:
    def __init__(self) -> None:
        self._engine = RegorusPolicyEngine()
        self._bundles: dict[str, PolicyBundle] = {}
        self._exercise: RegoExercise | None = None
        self._does: Mapping[str, Callable[[Message], Message]] = {
            "evaluate": self._evaluate,
            "open": self._open,
            "test": lambda message: self._opened.test(message["name"]),
            "plan": lambda message: self._opened.plan(message["facts"]),
            "reach": lambda _: self._opened.reach(),
        }

    def answer(self, message: Message) -> Message:
        """What to say to a message; a policy's fault is told under `invalid`."""
        try:
            return self._does[message["op"]](message)
        except PolicyEnforcementError as error:
            return {"invalid": error.message}

    @property
    def _opened(self) -> RegoExercise:
        if self._exercise is None:
            raise PolicyEnforcementError("no bundle was opened")
        return self._exercise

    def _evaluate(self, message: Message) -> Message:
        digest = message["digest"]
        if "modules" in message:
            if len(self._bundles) >= _REMEMBERED:
                self._bundles.pop(next(iter(self._bundles)))
            self._bundles[digest] = PolicyBundle("b", "1", digest, "", message["modules"], message["data"])
        bundle = self._bundles.get(digest)
        if bundle is None:
            return {"unknown": True}
        return {"plan": self._engine.evaluate_now(bundle, message["facts"])}

    def _open(self, message: Message) -> Message:
        self._exercise = RegoExercise(message["modules"], message["data"])
        return {"tests": self._exercise.tests, "rules": self._exercise.rules}
