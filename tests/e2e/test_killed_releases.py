"""A server that is killed while it takes a step of a release: the step is taken or not, and never twice."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llama_mapper.adapters.mapping.sql_releases import SqlReleases
from llama_mapper.domain.mapping.releases.tally import Tally
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.settings import Settings
from tests.support.servers import PROGRAM, ROOT, Server, starting, wait_until_loaded

DYING = (sys.executable, "-P", ROOT / "tests" / "support" / "dying_server.py")
ENVIRONMENT = {"LLAMA_MAPPER_DETECTOR_WORKERS": "0", "LLAMA_MAPPER_RELEASE_INTERVAL_S": "0.1"}
PLAN = {
    "kind": "strategy",
    "baseline": "cascade",
    "candidate": "model-first",
    "evaluation": {"digest": "sha256:" + "b" * 64, "figures": {"level2_accuracy": 0.9}},
    "min_seconds": 0.0,
    "min_requests": 5,
}
DIES_BY_ITSELF = ("advanced", "after")
"""A server that finds a step to take which was lost may die before it is ready."""

Steps = list[tuple[str, str]]


@contextmanager
def served(folder: Path, *dies: str) -> Iterator[Server]:
    """A server on the same data as the one before; `dies` are step and moment of its death."""
    with starting(folder, (), ENVIRONMENT, program=(*DYING, *dies) if dies else (PROGRAM,)) as server:
        if dies != DIES_BY_ITSELF:
            wait_until_loaded(server, loaded=False)
        yield server


def killed(server: Server) -> None:
    assert server.process.wait(timeout=60) == -signal.SIGKILL, server.output.read_text()[-2000:]


def count_for_the_candidate(server: Server, release_id: str) -> None:
    """What another process would have counted: enough for the next stage."""

    async def write() -> None:
        async with open_database(database_for(Settings.load(data_dir=server.data_dir), "mapping")) as database:
            counted = {(release_id, "candidate"): Tally(requests=5, labels=5)}
            await SqlReleases(database).count("another process", time.time_ns(), counted)

    asyncio.run(write())


def standing(client: httpx2.Client, release_id: str) -> tuple[str, int, Steps]:
    """State, stage, and every step with who took it."""
    shown: dict[str, Any] = client.get(f"/v1/releases/{release_id}").raise_for_status().json()
    history = client.get(f"/v1/releases/{release_id}/history").raise_for_status().json()["items"]
    return shown["state"], shown["stage"], [(each["step"], each["door"]) for each in history]


def test_a_canary_whose_server_is_killed_at_every_step_loses_none_and_takes_none_twice(tmp_path: Path) -> None:
    begun: Steps = [("started", "http")]
    advanced: Steps = [*begun, ("advanced", "controller")]
    with served(tmp_path, "advanced", "within") as server, server.client() as client:
        release_id = client.post("/v1/releases", json=PLAN).raise_for_status().json()["id"]
        assert standing(client, release_id) == ("running", 0, begun)
        count_for_the_candidate(server, release_id)
        killed(server)
    with served(tmp_path, *DIES_BY_ITSELF) as server:
        killed(server)
    with served(tmp_path, "rolled_back", "within") as server, server.client() as client:
        assert standing(client, release_id) == ("running", 1, advanced)
        with pytest.raises(httpx2.TransportError):
            client.post(f"/v1/releases/{release_id}:rollback", json={"note": "no"})
        killed(server)
    with served(tmp_path, "rolled_back", "after") as server, server.client() as client:
        assert standing(client, release_id) == ("running", 1, advanced)
        with pytest.raises(httpx2.TransportError):
            client.post(f"/v1/releases/{release_id}:rollback", json={"note": "no"})
        killed(server)
    with served(tmp_path) as server, server.client() as client:
        ended = ("rolled_back", 1, [*advanced, ("rolled_back", "http")])
        assert standing(client, release_id) == ended
        again = client.post(f"/v1/releases/{release_id}:rollback", json={"note": "no"})
        assert (again.status_code, again.json()["code"]) == (409, "RELEASE_STATE")
        assert standing(client, release_id) == ended
        assert client.post("/v1/releases", json=PLAN).status_code == 201, "the next one may begin"
