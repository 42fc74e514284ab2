"""Objects in a container of Azure Blob Storage.

What is longer than a block is staged block by block. A block's id holds the digest of the whole, its number and its own
digest, so that whoever puts the same bytes again after a cut-off upload finds the blocks that are there and does not
send them twice. Blocks that are never committed are no object; the service drops them after a week.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

from llama_mapper.adapters.platform.objects.checked_objects import (
    CheckedObjects,
    KeyTakenMeanwhile,
    OpenObject,
    chained,
    missing,
)
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.kernel.objects import ObjectEntry, StoredObject, UnfinishedUpload, require_key

BLOCK_SIZE = 16 * 1024 * 1024
"""Azure takes 50,000 blocks at the most."""

_ONE_REQUEST = 1024 * 1024
"""Bytes up to which a blob is put at once; the library would send more from the event loop without a pause."""


@dataclass(frozen=True, slots=True)
class AzureContainer:
    """Where objects are kept. A connection string may hold an account key or a shared access signature."""

    connection_string: str = field(repr=False)
    container: str
    prefix: str = ""
    """Put before every key as it is."""


class AzureBlobObjects(CheckedObjects):
    """Keeps `ObjectStore`'s promise with azure-storage-blob; `parallel` blocks of `block_size` bytes at one time."""

    def __init__(
        self, place: AzureContainer, *, block_size: int = BLOCK_SIZE, parallel: int = 3, timeout_s: float = 60.0
    ) -> None:
        super().__init__(block_size)
        self._place = place
        self._parallel = parallel
        self._timeout_s = timeout_s
        self._client: Any = None

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        blob = self._blob(require_key(key))
        with self._translated():
            try:
                return _stored(key, await blob.get_blob_properties())
            except _not_found() as error:
                self._require_container(error)
                return None

    async def entries(self, prefix: str = "") -> AsyncIterator[ObjectEntry]:
        """See `ObjectStore.entries`."""
        async for found in self._found(prefix, ["metadata"]):
            if (stored := _stored(self._key_of(found.name), found)) is not None:
                yield ObjectEntry(stored.key, stored.size, stored.stored_at)

    async def delete(self, key: str) -> bool:
        """See `ObjectStore.delete`."""
        blob = self._blob(require_key(key))
        with self._translated():
            try:
                await blob.delete_blob(delete_snapshots="include")
            except _not_found() as error:
                self._require_container(error)
                return False
        return True

    async def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        """See `ObjectStore.unfinished`."""
        async for found in self._found("", ["metadata", "uncommittedblobs"]):
            if _stored("", found) is None and found.size == 0:
                yield UnfinishedUpload(self._key_of(found.name), found.last_modified)

    async def discard_unfinished(self, before: datetime) -> int:
        """See `ObjectStore.discard_unfinished`.

        The service has no way to drop blocks but to write a blob: an empty one, which is no object for want of a
        digest, replaces them and is deleted again.
        """
        from azure.core import MatchConditions

        discarded = 0
        for upload in [each async for each in self.unfinished() if each.begun_at < before]:
            blob = self._blob(upload.key)
            with self._translated():
                try:
                    empty = await blob.commit_block_list([], match_condition=MatchConditions.IfMissing)
                    await blob.delete_blob(etag=empty["etag"], match_condition=MatchConditions.IfNotModified)
                except (_exists(), _changed(), _not_found()):
                    continue  # it became an object meanwhile
            discarded += 1
        return discarded

    async def ping(self) -> None:
        """See `ObjectStore.ping`."""
        with self._translated():
            try:
                await self._container().get_container_properties()
            except _not_found():
                raise self._no_container() from None

    async def close(self) -> None:
        """See `ObjectStore.close`."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _write(self, key: str, parts: AsyncIterator[bytes], sha256: str, *, replace: bool) -> StoredObject:
        blob = self._blob(key)
        metadata = {"sha256": sha256}
        first = await anext(parts, b"")
        second = await anext(parts, None)
        with self._translated():
            try:
                if second is None and len(first) <= _ONE_REQUEST:
                    await blob.upload_blob(
                        BytesIO(first), length=len(first), overwrite=replace, metadata=metadata, validate_content=True
                    )
                else:
                    blocks = await self._staged(blob, _all(first, second, parts), sha256)
                    await _commit(blob, blocks, metadata, replace)
            except (_exists(), _changed()):
                raise KeyTakenMeanwhile from None
        stored = await self.head(key)
        if stored is None:
            raise StoreError(f"the object {key} was removed by somebody else meanwhile")
        return stored

    async def _staged(self, blob: Any, parts: AsyncIterator[bytes], sha256: str) -> list[str]:
        try:
            _, left = await blob.get_block_list("all")
            known = {block.id for block in left}
        except _not_found() as error:
            self._require_container(error)
            known = set()
        ids: list[str] = []
        places = asyncio.Semaphore(self._parallel)

        async def stage(block_id: str, body: bytes) -> None:
            try:
                await blob.stage_block(block_id, BytesIO(body), length=len(body), validate_content=True)
            finally:
                places.release()

        try:
            async with asyncio.TaskGroup() as group:
                async for body in parts:
                    if not body:
                        continue
                    own = (await asyncio.to_thread(hashlib.sha256, body)).hexdigest()
                    ids.append(f"{sha256[:16]}-{len(ids):08d}-{own[:38]}")  # 64 characters, the most there may be
                    if ids[-1] not in known:
                        await places.acquire()
                        group.create_task(stage(ids[-1], body))
        except BaseExceptionGroup as failed:  # the first one tells as much as all of them
            raise failed.exceptions[0] from failed
        return ids

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[OpenObject]:
        with self._translated():
            try:
                found = await self._blob(key).download_blob(max_concurrency=1)
            except _not_found() as error:
                self._require_container(error)
                raise missing(key) from None
        stored = _stored(key, found.properties)
        if stored is None:
            raise missing(key)

        async def chunks() -> AsyncIterator[bytes]:
            with self._translated():
                async for chunk in found.chunks():
                    yield chunk

        yield OpenObject(stored, chunks())

    async def _found(self, prefix: str, include: list[str]) -> AsyncIterator[Any]:
        with self._translated():
            try:
                async for found in self._container().list_blobs(
                    name_starts_with=self._place.prefix + prefix or None, include=include
                ):
                    yield found
            except _not_found():
                raise self._no_container() from None

    def _container(self) -> Any:
        if self._client is None:
            from azure.storage.blob.aio import ContainerClient

            try:
                self._client = ContainerClient.from_connection_string(
                    self._place.connection_string,
                    self._place.container,
                    retry_total=2,
                    initial_backoff=0.2,
                    increment_base=0.5,
                    random_jitter_range=0.2,
                    connection_timeout=min(5.0, self._timeout_s),
                    read_timeout=self._timeout_s,
                    max_single_put_size=max(self._part_size, 4 * 1024 * 1024),
                    max_single_get_size=4 * 1024 * 1024,
                    max_chunk_get_size=4 * 1024 * 1024,
                )
            except ValueError as error:  # without the cause, which could quote the key
                raise StoreError(
                    f"the object store's connection string is not one ({type(error).__name__})", retryable=False
                ) from None
        return self._client

    def _blob(self, key: str) -> Any:
        return self._container().get_blob_client(self._place.prefix + key)

    def _key_of(self, name: str) -> str:
        return name.removeprefix(self._place.prefix)

    def _require_container(self, error: Any) -> None:
        if getattr(error, "error_code", None) == "ContainerNotFound":
            raise self._no_container() from None

    def _no_container(self) -> StoreError:
        return StoreError(f"the object store has no container '{self._place.container}'", retryable=False)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the library's errors that leave the block into the store's."""
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            yield
        except HttpResponseError as error:
            code = str(getattr(error, "error_code", None) or type(error).__name__).rpartition(".")[2]
            if error.status_code in (401, 403):
                raise StoreError(f"the object store refused the credentials ({code})", retryable=False) from error
            status = error.status_code or 0
            raise StoreError(
                f"the object store did not do it ({code})", retryable=status >= 500 or status == 429
            ) from (error)
        except (AzureError, TimeoutError, OSError) as error:
            raise StoreError(f"the object store is unavailable ({type(error).__name__})") from error


def _all(first: bytes, second: bytes | None, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return chained(first, b"" if second is None else second, rest)


async def _commit(blob: Any, ids: list[str], metadata: Mapping[str, str], replace: bool) -> None:
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobBlock

    condition = {} if replace else {"match_condition": MatchConditions.IfMissing}
    try:
        await blob.commit_block_list([BlobBlock(each) for each in ids], metadata=metadata, **condition)
    except HttpResponseError as error:
        # Whoever commits first takes all blocks along.
        if str(getattr(error, "error_code", "")).rpartition(".")[2] in ("InvalidBlockList", "INVALID_BLOCK_LIST"):
            raise KeyTakenMeanwhile from None
        raise


def _stored(key: str, properties: Any) -> StoredObject | None:
    """What the container says of a blob; None for one that was not put there by this product."""
    sha256 = (properties.metadata or {}).get("sha256")
    return None if sha256 is None else StoredObject(key, int(properties.size), properties.last_modified, str(sha256))


def _not_found() -> type[Exception]:
    from azure.core.exceptions import ResourceNotFoundError

    return ResourceNotFoundError


def _exists() -> type[Exception]:
    from azure.core.exceptions import ResourceExistsError

    return ResourceExistsError


def _changed() -> type[Exception]:
    from azure.core.exceptions import ResourceModifiedError

    return ResourceModifiedError
