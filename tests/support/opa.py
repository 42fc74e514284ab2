"""A policy server for tests that speaks OPA's REST API.

In this order: the server that `LLAMA_MAPPER_TEST_OPA_URL` names; `opa run --server` with the program that
`LLAMA_MAPPER_TEST_OPA` names or that is on the PATH; else OPA's own compiler and evaluator, from a wheel that carries
them as a shared library, behind the few REST calls of `opa_library_server.py`. The last one is not the real server: it
proves what OPA makes of the policies that are sent to it, and not the server's HTTP. Where the wheel cannot be had
either, tests are skipped and say so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.support.servers import free_port

_WHEEL = "opa-golib-python-bindings==0.4.4"
_SHA256 = "d411c901e14b8c7c3023e23e4a944f4cf429c1d31baf80e959e57d11efbfd24a"
_PLATFORMS = ("manylinux_2_34_x86_64",)
_LIBRARY = "opa_bindings/libopabridge.so"
_START_S = 60.0


@dataclass(slots=True)
class PolicyServer:
    """A server and what it is: `real` is OPA itself. `command` is None for one that is not ours to stop."""

    url: str
    real: bool
    command: list[str] | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, on its port."""
        if self.command is None:
            return
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if httpx2.get(f"{self.url}/health", trust_env=False).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError("the policy server did not start")

    def stop(self) -> None:
        """End it; what was in it is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def policy_server() -> Iterator[PolicyServer]:
    """A running server; skip if there is none to run."""
    if url := os.environ.get("LLAMA_MAPPER_TEST_OPA_URL"):
        yield PolicyServer(url, real=True)
        return
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    if program := os.environ.get("LLAMA_MAPPER_TEST_OPA") or shutil.which("opa"):
        server = PolicyServer(url, True, [program, "run", "--server", "--addr", f"127.0.0.1:{port}"])
    else:
        face = Path(__file__).with_name("opa_library_server.py")
        server = PolicyServer(url, False, [sys.executable, str(face), str(_library()), str(port)])
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _library() -> Path:
    """The library, from the cache or the package index; its wheel wants a newer Python for its own modules only."""
    folder = Path(tempfile.gettempdir()) / f"llama-mapper-test-opa-{os.getuid()}-{_SHA256[:16]}"
    library = folder / _LIBRARY
    if library.is_file():
        return library
    with tempfile.TemporaryDirectory() as fetched:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        target = ["--ignore-requires-python", "--python-version=3.14", *(f"--platform={one}" for one in _PLATFORMS)]
        try:
            subprocess.run([*pip, *target, "-d", fetched, _WHEEL], check=True, capture_output=True, timeout=120)
            [wheel] = Path(fetched).glob("*.whl")
        except (OSError, ValueError, subprocess.SubprocessError):
            pytest.skip(
                f"no OPA: set LLAMA_MAPPER_TEST_OPA_URL, or put opa on the PATH, or make {_WHEEL} available to pip"
            )
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != _SHA256:
            raise RuntimeError(f"{_WHEEL} is not the wheel that was pinned")
        with tempfile.TemporaryDirectory(dir=tempfile.gettempdir()) as unpacked, zipfile.ZipFile(wheel) as archive:
            found = archive.extract(_LIBRARY, unpacked)
            library.parent.mkdir(parents=True, exist_ok=True)
            Path(found).replace(library)
    return library
