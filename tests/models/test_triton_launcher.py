"""The program behind `make triton`, and versions of a model, with models that need no torch."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.generation.triton_generation import TritonModel
from llama_mapper.adapters.mapping.generation.triton_models import TritonModels
from tests.contract.generation.contract import ENOUGH_S, asking, good
from tests.models.test_triton_faults import ODD_MODELS
from tests.models.test_triton_generation import generating
from tests.support.models import environment_of_models
from tests.support.servers import free_port
from tests.support.triton import LAUNCHER, TritonServer

OWN = ("--models", "own", "--repository", ODD_MODELS)


def processes_of(folder: Path) -> list[str]:
    """Command lines that name a folder, but for the launcher's own."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(folder) in line and "launch.py" not in line:
            found.append(line)
    return found


def backends(python: Path) -> list[tuple[str, float]]:
    """Every file of the wheel's backends, with its time."""
    folder = python.parents[1] / "lib/python3.11/site-packages/pytriton/tritonserver/backends"
    return sorted((str(path), path.lstat().st_mtime) for path in folder.rglob("*.so"))


def test_it_stops_in_order_and_leaves_neither_process_nor_port_nor_trace(models_python: Path, tmp_path: Path) -> None:
    before = backends(models_python)
    server = TritonServer(models_python, tmp_path, *OWN)
    server.start()
    assert any("triton_python_backend_stub" in line for line in processes_of(tmp_path))
    server.stop()
    assert processes_of(tmp_path) == []
    assert backends(models_python) == before != []
    for port in range(server.port, server.port + 3):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))


def test_it_tells_the_ports_and_a_command_that_can_be_tried(models_python: Path, tmp_path: Path) -> None:
    with TritonServer(models_python, tmp_path, *OWN, "--load", "plain") as server:
        told = server.log()
        assert f"127.0.0.1:{server.port}" in told
        assert f"127.0.0.1:{server.port + 1}" in told
        (line,) = [line for line in told.splitlines() if line.strip().startswith("curl")]
        command = line.strip().replace("llama3_mapper", "plain")
        done = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=True)
        assert int(json.loads(done.stdout)["text_output"]) > 10


def test_a_port_in_use_is_said_so(models_python: Path, tmp_path: Path) -> None:
    port = free_port(in_a_row=3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 2))
        taken.listen()
        command = [models_python, LAUNCHER, *OWN, "--port", port, "--port-limit", "0.2", "--folder", tmp_path / "run"]
        done = subprocess.run(
            [str(part) for part in command], env=environment_of_models(), capture_output=True, text=True, timeout=60
        )
    assert done.returncode != 0
    assert str(port + 2) in done.stderr


def test_weights_that_are_not_there_fail_the_start_and_are_named(models_python: Path, tmp_path: Path) -> None:
    arguments = ("--models", "tiny", "--load", "llama3_mapper", "--set", "llama3_mapper.weights=/no/such/weights")
    server = TritonServer(models_python, tmp_path, *arguments)
    with pytest.raises(RuntimeError, match="no weights at /no/such/weights"):
        server.start()


async def test_a_newer_version_in_the_repository_answers_once_it_is_loaded(models_python: Path, tmp_path: Path) -> None:
    with TritonServer(models_python, tmp_path, *OWN, "--load", "plain") as server:
        models = TritonModels(server.address)
        async with generating(TritonModel(server.address, "plain")) as plain:
            assert await plain.model_version() == "1"
            shutil.copytree(server.repository / "plain" / "1", server.repository / "plain" / "2")
            code = (server.repository / "plain" / "2" / "model.py").read_text().replace("str(len(text))", '"second"')
            (server.repository / "plain" / "2" / "model.py").write_text(code)
            await models.load("plain")
            assert await plain.model_version() == "2"
            (answer,) = await plain.generate([asking(schema=None)], within_s=ENOUGH_S)
            assert good(answer).text == "second"
            states = {each.version: each.ready for each in await models.index() if each.name == "plain"}
            assert states["2"]
            assert not states.get("1", False)
        await models.close()
