"""Where the object stores' promises are put to the test."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from llama_mapper.adapters.platform.objects.azure_blob_objects import AzureBlobObjects, AzureContainer
from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects
from llama_mapper.adapters.platform.objects.s3_objects import SMALLEST_PART, S3Bucket, S3Objects
from llama_mapper.domain.kernel.objects import ObjectStore
from tests.support.object_servers import azure_connection

PART = SMALLEST_PART
"""Bytes of a part in these tests: the fewest that S3 takes."""


class ObjectPlace(Protocol):
    """Gives empty object stores, and reaches behind their backs."""

    @property
    def kind(self) -> str:
        """`folder`, `s3` or `azure`."""
        ...

    async def fresh(self) -> str:
        """The name of a new, empty place."""
        ...

    def open(self, name: str) -> ObjectStore:
        """A store in that place; several may be open."""
        ...

    def opening(self, name: str) -> str:
        """The same as a Python expression, for another process."""
        ...

    def environment(self, name: str) -> dict[str, str]:
        """The same as settings of the product."""
        ...

    async def spoil(self, name: str, key: str, content: bytes) -> None:
        """Put other bytes in the place of an object's, and leave what is recorded of it."""
        ...

    async def staged(self, name: str, key: str) -> int:
        """How many parts of an upload that has not ended are there; at least 1 for a store that has no parts."""
        ...


IMPORTS = """
from pathlib import Path
from llama_mapper.adapters.platform.objects.azure_blob_objects import AzureBlobObjects, AzureContainer
from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects
from llama_mapper.adapters.platform.objects.s3_objects import S3Bucket, S3Objects
"""
"""What an expression of `opening` needs."""


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """Folders below a temporary one."""

    root: Path
    kind: str = "folder"

    async def fresh(self) -> str:
        """See `ObjectPlace`."""
        return secrets.token_hex(8)

    def open(self, name: str) -> ObjectStore:
        """See `ObjectPlace`."""
        return FolderObjects(self.root / name)

    def opening(self, name: str) -> str:
        """See `ObjectPlace`."""
        return f"FolderObjects(Path({str(self.root / name)!r}))"

    def environment(self, name: str) -> dict[str, str]:
        """See `ObjectPlace`."""
        return {"LLAMA_MAPPER_OBJECT_FOLDER": str(self.root / name)}

    async def spoil(self, name: str, key: str, content: bytes) -> None:
        """See `ObjectPlace`."""
        (found,) = (self.root / name / key).glob(".content-*")
        found.write_bytes(content)

    async def staged(self, name: str, key: str) -> int:
        """See `ObjectPlace`."""
        return 1


@dataclass(frozen=True, slots=True)
class S3Place:
    """Buckets of a server."""

    port: int
    kind: str = "s3"
    access_key: str = "test"

    def bucket(self, name: str) -> S3Bucket:
        """How to reach one."""
        url = f"http://127.0.0.1:{self.port}"
        return S3Bucket(name, "team-a/", url, "us-east-1", self.access_key, "secret")

    async def fresh(self) -> str:
        """See `ObjectPlace`."""
        name = f"bucket-{secrets.token_hex(8)}"
        s3_client(self.port).create_bucket(Bucket=name)
        return name

    def open(self, name: str) -> ObjectStore:
        """See `ObjectPlace`."""
        return S3Objects(self.bucket(name), part_size=PART)

    def opening(self, name: str) -> str:
        """See `ObjectPlace`."""
        url = f"http://127.0.0.1:{self.port}"
        place = f"S3Bucket({name!r}, 'team-a/', {url!r}, 'us-east-1', {self.access_key!r}, 'secret')"
        return f"S3Objects({place}, part_size={PART})"

    def environment(self, name: str) -> dict[str, str]:
        """See `ObjectPlace`."""
        return {
            "LLAMA_MAPPER_OBJECT_STORE": "s3",
            "LLAMA_MAPPER_OBJECT_PREFIX": "team-a/",
            "LLAMA_MAPPER_S3_BUCKET": name,
            "LLAMA_MAPPER_S3_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "LLAMA_MAPPER_S3_REGION": "us-east-1",
            "LLAMA_MAPPER_S3_ACCESS_KEY_ID": self.access_key,
            "LLAMA_MAPPER_S3_SECRET_ACCESS_KEY": "secret",
        }

    async def spoil(self, name: str, key: str, content: bytes) -> None:
        """See `ObjectPlace`."""
        client, at = s3_client(self.port), f"team-a/{key}"
        metadata = client.head_object(Bucket=name, Key=at)["Metadata"]
        client.put_object(Bucket=name, Key=at, Body=content, Metadata=metadata)

    async def staged(self, name: str, key: str) -> int:
        """See `ObjectPlace`."""
        client, at = s3_client(self.port), f"team-a/{key}"
        uploads = client.list_multipart_uploads(Bucket=name, Prefix=at).get("Uploads", ())
        listed = [client.list_parts(Bucket=name, Key=at, UploadId=each["UploadId"]) for each in uploads]
        return sum(len(each.get("Parts", ())) for each in listed)


@dataclass(frozen=True, slots=True)
class AzurePlace:
    """Containers of a server."""

    port: int
    kind: str = "azure"

    async def fresh(self) -> str:
        """See `ObjectPlace`."""
        name = f"container-{secrets.token_hex(8)}"
        async with self.client(name) as client:
            await client.create_container()
        return name

    def client(self, name: str) -> Any:
        """A client of Azure's own."""
        from azure.storage.blob.aio import ContainerClient

        return ContainerClient.from_connection_string(azure_connection(self.port), name)

    def open(self, name: str) -> ObjectStore:
        """See `ObjectPlace`."""
        return AzureBlobObjects(AzureContainer(azure_connection(self.port), name, "team-a/"), block_size=PART)

    def opening(self, name: str) -> str:
        """See `ObjectPlace`."""
        place = f"AzureContainer({azure_connection(self.port)!r}, {name!r}, 'team-a/')"
        return f"AzureBlobObjects({place}, block_size={PART})"

    def environment(self, name: str) -> dict[str, str]:
        """See `ObjectPlace`."""
        return {
            "LLAMA_MAPPER_OBJECT_STORE": "azure",
            "LLAMA_MAPPER_OBJECT_PREFIX": "team-a/",
            "LLAMA_MAPPER_AZURE_CONNECTION_STRING": azure_connection(self.port),
            "LLAMA_MAPPER_AZURE_CONTAINER": name,
        }

    async def spoil(self, name: str, key: str, content: bytes) -> None:
        """See `ObjectPlace`."""
        async with self.client(name) as client:
            blob = client.get_blob_client(f"team-a/{key}")
            metadata = (await blob.get_blob_properties()).metadata
            await blob.upload_blob(content, overwrite=True, metadata=metadata)

    async def staged(self, name: str, key: str) -> int:
        """See `ObjectPlace`."""
        async with self.client(name) as client:
            _, left = await client.get_blob_client(f"team-a/{key}").get_block_list("all")
            return len(left)


def s3_client(port: int) -> Any:
    """A client of boto3's own."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="secret",
    )
