"""What requests about models say in their path, their query and their headers."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import TypeVar

from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from starlette.requests import Request

from llama_mapper.domain.contracts.models import ArtifactPath, ModelActor, ModelDoor, ModelName, SemanticVersion
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.headers import header_of

COLUMNS = 16
"""Versions of a part of the catalogue that one request may name."""

_DIGEST = re.compile(rb"(?:^|.*,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,.*)?")
_NAME: TypeAdapter[str] = TypeAdapter(ModelName)
_NUMBER: TypeAdapter[str] = TypeAdapter(SemanticVersion)
_PATH: TypeAdapter[str] = TypeAdapter(ArtifactPath)
Choice = TypeVar("Choice", bound=StrEnum)


def artifact_path(request: Request) -> str:
    """The file that the path names."""
    try:
        return _PATH.validate_python(request.path_params["path"])
    except PydanticError:
        raise ValidationError("a file's path is 1 to 8 segments of letters, digits and _.+=@-") from None


async def bounded(request: Request, size: int) -> AsyncIterator[bytes]:
    """The body in pieces; raise `INVALID_REQUEST` if it is not as long as it says."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > size:
            break
        yield chunk
    if received != size:
        raise ValidationError("the body is not as long as Content-Length says")


def declared_size(request: Request, limit: int) -> int:
    """How long the body says that it is; raise `INVALID_REQUEST` if it does not, `CONTENT_TOO_LARGE` beyond `limit`."""
    declared = header_of(request.scope, b"content-length")
    if declared is None or not declared.isdigit():
        raise ValidationError("say in Content-Length how many bytes the file has")
    if int(declared) > limit:
        raise ValidationError(f"the file is larger than {limit} bytes", ErrorCode.CONTENT_TOO_LARGE)
    return int(declared)


def digest_of(request: Request) -> str:
    """The SHA-256 that `Content-Digest` names, in hexadecimal; raise `INVALID_REQUEST` where it names none."""
    found = _DIGEST.fullmatch((header_of(request.scope, b"content-digest") or "").encode("latin-1"))
    if found is None:
        raise ValidationError("say in Content-Digest what the file's SHA-256 is: sha-256=:BASE64:")
    return base64.b64decode(found[1]).hex()


def actor_of(principal: Principal) -> ModelActor:
    """Who changes a model; raise `INVALID_REQUEST` for a name that records cannot hold."""
    try:
        return ModelActor(name=principal.name, door=ModelDoor.HTTP, keyless=principal.keyless)
    except ValueError:
        raise ValidationError(
            "the API key's name has control characters or more than 128 characters; use a key that names a person"
        ) from None


def model_name(request: Request) -> str:
    """The model that the path names."""
    try:
        return _NAME.validate_python(request.path_params["name"])
    except PydanticError:
        raise ValidationError("a model's name is 1 to 63 letters, digits and _.-, a letter or a digit first") from None


def model_version(request: Request) -> tuple[str, str]:
    """The model and the version that the path names."""
    try:
        return model_name(request), _NUMBER.validate_python(request.path_params["version"])
    except PydanticError:
        raise ValidationError("a model's version is one by semver.org, such as 1.4.0") from None


def versions_asked(request: Request, part: str) -> tuple[str, ...]:
    """The versions of a part of the catalogue that the query names."""
    asked = tuple(dict.fromkeys(request.query_params.getlist(part)))
    if len(asked) > COLUMNS or not all(1 <= len(each) <= 128 and each.isprintable() for each in asked):
        raise ValidationError(f"name at most {COLUMNS} versions of the {part}, of 1 to 128 characters")
    return asked


def choice_of(request: Request, name: str, kind: type[Choice]) -> Choice | None:
    """The query parameter as one of its values; None where it is absent."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise ValidationError(f"{name} is one of {', '.join(kind)}") from None
