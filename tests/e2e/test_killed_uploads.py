"""A model's registration that is killed or runs out of room: nothing lost, nothing doubled, nothing half there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_mapper.domain.kernel.objects import ObjectStore
from llama_mapper.entrypoints.cli.main import app
from tests.support.object_places import AzurePlace, FolderPlace, ObjectPlace, S3Place
from tests.support.object_servers import azurite, azurite_modules, s3
from tests.support.registered_models import lora_folder, safetensors
from tests.support.servers import ROOT

__all__ = ["azurite", "azurite_modules", "s3"]
NAME, VERSION = "llama3_mapper", "1.0.0"
LARGE_FILE = "adapter_first.safetensors"
LARGE = 36 * 1024 * 1024
"""Bytes of a file that every store takes in at least three parts."""


@pytest.fixture(scope="module", params=["folder", "s3", "azure"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ObjectPlace:
    """The three object stores in turn."""
    match request.param:
        case "folder":
            return FolderPlace(tmp_path_factory.mktemp("objects"))
        case "s3":
            return S3Place(request.getfixturevalue("s3"))
        case _:
            return AzurePlace(request.getfixturevalue("azurite"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a large file; it is uploaded after one and before another."""
    made = lora_folder(tmp_path_factory.mktemp("model") / "lora")
    (made / LARGE_FILE).write_bytes(safetensors({"w": ("U8", [LARGE], bytes(LARGE))}))
    return made


class Installation:
    """A folder of data, and an object store."""

    def __init__(self, data: Path, place: ObjectPlace) -> None:
        self.data, self.place = data, place
        self.name = asyncio.run(place.fresh())
        self.settings = place.environment(self.name)

    def models(self, *arguments: object) -> Any:
        """What a command about models prints."""
        command = ["models", *map(str, arguments), "--json", "--data-dir", str(self.data)]
        ran = CliRunner().invoke(app, command, env=self.settings)
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return json.loads(ran.stdout)

    def register(self, folder: Path) -> Any:
        """The registration of `folder`."""
        return self.models("register", folder, "--name", NAME, "--version", VERSION)

    def begun(self, point: str, folder: Path) -> subprocess.Popen[bytes]:
        """The same in a process of its own that comes to a halt at `point`."""
        arguments = ("models", "register", folder, "--name", NAME, "--version", VERSION, "--data-dir", self.data)
        command = [sys.executable, "-m", "tests.support.upload_program", point, *map(str, arguments)]
        environment = os.environ | self.settings
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def files(self) -> list[str]:
        """Paths in the model of what is in the object store."""

        async def found(store: ObjectStore) -> list[str]:
            return sorted([entry.key.rsplit("/", 1)[1] async for entry in store.entries()])

        return self._asked(found)

    def cut_off(self) -> list[str]:
        """The same of uploads that have not ended and of which something is there."""

        async def found(store: ObjectStore) -> list[str]:
            left = [each.key async for each in store.unfinished()]
            return [key.rsplit("/", 1)[1] for key in left if await self.place.staged(self.name, key) >= 1]

        return self._asked(found)

    def _asked(self, look: Callable[[ObjectStore], Awaitable[list[str]]]) -> list[str]:
        async def run() -> list[str]:
            store = self.place.open(self.name)
            try:
                return await look(store)
            finally:
                await store.close()

        return asyncio.run(run())

    def registered(self) -> list[str]:
        """The versions that the registry has, each of which is whole."""
        if not self.models("list")["items"]:
            return []
        versions = [each["version"] for each in self.models("list", NAME)["items"]]
        assert all(self.models("verify", NAME, version)["sound"] for version in versions)
        return versions


@pytest.fixture
def installation(place: ObjectPlace, tmp_path: Path) -> Installation:
    """An empty one."""
    return Installation(tmp_path / "data", place)


def killed_at(installation: Installation, point: str, folder: Path) -> None:
    """Kill the registration there; in mid-upload, when the store has something of the file."""
    with installation.begun(point, folder) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            if process.stdout.readline().decode().strip() != point:
                raise AssertionError(process.stderr.read().decode()[-2000:])
            until = time.monotonic() + 60
            while point == "part" and not installation.cut_off():
                assert time.monotonic() < until, "nothing of the file came to the store"
                time.sleep(0.02)
        finally:
            process.kill()


def finished_once(installation: Installation, folder: Path) -> None:
    """Running the registration again leaves what it would have left at once."""
    made = installation.register(folder)
    assert made["version"] == VERSION
    assert installation.registered() == [VERSION]
    assert [each["step"] for each in installation.models("history", NAME)["items"]] == ["registered"]
    assert installation.files() == sorted(each["path"] for each in made["manifest"]["artifacts"])


@pytest.mark.parametrize("point", ["part", "file"])
def test_a_registration_killed_in_mid_upload_is_not_there_and_is_finished_by_running_it_again(
    installation: Installation, folder: Path, point: str
) -> None:
    killed_at(installation, point, folder)
    assert LARGE_FILE not in installation.files()
    assert len(installation.files()) == 1
    assert installation.cut_off() == ([LARGE_FILE] if point == "part" else [])
    assert installation.registered() == []
    finished_once(installation, folder)
    if installation.place.kind != "folder":  # which does not go on with another process's file
        assert installation.cut_off() == []


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("point", "versions"), [("record", []), ("transaction", []), ("registered", [VERSION])], ids=str
)
def test_a_registration_killed_after_its_uploads_is_there_whole_or_not_at_all_and_never_twice(
    installation: Installation, folder: Path, point: str, versions: list[str]
) -> None:
    killed_at(installation, point, folder)
    assert installation.registered() == versions
    finished_once(installation, folder)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_a_disk_that_fills_up_is_told_and_when_there_is_room_the_registration_is_finished(
    installation: Installation, folder: Path
) -> None:
    with installation.begun("full", folder) as process:
        _, told = process.communicate(timeout=120)
    assert process.returncode == 2
    assert b"STORE_UNAVAILABLE" in told
    assert b"too large" in told
    assert LARGE_FILE not in installation.files()
    assert installation.cut_off() == []
    assert installation.registered() == []
    finished_once(installation, folder)
