"""`llama-mapper serve` starts as told or says in one line why not, and stops without losing anything."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import pytest

from tests.e2e.conftest import FEW_DETECTORS, Guarded
from tests.support.servers import PROGRAM, run_cli, serving


def refusal(*arguments: object, **environment: str) -> str:
    """The one line that a start which is refused ends with."""
    run = run_cli("serve", *arguments, environment=environment)
    assert run.returncode == 2, (run.returncode, run.stderr)
    [line] = run.stderr.decode().splitlines()
    assert line.startswith("llama-mapper: ")
    return line


def test_without_a_key_it_does_not_listen_to_the_network(tmp_path: Path) -> None:
    line = refusal("--host", "0.0.0.0", "--port", 0, "--data-dir", tmp_path, LLAMA_MAPPER_DETECTOR_WORKERS="0")
    assert "CONFIGURATION_INVALID" in line
    assert "llama-mapper keys create" in line, "what to do"


def test_with_a_key_it_listens_to_the_network(guarded: Guarded) -> None:
    with guarded.server.client(headers={"host": "mapper.example.com", "x-api-key": guarded.alpha}) as client:
        assert client.get("/v1/detectors").status_code == 200


def test_the_front_door_alone_names_what_it_lacks(tmp_path: Path) -> None:
    line = refusal("--context", "orchestration", "--port", 0, "--data-dir", tmp_path)
    assert "CONFIGURATION_INVALID" in line
    assert "LLAMA_MAPPER_ANALYSIS_URL" in line
    assert "LLAMA_MAPPER_MAPPING_URL" in line


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refusal("--context", "mapping", "--port", port, "--data-dir", tmp_path)
    assert "CONFIGURATION_INVALID" in line
    assert f"127.0.0.1:{port}" in line
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    line = refusal("--context", "mapping", "--port", 0, "--data-dir", tmp_path / "data")
    assert "CONFIGURATION_INVALID" in line
    assert str(tmp_path / "data") in line


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o555)
    command: list[str | Path] = [PROGRAM, "serve", "--context", "mapping", "--port", "0", "--data-dir", folder]
    if os.geteuid() == 0:  # who may write everywhere, unless that is taken away
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv to take that away")
        command = ["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override", *command]
    run = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert run.returncode == 2
    [line] = run.stderr.decode().splitlines()
    assert "CONFIGURATION_INVALID" in line
    assert str(folder) in line


def test_a_database_that_is_not_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "mapping.db").write_bytes(b"not a database, " * 100)
    line = refusal("--context", "mapping", "--port", 0, "--data-dir", tmp_path)
    assert "STORE_UNAVAILABLE" in line
    assert str(tmp_path / "mapping.db") in line


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_losing_what_was_answered(tmp_path: Path, ending: signal.Signals) -> None:
    answered: list[tuple[str, str]] = []
    strange: list[object] = []
    signalled = threading.Event()

    def ask(url: str) -> None:
        with httpx2.Client(base_url=url, timeout=30.0, trust_env=False) as client:
            while True:
                try:
                    answer = client.post("/v1/assessments", json={"content": "I will kill you tonight"})
                except httpx2.TransportError as error:
                    if not signalled.is_set():
                        strange.append(error)
                    return
                if answer.status_code not in (200, 206):
                    strange.append(answer.text)
                    return
                answered.append((answer.json()["id"], answer.json()["orchestration"]["request_id"]))

    with serving(tmp_path, LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as server:
        askers = [threading.Thread(target=ask, args=(server.url,)) for _ in range(3)]
        for asker in askers:
            asker.start()
        until = time.monotonic() + 20
        while len(answered) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        signalled.set()
        server.process.send_signal(ending)
        assert server.process.wait(timeout=10) == 0
        for asker in askers:
            asker.join(timeout=10)
    assert strange == []
    assert len(answered) >= 20
    with sqlite3.connect(server.data_dir / "assessment.db") as database:
        stored = {row[0] for row in database.execute("SELECT id FROM assessments")}
    with sqlite3.connect(server.data_dir / "analysis.db") as database:
        remembered = {row[0] for row in database.execute("SELECT request_id FROM finding_history")}
    assert {assessment for assessment, _ in answered} <= stored
    assert {request for _, request in answered} <= remembered
    assert b"Traceback" not in server.output.read_bytes()
