"""How large objects reach the stores of others: in parts, and a part that is there is not sent again."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.platform.objects.azure_blob_objects import AzureBlobObjects
from llama_mapper.adapters.platform.objects.s3_objects import S3Objects
from tests.support.object_places import IMPORTS, PART, AzurePlace, FolderPlace, ObjectPlace, S3Place, s3_client


class Cut(Exception):
    """The upload ends here."""


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def cut_after(path: Path, size: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        yield file.read(size)
        await asyncio.sleep(0.5)  # what was given is on its way
        raise Cut


class CountingS3(S3Objects):
    """Counts what it asks of the server."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked: list[str] = []

    async def _do(self, operation: str, **arguments: Any) -> Any:
        self.asked.append(operation)
        return await super()._do(operation, **arguments)


@pytest.fixture
async def s3_place(s3: int) -> AsyncIterator[tuple[CountingS3, S3Place, str]]:
    place = S3Place(s3)
    name = await place.fresh()
    store = CountingS3(place.bucket(name), part_size=PART)
    yield store, place, name
    await store.close()


async def test_s3_takes_one_request_up_to_a_part_and_parts_beyond(
    s3_place: tuple[CountingS3, S3Place, str], tmp_path: Path
) -> None:
    store, place, name = s3_place
    for size, parts in ((PART, 0), (PART + 1, 2), (3 * PART, 3)):
        file = tmp_path / f"{size}"
        file.write_bytes(b"x" * size)
        store.asked.clear()
        await store.put(f"of-{size}", file, sha256_of(file))
        assert store.asked.count("upload_part") == parts
        tag = s3_client(place.port).head_object(Bucket=name, Key=f"team-a/of-{size}")["ETag"]
        assert tag.endswith(f'-{parts}"') is (parts > 0)


async def test_s3_goes_on_with_an_upload_that_was_cut_off(s3_place: tuple[CountingS3, S3Place, str], big: Path) -> None:
    store, _, _ = s3_place
    sha256 = sha256_of(big)
    with pytest.raises(Cut):
        await store.put("big", cut_after(big, 2 * PART + 1), sha256)
    assert store.asked.count("create_multipart_upload") == 1
    store.asked.clear()
    await store.put("big", big, sha256)
    assert store.asked.count("create_multipart_upload") == 0
    assert store.asked.count("upload_part") == 2
    assert (await store.head("big")) is not None
    assert [each async for each in store.unfinished()] == []


async def test_s3_never_goes_on_with_an_upload_of_other_bytes(
    s3_place: tuple[CountingS3, S3Place, str], big: Path, tmp_path: Path
) -> None:
    store, _, _ = s3_place
    with pytest.raises(Cut):
        await store.put("big", cut_after(big, 2 * PART + 1), sha256_of(big))
    other = tmp_path / "other"
    other.write_bytes(big.read_bytes()[:-1] + b"!")
    stored = await store.put("big", other, sha256_of(other))
    assert stored.sha256 == sha256_of(other)
    assert hashlib.sha256(b"".join([each async for each in store.read("big")])).hexdigest() == stored.sha256
    assert [each.key async for each in store.unfinished()] == ["big"]
    assert await store.discard_unfinished(datetime.now(UTC) + timedelta(hours=1)) == 1


async def test_s3_sends_a_part_again_whose_bytes_were_others(
    s3_place: tuple[CountingS3, S3Place, str], big: Path, tmp_path: Path
) -> None:
    store, _, _ = s3_place
    broken = tmp_path / "broken"
    broken.write_bytes(b"?" + big.read_bytes()[1:])
    with pytest.raises(Cut):
        await store.put("big", cut_after(broken, 2 * PART + 1), sha256_of(big))
    store.asked.clear()
    await store.put("big", big, sha256_of(big))
    assert store.asked.count("upload_part") == 3
    assert hashlib.sha256(b"".join([each async for each in store.read("big")])).hexdigest() == sha256_of(big)


async def test_s3_begins_anew_when_the_upload_was_discarded(
    s3_place: tuple[CountingS3, S3Place, str], big: Path
) -> None:
    store, place, name = s3_place
    with pytest.raises(Cut):
        await store.put("big", cut_after(big, 2 * PART + 1), sha256_of(big))
    client = s3_client(place.port)
    (upload,) = client.list_multipart_uploads(Bucket=name)["Uploads"]
    client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    await store.put("big", big, sha256_of(big))
    assert [each async for each in store.unfinished()] == []


async def test_s3_aborts_an_upload_whose_bytes_are_wrong_at_once(
    s3_place: tuple[CountingS3, S3Place, str], big: Path
) -> None:
    store, place, name = s3_place
    with pytest.raises(Exception, match="digest"):
        await store.put("big", big, hashlib.sha256(b"other").hexdigest())
    assert "abort_multipart_upload" in store.asked
    assert s3_client(place.port).list_multipart_uploads(Bucket=name).get("Uploads", []) == []
    assert s3_client(place.port).list_objects_v2(Bucket=name).get("Contents", []) == []


async def test_azure_sends_no_block_twice_after_an_upload_was_cut_off(
    azurite: int, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.storage.blob.aio import BlobClient

    staged: list[str] = []
    stage_block = BlobClient.stage_block

    async def spy(self: BlobClient, block_id: str, *arguments: Any, **options: Any) -> Any:
        staged.append(block_id)
        return await stage_block(self, block_id, *arguments, **options)

    monkeypatch.setattr(BlobClient, "stage_block", spy)
    place = AzurePlace(azurite)
    name = await place.fresh()
    store = place.open(name)
    try:
        with pytest.raises(Cut):
            await store.put("big", cut_after(big, 2 * PART + 1), sha256_of(big))
        assert len(staged) == 2
        await store.put("big", big, sha256_of(big))
        assert len(staged) == len(set(staged)) == 4
        stored = await store.head("big")
        assert stored is not None
        assert stored.size == big.stat().st_size
    finally:
        await store.close()
    assert isinstance(store, AzureBlobObjects)


HUNGRY = (
    IMPORTS
    + """
import asyncio, hashlib, resource

async def pieces(count):
    for number in range(count):
        yield bytes([number % 256]) * 1048576

async def main():
    count = {megabytes}
    digest = hashlib.sha256()
    async for piece in pieces(count):
        digest.update(piece)
    store = {opening}
    await store.put("warm", pieces(1), hashlib.sha256(bytes(1048576)).hexdigest())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await store.put("large", pieces(count), digest.hexdigest())
    async for _ in store.read("large"):
        pass
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    await store.close()

asyncio.run(main())
"""
)


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_memory_does_not_grow_with_the_object(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    place: ObjectPlace = FolderPlace(tmp_path) if kind == "folder" else S3Place(request.getfixturevalue("s3"))
    program = HUNGRY.format(opening=place.opening(await place.fresh()), megabytes=160)
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert int(ran.stdout) < 100
