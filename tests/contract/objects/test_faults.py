"""What goes wrong with stores is told in one way, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llama_mapper.adapters.platform.objects.azure_blob_objects import AzureBlobObjects, AzureContainer
from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects
from llama_mapper.adapters.platform.objects.s3_objects import S3Bucket, S3Objects
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.kernel.objects import ObjectStore
from tests.support.object_places import PART, S3Place
from tests.support.object_servers import AZURITE_KEY, azure_connection, azure_server, running, s3_server

EMPTY = hashlib.sha256(b"").hexdigest()


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def failures(store: ObjectStore, big: Path, tmp_path: Path) -> list[StoreError]:
    """What each method raises."""

    async def drain() -> None:
        async for _ in store.read("a"):
            pass

    async def listed() -> None:
        async for _ in store.entries():
            pass

    found = []
    sha256 = hashlib.sha256(big.read_bytes()).hexdigest()
    for attempt in (
        store.put("a", nothing(), EMPTY),
        store.put("a", big, sha256, replace=True),
        store.head("a"),
        store.delete("a"),
        store.fetch("a", tmp_path / "x"),
        store.ping(),
        drain(),
        listed(),
    ):
        with pytest.raises(StoreError) as raised:
            await attempt
        assert raised.value.error_code is ErrorCode.STORE_UNAVAILABLE
        found.append(raised.value)
    return found


async def test_s3_away_is_unavailable_and_back_again_it_goes_on(tmp_path: Path, big: Path) -> None:
    with running(s3_server(tmp_path)) as server:
        place = S3Place(server.port)
        store = S3Objects(place.bucket(await place.fresh()), part_size=PART, timeout_s=2)
        await store.put("a", nothing(), EMPTY)
        server.kill()
        assert all(error.retryable for error in await failures(store, big, tmp_path))
        server.start()  # with nothing of what it had
        with pytest.raises(StoreError, match="no bucket"):
            await store.put("a", nothing(), EMPTY)
        await store.close()
        await store.close()


async def test_azure_away_is_unavailable_and_back_again_it_goes_on(
    tmp_path: Path, big: Path, azurite_modules: Path
) -> None:
    with running(azure_server(tmp_path, azurite_modules)) as server:
        store = AzureBlobObjects(AzureContainer(azure_connection(server.port), "models"), timeout_s=2)
        with pytest.raises(StoreError, match="no container 'models'"):
            await store.put("a", nothing(), EMPTY)
        server.kill()
        assert all(error.retryable for error in await failures(store, big, tmp_path))
        server.start()
        with pytest.raises(StoreError, match="no container 'models'"):
            await store.ping()
        await store.close()
        await store.close()


async def test_credentials_that_s3_refuses_are_named(tmp_path: Path, big: Path) -> None:
    with running(s3_server(tmp_path, INITIAL_NO_AUTH_ACTION_COUNT="0")) as server:
        store = S3Objects(S3Place(server.port, access_key="nobody").bucket("bucket"), part_size=PART)
        for error in await failures(store, big, tmp_path):
            assert "refused the credentials" in error.message
            assert not error.retryable
        await store.close()


async def test_credentials_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = S3Objects(S3Bucket("bucket", endpoint_url="http://127.0.0.1:9", region="us-east-1"))
    with pytest.raises(StoreError, match="credentials are not there"):
        await store.head("a")
    await store.close()


async def test_credentials_that_azure_refuses_are_named(azurite: int, tmp_path: Path, big: Path) -> None:
    wrong = azure_connection(azurite, "AAAA" + AZURITE_KEY[4:])
    store = AzureBlobObjects(AzureContainer(wrong, "models"))
    for error in await failures(store, big, tmp_path):
        assert "refused the credentials" in error.message
        assert not error.retryable
    await store.close()


async def test_a_connection_string_that_is_none_is_named_and_not_quoted() -> None:
    store = AzureBlobObjects(AzureContainer("AccountKey=secret", "models"))
    with pytest.raises(StoreError, match="connection string") as raised:
        await store.ping()
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


FULL = """
import asyncio, hashlib, resource, signal, sys
from pathlib import Path
from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects
from llama_mapper.domain.kernel.errors import StoreError

async def content(size):
    yield b"x" * size

async def main():
    store = FolderObjects(Path(sys.argv[1]))
    await store.put("kept", content(10), hashlib.sha256(b"x" * 10).hexdigest())
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        await store.put("large", content(200_000), hashlib.sha256(b"x" * 200_000).hexdigest())
    except StoreError as error:
        print(error.error_code.value, error.message)
    print([entry.key async for entry in store.entries()], [each async for each in store.unfinished()])
    await store.put("small", content(10), hashlib.sha256(b"x" * 10).hexdigest())

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    # The system's limit of a file's size stands in for a full disk: the write fails half-way in the same manner.
    ran = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "objects"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told, listed = ran.stdout.splitlines()
    assert told.startswith("STORE_UNAVAILABLE")
    assert "too large" in told
    assert listed == "['kept'] []"


async def test_a_folder_that_cannot_be_is_named(tmp_path: Path, big: Path) -> None:
    (tmp_path / "file").touch()
    store = FolderObjects(tmp_path / "file")
    for attempt in (store.put("a", nothing(), EMPTY), store.ping()):
        with pytest.raises(StoreError, match="cannot be used"):
            await attempt


async def test_a_record_that_is_garbage_is_corrupted_and_can_be_replaced(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    await store.put("a", nothing(), EMPTY)
    (tmp_path / "a" / ".object.json").write_text("{")
    with pytest.raises(ServiceError) as raised:
        await store.head("a")
    assert raised.value.error_code is ErrorCode.ARTIFACT_CORRUPTED
