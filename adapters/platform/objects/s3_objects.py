"""Objects in an S3 bucket: AWS, MinIO, Ceph and others that speak its protocol.

What is longer than a part is uploaded in parts. Beside each such upload a small object under `.uploads/` says which
upload it is; whoever puts the same bytes under the same key again goes on with it. An upload that nobody goes on with
is removed by `discard_unfinished`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from llama_mapper.adapters.platform.objects.checked_objects import (
    CheckedObjects,
    KeyTakenMeanwhile,
    OpenObject,
    chained,
    missing,
)
from llama_mapper.adapters.platform.objects.pieces import READ_SIZE
from llama_mapper.domain.kernel.errors import ArtifactError, StoreError
from llama_mapper.domain.kernel.objects import ObjectEntry, StoredObject, UnfinishedUpload, require_key

PART_SIZE = 16 * 1024 * 1024
SMALLEST_PART = 5 * 1024 * 1024
"""S3 takes no shorter part, but for the last one; and 10,000 of them at the most."""

_UPLOADS = ".uploads/"
_NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
_REFUSED = frozenset(
    {
        "403",
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnauthorizedAccess",
    }
)
_TAKEN = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict", "409"})


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """Where objects are kept. Without credentials boto3 looks for them where it always does."""

    bucket: str
    prefix: str = ""
    """Put before every key as it is: `team-a/`."""
    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)


class S3Objects(CheckedObjects):
    """Keeps `ObjectStore`'s promise with boto3 in threads; `parallel` parts of `part_size` bytes at one time."""

    def __init__(
        self, place: S3Bucket, *, part_size: int = PART_SIZE, parallel: int = 3, timeout_s: float = 60.0
    ) -> None:
        super().__init__(max(part_size, SMALLEST_PART))
        self._place = place
        self._parallel = parallel
        self._timeout_s = timeout_s
        self._threads: ThreadPoolExecutor | None = None
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore.head`."""
        try:
            return _stored(key, await self._do("head_object", Key=self._at(require_key(key))))
        except _NoObject:
            return None

    async def entries(self, prefix: str = "") -> AsyncIterator[ObjectEntry]:
        """See `ObjectStore.entries`."""
        async for found in self._found(prefix):
            key = str(found["Key"]).removeprefix(self._place.prefix)
            if not key.startswith(_UPLOADS):
                yield ObjectEntry(key, int(found["Size"]), found["LastModified"])

    async def delete(self, key: str) -> bool:
        """See `ObjectStore.delete`."""
        if await self.head(key) is None:
            return False
        await self._do("delete_object", Key=self._at(key))
        return True

    async def unfinished(self) -> AsyncIterator[UnfinishedUpload]:
        """See `ObjectStore.unfinished`."""
        async for upload in self._uploads():
            yield UnfinishedUpload(str(upload["Key"]).removeprefix(self._place.prefix), upload["Initiated"])

    async def discard_unfinished(self, before: datetime) -> int:
        """See `ObjectStore.discard_unfinished`."""
        discarded = 0
        for upload in [each async for each in self._uploads()]:
            if upload["Initiated"] < before:
                with suppress(_NoUpload):
                    await self._do("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
                discarded += 1
        for note in [each async for each in self._found(_UPLOADS)]:
            if note["LastModified"] < before:
                await self._do("delete_object", Key=note["Key"])
        return discarded

    async def ping(self) -> None:
        """See `ObjectStore.ping`."""
        try:
            await self._do("head_bucket")
        except _NoObject:
            raise self._no_bucket() from None

    async def close(self) -> None:
        """See `ObjectStore.close`."""
        client, threads = self._client, self._threads
        self._client = self._threads = None
        if client is not None:
            client.close()
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _write(self, key: str, parts: AsyncIterator[bytes], sha256: str, *, replace: bool) -> StoredObject:
        first = await anext(parts, b"")
        second = await anext(parts, None)
        condition = {} if replace else {"IfNoneMatch": "*"}
        if second is None:
            await self._do(
                "put_object",
                Key=self._at(key),
                Body=first,
                ChecksumSHA256=_base64(hashlib.sha256(first).digest()),
                Metadata={"sha256": sha256},
                **condition,
            )
        else:
            await self._write_in_parts(key, chained(first, second, parts), sha256, condition)
        stored = await self.head(key)
        if stored is None:
            raise StoreError(f"the object {key} was removed by somebody else meanwhile")
        return stored

    async def _write_in_parts(
        self, key: str, parts: AsyncIterator[bytes], sha256: str, condition: Mapping[str, str]
    ) -> None:
        note = self._at(f"{_UPLOADS}{hashlib.sha256(key.encode()).hexdigest()[:32]}-{sha256}")
        upload_id, known = await self._begun(note, key)
        if upload_id is None:
            begun = await self._do(
                "create_multipart_upload", Key=self._at(key), ChecksumAlgorithm="SHA256", Metadata={"sha256": sha256}
            )
            upload_id = str(begun["UploadId"])
            said = json.dumps({"key": key, "upload_id": upload_id, "part_size": self._part_size}).encode()
            await self._do("put_object", Key=note, Body=said)
        where = {"Key": self._at(key), "UploadId": upload_id}
        try:
            uploaded = await self._uploaded(where, parts, known)
            await self._do("complete_multipart_upload", **where, MultipartUpload={"Parts": uploaded}, **condition)
        except (ArtifactError, KeyTakenMeanwhile):
            with suppress(_NoUpload):
                await self._do("abort_multipart_upload", **where)
            await self._do("delete_object", Key=note)
            raise
        except _NoUpload:
            # Finished by somebody else who put the same bytes, or discarded.
            await self._do("delete_object", Key=note)
            raise KeyTakenMeanwhile from None
        await self._do("delete_object", Key=note)

    async def _begun(self, note: str, key: str) -> tuple[str | None, dict[int, Any]]:
        """The upload that `note` tells of, and its parts by number, if it can be gone on with."""
        try:
            answer = await self._do("get_object", Key=note)
            said = json.loads(await self._in_thread(answer["Body"].read))
            if said["part_size"] != self._part_size:
                return None, {}
            parts: dict[int, Any] = {}
            marker = 0
            while True:
                listed = await self._do(
                    "list_parts", Key=self._at(key), UploadId=said["upload_id"], PartNumberMarker=marker
                )
                parts |= {int(part["PartNumber"]): part for part in listed.get("Parts", ())}
                if not listed.get("IsTruncated"):
                    return str(said["upload_id"]), parts
                marker = listed["NextPartNumberMarker"]
        except (_NoObject, _NoUpload, ValueError, KeyError, TypeError):
            return None, {}

    async def _uploaded(
        self, where: Mapping[str, str], parts: AsyncIterator[bytes], known: Mapping[int, Any]
    ) -> list[dict[str, object]]:
        done: dict[int, dict[str, object]] = {}
        places = asyncio.Semaphore(self._parallel)

        async def upload(number: int, body: bytes) -> None:
            try:
                checksum = _base64((await asyncio.to_thread(hashlib.sha256, body)).digest())
                etag = _etag_if_same(known.get(number), body, checksum)
                if etag is None:
                    answer = await self._do(
                        "upload_part", **where, PartNumber=number, Body=body, ChecksumSHA256=checksum
                    )
                    etag = str(answer["ETag"])
                done[number] = {"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum}
            finally:
                places.release()

        try:
            async with asyncio.TaskGroup() as group:
                number = 0
                async for body in parts:
                    number += 1
                    await places.acquire()
                    group.create_task(upload(number, body))
        except BaseExceptionGroup as failed:  # the first one tells as much as all of them
            raise failed.exceptions[0] from failed
        return [done[number] for number in sorted(done)]

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[OpenObject]:
        try:
            answer = await self._do("get_object", Key=self._at(key))
        except _NoObject:
            raise missing(key) from None
        stored, body = _stored(key, answer), answer["Body"]
        if stored is None:
            body.close()
            raise missing(key)

        async def chunks() -> AsyncIterator[bytes]:
            while chunk := await self._in_thread(partial(body.read, READ_SIZE)):
                yield chunk

        try:
            yield OpenObject(stored, chunks())
        finally:
            body.close()

    async def _found(self, prefix: str) -> AsyncIterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            listed = await self._do("list_objects_v2", Prefix=self._at(prefix), **more)
            for found in listed.get("Contents", ()):
                yield found
            if not listed.get("IsTruncated"):
                return
            more = {"ContinuationToken": listed["NextContinuationToken"]}

    async def _uploads(self) -> AsyncIterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            listed = await self._do("list_multipart_uploads", Prefix=self._place.prefix, **more)
            for upload in listed.get("Uploads", ()):
                yield upload
            if not listed.get("IsTruncated"):
                return
            more = {"KeyMarker": listed["NextKeyMarker"], "UploadIdMarker": listed["NextUploadIdMarker"]}

    async def _do(self, operation: str, **arguments: Any) -> Any:
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    self._threads = ThreadPoolExecutor(max_workers=self._parallel * 2, thread_name_prefix="s3")
                    self._client = await self._in_thread(self._connect)
        call = getattr(self._client, operation)
        return await self._in_thread(partial(call, Bucket=self._place.bucket, **arguments))

    async def _in_thread(self, call: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from urllib3.exceptions import HTTPError

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except ClientError as error:
            raise self._translated(error) from error
        except (BotoCoreError, HTTPClientError, HTTPError, OSError) as error:
            kind = type(error).__name__
            if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
                raise StoreError(f"the object store's credentials are not there ({kind})", retryable=False) from error
            raise StoreError(f"the object store is unavailable ({kind})") from error

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config

        place = self._place
        config = Config(
            connect_timeout=min(5.0, self._timeout_s),
            read_timeout=self._timeout_s,
            retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=self._parallel * 2,
            s3={"addressing_style": "auto" if place.endpoint_url is None else "path"},
        )
        return boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint_url,
            region_name=place.region,
            aws_access_key_id=place.access_key_id,
            aws_secret_access_key=place.secret_access_key,
            config=config,
        )

    def _translated(self, error: Any) -> Exception:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _NOT_FOUND:
            return _NoObject()
        if code == "NoSuchUpload":
            return _NoUpload()
        if code in _TAKEN:
            return KeyTakenMeanwhile()
        if code == "NoSuchBucket":
            return self._no_bucket()
        if code in _REFUSED:
            return StoreError(f"the object store refused the credentials ({code})", retryable=False)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return StoreError(f"the object store did not do it ({code})", retryable=status >= 500 or status == 429)

    def _no_bucket(self) -> StoreError:
        return StoreError(f"the object store has no bucket '{self._place.bucket}'", retryable=False)

    def _at(self, key: str) -> str:
        return self._place.prefix + key


class _NoObject(Exception):
    """There is nothing under the key."""


class _NoUpload(Exception):
    """There is no such upload in parts, or no more."""


def _stored(key: str, answer: Mapping[str, Any]) -> StoredObject | None:
    """What the bucket says of an object; None for one that was not put there by this product."""
    sha256 = answer.get("Metadata", {}).get("sha256")
    if sha256 is None:
        return None
    return StoredObject(key, int(answer["ContentLength"]), answer["LastModified"], str(sha256))


def _etag_if_same(part: Mapping[str, Any] | None, body: bytes, checksum: str) -> str | None:
    """The tag of a part that is there already, if it has these bytes.

    Where the store tells no SHA-256, the tag is the MD5 of the part, unless it is encrypted; then it is sent again.
    """
    if part is None or int(part["Size"]) != len(body):
        return None
    same = part.get("ChecksumSHA256")
    if same is None:
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return str(part["ETag"]) if str(part["ETag"]).strip('"') == md5 else None
    return str(part["ETag"]) if same == checksum else None


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode("ascii")
