"""The command line as processes: started anew, or forked from one that has imported everything."""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Protocol

PROGRAM = Path(sys.executable).with_name("llama-mapper")
_FORK_SERVER = Path(__file__).with_name("fork_server.py")


class Process(Protocol):
    """A process that was started; a part of what `subprocess.Popen` can do."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """The exit status once `poll` or `wait` has seen it; negative for a signal."""
        ...

    def poll(self) -> int | None:
        """See `Popen.poll`."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """See `Popen.wait`."""
        ...

    def send_signal(self, sig: int) -> None:
        """See `Popen.send_signal`."""
        ...

    def kill(self) -> None:
        """See `Popen.kill`."""
        ...


class ForkedProcess:
    """A process that the fork server looks after; keeps `Process`'s promise."""

    def __init__(self, connection: socket.socket) -> None:
        self.returncode: int | None = None
        self._connection = connection
        self._lines = connection.makefile("rb", buffering=0)  # what comes later has to be seen by `select`
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """See `Process`."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """See `Process`."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("llama-mapper", timeout or 0.0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """See `Process`."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """See `Process`."""
        self.send_signal(signal.SIGKILL)


def begin(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    streams: tuple[IO[bytes], IO[bytes], IO[bytes]],
) -> Process:
    """Start `llama-mapper` with these arguments, and input, output and errors in these files.

    It is forked, unless its environment says how Python itself is to start.
    """
    own = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    if own != {name: value for name, value in environment.items() if name.startswith("PYTHON")}:
        command = [str(PROGRAM), *arguments]
        given, out, errors = streams
        return subprocess.Popen(command, env=environment, cwd=folder, stdin=given, stdout=out, stderr=errors)
    asked = {"arguments": [str(PROGRAM), *arguments], "environment": dict(environment), "folder": str(folder)}
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_fork_server())
    line = json.dumps(asked).encode() + b"\n"
    sent = socket.send_fds(connection, [line], [stream.fileno() for stream in streams])
    connection.sendall(line[sent:])
    return ForkedProcess(connection)


@cache
def _fork_server() -> str:
    """Where it listens; it ends with us."""
    folder = tempfile.mkdtemp(prefix="llama-mapper-fork-")
    place = str(Path(folder) / "socket")
    stack = ExitStack()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    command = [sys.executable, "-P", str(_FORK_SERVER), place]
    process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    atexit.register(stack.close)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError("the fork server did not start")
    return place
