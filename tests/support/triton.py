"""The real tritonserver for tests, as deploy/triton/launch.py starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
from tests.support.models import environment_of_models
from tests.support.servers import ROOT, free_port

LAUNCHER = ROOT / "deploy" / "triton" / "launch.py"


class TritonServer:
    """A server on loopback, with its models loaded. One that was killed is started again on the same ports."""

    def __init__(self, python: Path, folder: Path, *arguments: object) -> None:
        self.port = free_port(in_a_row=3)
        self.address = TritonAddress(f"127.0.0.1:{self.port + 1}")
        self._command = [python, LAUNCHER, "--port", self.port, *arguments]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def metrics(self) -> str:
        """Where Prometheus would read."""
        return f"http://127.0.0.1:{self.port + 2}/metrics"

    def __enter__(self) -> TritonServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def repository(self) -> Path:
        """The copy of the model repository that this start reads."""
        return self._run / "repository"

    def start(self, limit_s: float = 240.0) -> None:
        """Start, and wait until everything is loaded."""
        self._starts += 1
        self._run.mkdir(parents=True)
        command = [
            str(part) for part in (*self._command, "--folder", self._run, "--start-limit", limit_s, "--exit-limit", 1)
        ]
        with (self._folder / "triton.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment_of_models(), stdout=log, stderr=log)
        until = time.monotonic() + limit_s + 30
        while not (self._run / "running.json").exists():
            if time.monotonic() > until or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(self.log()[-4000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def kill(self) -> None:
        """End the server without a word."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(timeout=60)
        self._process = None

    def hang(self) -> None:
        """Make it hold its connections and answer nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """End `hang`."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The process of tritonserver itself."""
        running: dict[str, int] = json.loads((self._run / "running.json").read_text())
        return running["pid"]

    def log(self) -> str:
        """What all starts wrote."""
        return (self._folder / "triton.log").read_text()

    @property
    def _run(self) -> Path:
        return self._folder / f"run{self._starts}"
