"""Training as a job of a real server that is killed in the middle: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from tests.models.training_runs import losses
from tests.support.servers import Server, free_port, run_cli, starting, wait_until_loaded

PATH = "/v1/training/jobs"
ASKED = {
    "kind": "mapper",
    "base_model": "tiny",
    "hyperparameters": {
        "steps": 12, "batch_size": 4, "accumulation": 4, "max_tokens": 4096, "evaluate_every": 4, "save_every": 2,
        "patience": 0, "validation_limit": 2, "test_limit": 2, "learning_rate": 0.01,
    },
    "data": {"options": 3, "variants": 0},
}  # fmt: skip


def until(server: Server, job_id: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    ends = time.monotonic() + 240
    with server.client() as client:
        while True:
            job: dict[str, Any] = client.get(f"{PATH}/{job_id}").raise_for_status().json()
            if met(job):
                return job
            assert job["ended_at"] is None, job
            assert time.monotonic() < ends, job
            time.sleep(0.1)


def test_a_job_survives_the_death_of_its_server(models_python: Path, tiny_llama: Path, tmp_path: Path) -> None:
    environment = {
        "LLAMA_MAPPER_TRAINING_PYTHON": str(models_python),
        "LLAMA_MAPPER_TRAINING_BASE_MODELS": json.dumps({"tiny": str(tiny_llama)}),
        "LLAMA_MAPPER_DETECTOR_WORKERS": "0",
        "LLAMA_MAPPER_JOB_LEASE_S": "3",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
    port = free_port()
    with starting(tmp_path, (), environment, port) as server:
        wait_until_loaded(server, loaded=False)
        with server.client() as client:
            answer = client.post(PATH, json=ASKED)
            assert answer.status_code == 202, answer.text
        job_id = answer.json()["id"]
        until(server, job_id, lambda job: job["progress"]["step"] >= 3)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with starting(tmp_path, (), environment, port) as server:
        wait_until_loaded(server, loaded=False)
        job = until(server, job_id, lambda job: job["status"] == "registered")
        assert job["attempts"] == 2
        assert job["progress"]["step"] == 12
        assert job["metrics"]["examples"] == 2.0
        shown = run_cli("train", "jobs", "show", job_id, "--url", server.url, "--json")
        assert json.loads(shown.stdout) == job
        with server.client() as client:
            assert client.delete(f"{PATH}/{job_id}").json()["status"] == "registered"
            assert isinstance(client.get(f"{PATH}/{job_id}/logs").json()["lines"], list)
            cancelled_at_once(server, client)
    run = tmp_path / "data" / "training" / "local" / job_id
    rows = losses(run)
    assert [step for kind, step, _ in rows if kind == "train"] == list(range(1, 13)), "each step once"
    assert [step for kind, step, _ in rows if kind == "validation"] == [4, 8, 12]
    name, version = str(job["model"]).split("@")
    pulled = tmp_path / "pulled"
    pull = run_cli("models", "pull", name, version, pulled, "--tenant", "local", "--data-dir", tmp_path / "data")
    assert pull.returncode == 0, pull.stderr
    assert {"adapter_model.safetensors", "adapter_config.json"} <= {path.name for path in pulled.iterdir()}


def cancelled_at_once(server: Server, client: httpx2.Client) -> None:
    job_id = client.post(PATH, json=ASKED).json()["id"]
    until(server, job_id, lambda job: job["status"] == "running")
    began = time.monotonic()
    answer = client.delete(f"{PATH}/{job_id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert time.monotonic() - began < 20
