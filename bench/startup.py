"""Import time, time to ready and memory at rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.statistics_of import quantile, show, verdict


async def run() -> None:
    """Each in fresh processes, against a bare interpreter."""
    bare = _seconds("pass")
    imported = _seconds("import llama_mapper")
    door = _seconds("from llama_mapper import LlamaMapper")
    show("import llama_mapper", f"{(imported - bare) * 1e3:.0f} ms", verdict((imported - bare) * 1e3, 150))
    show(
        "from llama_mapper import LlamaMapper", f"{(door - bare) * 1e3:.0f} ms", f"bare interpreter {bare * 1e3:.0f} ms"
    )
    _server("no detectors", {"LLAMA_MAPPER_DETECTOR_WORKERS": "0"}, wait_for_detectors=False)
    _server("all detectors", {}, wait_for_detectors=True)


def _seconds(code: str, rounds: int = 7) -> float:
    samples = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        samples.append(time.perf_counter() - started)
    return quantile(samples, 0.5)


def _server(name: str, environment: dict[str, str], *, wait_for_detectors: bool, port: int = 18090) -> None:
    command = [str(Path(sys.executable).with_name("llama-mapper")), "serve", "--port", str(port), "--data-dir"]
    with tempfile.TemporaryDirectory() as folder:
        for attempt in ("first start", "second start"):
            started = time.perf_counter()
            process = subprocess.Popen(
                [*command, folder], env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                _wait(port, process, lambda body: True)
                ready = time.perf_counter() - started
                show(f"monolith ready, {name}, {attempt}", f"{ready:.2f} s", verdict(ready, 3.0))
                if wait_for_detectors:
                    _wait(port, process, lambda body: "loading" not in body)
                    show("all detector models loaded", f"{time.perf_counter() - started:.2f} s")
                time.sleep(1.0)
                resident = _resident_mb(process.pid)
                budget = (verdict(resident, 120),) if not wait_for_detectors else ()
                show(f"memory at rest, server process, {name}", f"{resident:.0f} MB", *budget)
                if wait_for_detectors:
                    show("memory at rest, detector worker", f"{_children_mb(process.pid):.0f} MB")
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)


def _wait(port: int, process: subprocess.Popen[bytes], enough: object, limit_s: float = 90.0) -> None:
    until = time.perf_counter() + limit_s
    while time.perf_counter() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if callable(enough) and enough(answer.read().decode()):
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.02)
    raise RuntimeError("the server did not become ready")


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _children_mb(pid: int) -> float:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_resident_mb(int(child)) for child in children)
