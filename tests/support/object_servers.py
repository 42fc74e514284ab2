"""Object stores of others on this machine: S3 by moto, Azure Blob by Azurite."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import free_port

AZURITE = Path(__file__).parent / "azurite"
# The account that Azurite has from the start, as its documentation publishes it.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class ObjectServer:
    """A process that listens on a port of this machine."""

    def __init__(self, command: list[str], port: int, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._command = command
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        until = time.monotonic() + 90
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError(self._log.read_text()[-2000:]) from None
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running(server: ObjectServer) -> Iterator[ObjectServer]:
    """The server, started and at the end of the block stopped."""
    server.start()
    try:
        yield server
    finally:
        server.kill()


def s3_server(folder: Path, **environment: str) -> ObjectServer:
    """An S3 of our own, empty at each start."""
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    return ObjectServer(
        [str(program), "-H", "127.0.0.1", "-p", str(port)], port, folder / f"moto-{port}.log", environment
    )


def azure_server(folder: Path, modules: Path) -> ObjectServer:
    """An Azure Blob Storage of our own, empty at each start."""
    port = free_port()
    program = modules / "azurite" / "dist" / "src" / "blob" / "main.js"
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    command = ["node", str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), *options]
    return ObjectServer(command, port, folder / f"azurite-{port}.log")


def azure_connection(port: int, key: str = AZURITE_KEY) -> str:
    """A connection string for the server on this port."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={key};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{AZURITE_ACCOUNT};"
    )


@pytest.fixture(scope="session")
def azurite_modules(request: pytest.FixtureRequest) -> Path:
    """Azurite, installed once by npm exactly as the committed lock file says; the folder of its modules."""
    npm, lock = shutil.which("npm"), AZURITE / "package-lock.json"
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed: Azure Blob Storage cannot be put to the test without Azurite")
    cache = request.config.cache
    assert cache is not None
    place = cache.mkdir(f"azurite-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}")
    with (place / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            for each in (lock, AZURITE / "package.json"):
                shutil.copy(each, place)
            options = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error"]
            made = subprocess.run([npm, "ci", *options], cwd=place, capture_output=True, timeout=300, check=False)
            if made.returncode:
                pytest.fail(f"npm ci in {place} failed: {made.stderr.decode()[-2000:]}")
            (place / "complete").touch()
    return place / "node_modules"


@pytest.fixture(scope="package")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an S3 server."""
    with running(s3_server(tmp_path_factory.mktemp("s3"))) as server:
        yield server.port


@pytest.fixture(scope="package")
def azurite(tmp_path_factory: pytest.TempPathFactory, azurite_modules: Path) -> Iterator[int]:
    """The port of an Azure Blob Storage server."""
    with running(azure_server(tmp_path_factory.mktemp("azurite"), azurite_modules)) as server:
        yield server.port
