"""The product as real processes on loopback, for tests through its doors."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
LOG, GREETING = "log.jsonl", "greeting.txt"
PROGRAM = Path(sys.executable).with_name("llama-mapper")
_FIRST_PORT, _PORTS = 20_000, 12_000


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it answers, where it keeps its data, what it logged, and its process."""

    url: str
    data_dir: Path
    output: Path
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def client(self, **options: object) -> httpx2.Client:
        """A client of it."""
        return httpx2.Client(base_url=self.url, timeout=60.0, trust_env=False, **options)  # type: ignore[arg-type]


def free_port(in_a_row: int = 1) -> int:
    """The first of so many ports of 127.0.0.1 in a row that nobody uses.

    They lie below those that systems give to outgoing connections (32768 and up), which come and go meanwhile. No two
    workers of one run draw from the same ports, since a port that is free stays so until its server has started.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = _PORTS // workers
    while True:
        first = _FIRST_PORT + worker * share + random.randrange(share - in_a_row)
        with ExitStack() as stack:
            try:
                for port in range(first, first + in_a_row):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def run_cli(
    *arguments: object, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line to its end."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        input=stdin,
        env=_environment(environment or {}),
        capture_output=True,
        timeout=180,
        check=False,
    )


@contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """`llama-mapper serve`, ready and with all detectors loaded."""
    with starting(folder, arguments, environment) as server:
        wait_until_loaded(server)
        yield server


@contextmanager
def starting(
    folder: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    port: int | None = None,
    program: Sequence[object] = (PROGRAM,),
) -> Iterator[Server]:
    """`llama-mapper serve`, just begun; wait for it with `wait_until_loaded`. `program` is what serves in its place."""
    port = port or free_port()
    command = [*program, "serve", "--port", str(port), "--data-dir", folder / "data", *arguments]
    with _running(command, folder, environment) as process:
        yield Server(f"http://127.0.0.1:{port}", folder / "data", folder / LOG, process)


@contextmanager
def serving_split(folder: Path, **environment: str) -> Iterator[Server]:
    """The three contexts as three processes; the front door, ready and with all detectors loaded."""
    port = free_port(in_a_row=3)
    command = [sys.executable, ROOT / "deploy" / "run_split.py", "--port", str(port), "--data-dir", folder / "data"]
    with _running(command, folder, environment) as process:
        server = Server(f"http://127.0.0.1:{port}", folder / "data", folder / LOG, process)
        wait_until_loaded(server)
        yield server


def wait_until_loaded(server: Server, limit_s: float = 90.0, *, loaded: bool = True) -> None:
    """Wait until every dependency is ready and, unless `loaded` is false, every detector too."""
    until = time.monotonic() + limit_s
    state = "no answer"
    with server.client() as client:
        while time.monotonic() < until and server.process.poll() is None:
            try:
                answer = client.get("/readyz")
                state = answer.text
                if answer.status_code == 200 and not (loaded and answer.json()["notes"]):
                    return
            except httpx2.HTTPError as error:
                state = type(error).__name__
            time.sleep(0.05)
    raise AssertionError(f"the server did not become ready: {state}; {server.output.read_text()[-2000:]}")


@contextmanager
def _running(command: list[object], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / GREETING).open("wb") as greeting, (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=_environment(environment), stdout=greeting, stderr=log
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_MAPPER_")}
    return kept | dict(changes)
