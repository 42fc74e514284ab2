"""Every promise is put to every object store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llama_mapper.domain.kernel.objects import ObjectStore
from tests.support.loops import LoopThread
from tests.support.object_places import PART, AzurePlace, FolderPlace, ObjectPlace, S3Place
from tests.support.object_servers import azurite, azurite_modules, s3

__all__ = ["azurite", "azurite_modules", "s3"]


@pytest.fixture(params=["folder", "s3", "azure"], scope="package")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ObjectPlace:
    """The three in turn."""
    match request.param:
        case "folder":
            return FolderPlace(tmp_path_factory.mktemp("objects"))
        case "s3":
            return S3Place(request.getfixturevalue("s3"))
        case _:
            return AzurePlace(request.getfixturevalue("azurite"))


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """A loop for state machines."""
    loop = LoopThread()
    yield loop
    loop.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """An empty store, and where it is."""

    store: ObjectStore
    place: ObjectPlace
    name: str


@pytest.fixture
async def opened(place: ObjectPlace) -> AsyncIterator[Opened]:
    """An empty store."""
    name = await place.fresh()
    store = place.open(name)
    yield Opened(store, place, name)
    await store.close()


@pytest.fixture
def store(opened: Opened) -> ObjectStore:
    """The same without its place."""
    return opened.store


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of several parts."""
    path = tmp_path / "big"
    with path.open("wb") as file:
        for number in range(3):
            file.write(bytes([number]) * PART)
        file.write(b"the end")
    return path
