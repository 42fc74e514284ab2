"""The owner's end of a process that evaluates policies within limits of time and memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from llama_mapper.adapters.orchestration.policies.rego_child import Message, receive, send

_BOOTSTRAP = """\
import json, sys; start = json.loads(sys.argv[1]); sys.path[:] = start.pop("path")
from llama_mapper.adapters.orchestration.policies.rego_child import main; main(**start)
"""
_OWN_SETTINGS = "LLAMA_MAPPER_"
_ALARM_GRACE_S = 1.0
_START_S = 30.0
"""Seconds that starting may take on a busy machine; the policy's own time counts from then on."""


class PolicyTooSlow(Exception):
    """The message took longer than it may; the process was ended."""


class PolicyProcessLost(Exception):
    """The process ended in the middle of a message: memory ran out, or the engine broke."""


class RegoProcess:
    """One process, started when it is first needed and again after it was ended; asked by one caller at a time.

    `limit_s` bounds one message, `memory_bytes` the process' address space. Blocks its caller: use a thread.
    """

    def __init__(self, limit_s: float, memory_bytes: int) -> None:
        self._limit_s = limit_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Its id, None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def ask(self, message: Message, limit_s: float | None = None) -> Message:
        """The answer; raise `PolicyTooSlow` after `limit_s` (the process' own by default) or `PolicyProcessLost`."""
        with self._lock:
            channel = self._channel or self._start()
            try:
                channel.settimeout(min(self._limit_s, limit_s or self._limit_s))
                send(channel, message)
                answer = receive(channel)
            except TimeoutError:
                self._end()
                raise PolicyTooSlow from None
            except (OSError, ValueError) as error:
                self._end()
                raise PolicyProcessLost from error
            if answer is None:
                self._end()
                raise PolicyProcessLost
            return answer

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        start: dict[str, Any] = {
            "path": [str(Path(entry).absolute()) for entry in sys.path if isinstance(entry, str)],
            "fd": theirs.fileno(),
            # The alarm is for the case that nobody is left to end the process.
            "limit_s": self._limit_s + _ALARM_GRACE_S,
            "memory_bytes": self._memory_bytes,
        }
        environment = {name: text for name, text in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable or "python3", "-P", "-c", _BOOTSTRAP, json.dumps(start)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
            )
        self._channel = ours
        ours.settimeout(_START_S)
        try:
            if receive(ours) is None:
                raise PolicyProcessLost
        except (OSError, PolicyProcessLost):
            self._end()
            raise PolicyProcessLost from None
        return ours

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
