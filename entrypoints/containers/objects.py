"""Choosing the object store."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.settings import Settings

if TYPE_CHECKING:
    from llama_mapper.domain.kernel.objects import ObjectStore

_LIBRARIES = {"s3": ("boto3", "s3"), "azure": ("azure.storage.blob", "azure")}


def object_store(settings: Settings) -> ObjectStore:
    """The store that the settings name; raise `CONFIGURATION_INVALID` where its library is not installed."""
    kind = settings.object_store
    if kind in _LIBRARIES:
        _require_library(kind, *_LIBRARIES[kind])
    if kind == "s3":
        from llama_mapper.adapters.platform.objects.s3_objects import S3Bucket, S3Objects

        key, secret = settings.s3_access_key_id, settings.s3_secret_access_key
        return S3Objects(
            S3Bucket(
                bucket=settings.s3_bucket or "",
                prefix=settings.object_prefix or "",
                endpoint_url=None if settings.s3_endpoint_url is None else str(settings.s3_endpoint_url).rstrip("/"),
                region=settings.s3_region,
                access_key_id=None if key is None else key.get_secret_value(),
                secret_access_key=None if secret is None else secret.get_secret_value(),
            ),
            timeout_s=settings.object_timeout_s,
        )
    if kind == "azure":
        from llama_mapper.adapters.platform.objects.azure_blob_objects import AzureBlobObjects, AzureContainer

        connection = settings.azure_connection_string
        return AzureBlobObjects(
            AzureContainer(
                connection_string="" if connection is None else connection.get_secret_value(),
                container=settings.azure_container or "",
                prefix=settings.object_prefix or "",
            ),
            timeout_s=settings.object_timeout_s,
        )
    from llama_mapper.adapters.platform.objects.folder_objects import FolderObjects

    return FolderObjects(settings.object_folder or settings.data_dir / "objects")


def _require_library(kind: str, module: str, extra: str) -> None:
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ConfigurationError(f"object_store {kind} needs the extra '{extra}': pip install 'llama-mapper[{extra}]'")
