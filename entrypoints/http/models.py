"""The registry of models over HTTP."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic import ValidationError as PydanticError
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.models import (
    ArtifactPath,
    ModelActor,
    ModelArtifact,
    ModelCheck,
    ModelDeprecation,
    ModelDoor,
    ModelHistory,
    ModelKind,
    ModelList,
    ModelManifest,
    ModelMatrix,
    ModelName,
    ModelPromotion,
    ModelRemark,
    ModelStage,
    ModelVersion,
    ModelVersionInfo,
    ModelVersionList,
    RetentionReport,
    RetentionRequest,
    SemanticVersion,
    StoredArtifact,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import EVERYONE, Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.headers import header_of
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.models.service import ModelRegistry

BINARY = "application/octet-stream"
_MANIFEST_LIMIT = 1_048_576
_STEP_LIMIT = 16_384
_MODEL = "/v1/models/{name}"
_VERSION = "/v1/models/{name}/versions/{version}"
_DIGEST = re.compile(rb"(?:^|.*,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,.*)?")
_NAME: TypeAdapter[str] = TypeAdapter(ModelName)
_NUMBER: TypeAdapter[str] = TypeAdapter(SemanticVersion)
_PATH: TypeAdapter[str] = TypeAdapter(ArtifactPath)
_COLUMNS = 16
Choice = TypeVar("Choice", bound=StrEnum)

_OWNER = QueryParameter(
    "owner",
    "`installation`: of the models that all tenants use; for the operator alone. Default: of the tenant's own.",
    {"type": "string", "enum": ["tenant", "installation"], "default": "tenant"},
)
_CONTENT_DIGEST = QueryParameter(
    "Content-Digest",
    "SHA-256 of the body, as RFC 9530 writes it: `sha-256=:` + base64 + `:`.",
    {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"},
    required=True,
)
_STATE_ERRORS = (ErrorCode.INVALID_REQUEST, ErrorCode.MODEL_NOT_FOUND, ErrorCode.MODEL_STATE)


def model_operations(
    registry: ModelRegistry, operator_tenant: str, artifact_limit: int, artifact_timeout_s: float
) -> list[Operation]:
    """`/v1/models`; what belongs to the installation only credentials of `operator_tenant` may change."""

    def owner_of(request: Request, principal: Principal) -> str:
        asked = request.query_params.get("owner", "tenant")
        if asked not in ("tenant", "installation"):
            raise ValidationError("owner is tenant or installation")
        own = principal.tenant_for(None)
        if asked == "tenant":
            return own
        if own != operator_tenant:
            raise AuthorizationError("the installation's models serve all tenants: only the operator may change them")
        return EVERYONE

    async def list_models(request: Request, principal: Principal) -> Response:
        kind = _choice(request, "kind", ModelKind)
        stage = _choice(request, "stage", ModelStage)
        return json_answer(await registry.list(principal.tenant_for(None), kind=kind, stage=stage))

    async def register(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        manifest = await read_model(request, ModelManifest, _MANIFEST_LIMIT)
        return json_answer(await registry.register(owner, manifest, _actor(principal)), 201)

    async def upload(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        name, version = _version(request)
        try:
            path = _PATH.validate_python(request.path_params["path"])
        except PydanticError:
            raise ValidationError("a file's path is 1 to 8 segments of letters, digits and _.+=@-") from None
        sha256 = _digest_of(request)
        size = _declared_size(request, artifact_limit)
        artifact = ModelArtifact(path=path, sha256=sha256, size=size)
        return json_answer(await registry.upload(owner, name, version, artifact, _bounded(request, size)), 201)

    async def versions(request: Request, principal: Principal) -> Response:
        return json_answer(await registry.versions(principal.tenant_for(None), _name(request)))

    async def show(request: Request, principal: Principal) -> Response:
        return json_answer(await registry.show(principal.tenant_for(None), *_version(request)))

    async def history(request: Request, principal: Principal) -> Response:
        limit = _number(request.query_params, "limit", 100, 1000)
        before = _number(request.query_params, "before", 0, 2_000_000_000) or None
        found = await registry.history(principal.tenant_for(None), _name(request), limit=limit, before=before)
        return json_answer(found)

    async def promote(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, ModelPromotion, _STEP_LIMIT)
        return json_answer(await registry.promote(owner, *_version(request), asked, _actor(principal)))

    async def deprecate(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, ModelDeprecation, _STEP_LIMIT)
        return json_answer(await registry.deprecate(owner, *_version(request), asked, _actor(principal)))

    async def archive(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, ModelRemark, _STEP_LIMIT)
        return json_answer(await registry.archive(owner, *_version(request), asked, _actor(principal)))

    async def verify(request: Request, principal: Principal) -> Response:
        return json_answer(await registry.verify(principal.tenant_for(None), *_version(request)))

    async def matrix(request: Request, principal: Principal) -> Response:
        columns = {part: _versions_asked(request, part) for part in ("taxonomy", "vocabulary", "crosswalk")}
        return json_answer(await registry.matrix(principal.tenant_for(None), **columns))

    async def prune(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, RetentionRequest, _STEP_LIMIT)
        return json_answer(await registry.retain(owner, asked, _actor(principal)))

    changing = _Changing(artifact_timeout_s)
    return [
        _reading(
            "listModels",
            "/v1/models",
            "The models that the tenant may use: its own and the installation's.",
            list_models,
            ModelList,
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter("kind", "Only models of this kind.", _enum(ModelKind)),
                QueryParameter("stage", "Only models with a version in this stage.", _enum(ModelStage)),
            ),
        ),
        Operation(
            id="registerModel",
            method="POST",
            path="/v1/models",
            tag="models",
            summary="Register a version whose files were uploaded, once they are read back, examined and signed.",
            scope=Scope.ADMIN,
            handler=register,
            requests=(ModelManifest,),
            responses={201: (ModelVersion,)},
            errors=(
                ErrorCode.CONFLICT,
                ErrorCode.MODEL_INVALID,
                ErrorCode.MODEL_STATE,
                ErrorCode.CONFIGURATION_INVALID,
            ),
            query=(_OWNER,),
            example=_EXAMPLE,
            timeout_s=artifact_timeout_s,
        ),
        Operation(
            id="uploadModelArtifact",
            method="PUT",
            path=f"{_VERSION}/artifacts/{{path}}",
            tag="models",
            summary="Upload a file of a version that is to be registered; its path may have slashes.",
            scope=Scope.ADMIN,
            handler=upload,
            responses={201: (StoredArtifact,)},
            errors=(
                ErrorCode.INVALID_REQUEST,
                ErrorCode.CONTENT_TOO_LARGE,
                ErrorCode.ARTIFACT_CORRUPTED,
                ErrorCode.MODEL_STATE,
                ErrorCode.NOT_FOUND,
            ),
            query=(_OWNER,),
            headers=(_CONTENT_DIGEST,),
            request_media_type=BINARY,
            binary_request=True,
            timeout_s=artifact_timeout_s,
        ),
        _reading("listModelVersions", _MODEL, "A model's versions, highest first.", versions, ModelVersionList),
        _reading("getModelVersion", _VERSION, "A version with its manifest and its signature.", show, ModelVersion),
        _reading(
            "getModelHistory",
            f"{_MODEL}/history",
            "What happened to a model, newest first.",
            history,
            ModelHistory,
            query=(
                QueryParameter("limit", "Steps to list.", {"type": "integer", "minimum": 1, "maximum": 1000}),
                QueryParameter("before", "Only steps before this number.", {"type": "integer", "minimum": 1}),
            ),
        ),
        _reading(
            "getModelMatrix",
            "/v1/models:matrix",
            "Which versions fit which versions of the catalogue; by default of the one in service.",
            matrix,
            ModelMatrix,
            errors=(ErrorCode.INVALID_REQUEST,),
            query=tuple(
                QueryParameter(
                    part,
                    f"A version of the {part}; may be repeated.",
                    {
                        "type": "array",
                        "maxItems": _COLUMNS,
                        "items": {"type": "string", "minLength": 1, "maxLength": 128},
                    },
                )
                for part in ("taxonomy", "vocabulary", "crosswalk")
            ),
        ),
        changing.operation(
            "promoteModel",
            f"{_VERSION}:promote",
            "Move a version to staging, or to production if its figures pass the gate.",
            promote,
            ModelVersionInfo,
            ModelPromotion,
            {"stage": "staging", "note": "better on all vendors"},
            (ErrorCode.MODEL_BELOW_GATE, ErrorCode.MODEL_INCOMPATIBLE, ErrorCode.ARTIFACT_CORRUPTED),
        ),
        changing.operation(
            "deprecateModel",
            f"{_VERSION}:deprecate",
            "Say that a version is to go, and from when on its answers carry a warning.",
            deprecate,
            ModelVersionInfo,
            ModelDeprecation,
            {"on": "2027-06-30T00:00:00Z", "note": "superseded by 1.3.0"},
        ),
        changing.operation(
            "archiveModel",
            f"{_VERSION}:archive",
            "Take a version out of use for good.",
            archive,
            ModelVersionInfo,
            ModelRemark,
            {"note": "never used"},
        ),
        changing.operation(
            "verifyModel",
            f"{_VERSION}:verify",
            "Whether a version still is what was registered: signature, files, digests, and that it loads.",
            verify,
            ModelCheck,
            scope=Scope.READ,
        ),
        changing.operation(
            "pruneModels",
            "/v1/models:prune",
            "Remove the files of versions beyond those that are kept, or tell which would go.",
            prune,
            RetentionReport,
            RetentionRequest,
            {"dry_run": True, "keep": {"candidate": 3}},
        ),
    ]


class _Changing:
    """Operations that read or write models' files, and so may take longer than others."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def operation(
        self,
        name: str,
        path: str,
        summary: str,
        handler: Handler,
        answer: type[BaseModel],
        body: type[BaseModel] | None = None,
        example: dict[str, object] | None = None,
        errors: Sequence[ErrorCode] = (),
        scope: Scope = Scope.ADMIN,
    ) -> Operation:
        """One of them."""
        return Operation(
            id=name,
            method="POST",
            path=path,
            tag="models",
            summary=summary,
            scope=scope,
            handler=handler,
            requests=() if body is None else (body,),
            responses={200: (answer,)},
            errors=(*_STATE_ERRORS, *errors),
            query=(_OWNER,) if scope is Scope.ADMIN else (),
            example=example,
            timeout_s=self._timeout_s,
        )


def _reading(
    name: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    *,
    errors: Sequence[ErrorCode] = (ErrorCode.INVALID_REQUEST, ErrorCode.MODEL_NOT_FOUND),
    query: tuple[QueryParameter, ...] = (),
) -> Operation:
    return Operation(
        id=name,
        method="GET",
        path=path,
        tag="models",
        summary=summary,
        scope=Scope.READ,
        handler=handler,
        responses={200: (answer,)},
        errors=tuple(errors),
        query=query,
    )


async def _bounded(request: Request, size: int) -> AsyncIterator[bytes]:
    """The body in pieces; raise `INVALID_REQUEST` if it is not as long as it says."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > size:
            break
        yield chunk
    if received != size:
        raise ValidationError("the body is not as long as Content-Length says")


def _declared_size(request: Request, limit: int) -> int:
    declared = header_of(request.scope, b"content-length")
    if declared is None or not declared.isdigit():
        raise ValidationError("say in Content-Length how many bytes the file has")
    if int(declared) > limit:
        raise ValidationError(f"the file is larger than {limit} bytes", ErrorCode.CONTENT_TOO_LARGE)
    return int(declared)


def _digest_of(request: Request) -> str:
    found = _DIGEST.fullmatch((header_of(request.scope, b"content-digest") or "").encode("latin-1"))
    if found is None:
        raise ValidationError("say in Content-Digest what the file's SHA-256 is: sha-256=:BASE64:")
    return base64.b64decode(found[1]).hex()


def _actor(principal: Principal) -> ModelActor:
    try:
        return ModelActor(name=principal.name, door=ModelDoor.HTTP, keyless=principal.keyless)
    except ValueError:
        raise ValidationError(
            "the API key's name has control characters or more than 128 characters; use a key that names a person"
        ) from None


def _name(request: Request) -> str:
    try:
        return _NAME.validate_python(request.path_params["name"])
    except PydanticError:
        raise ValidationError("a model's name is 1 to 63 letters, digits and _.-, a letter or a digit first") from None


def _version(request: Request) -> tuple[str, str]:
    try:
        return _name(request), _NUMBER.validate_python(request.path_params["version"])
    except PydanticError:
        raise ValidationError("a model's version is one by semver.org, such as 1.4.0") from None


def _versions_asked(request: Request, part: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(request.query_params.getlist(part)))
    if len(asked) > _COLUMNS or not all(1 <= len(each) <= 128 and each.isprintable() for each in asked):
        raise ValidationError(f"name at most {_COLUMNS} versions of the {part}, of 1 to 128 characters")
    return asked


def _choice(request: Request, name: str, kind: type[Choice]) -> Choice | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise ValidationError(f"{name} is one of {', '.join(kind)}") from None


def _enum(kind: type[StrEnum]) -> dict[str, object]:
    return {"type": "string", "enum": [each.value for each in kind]}


def _number(query: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= highest:
        raise ValidationError(f"{name} is a whole number from 1 to {highest}")
    return int(text)


_EXAMPLE: dict[str, object] = {
    "name": "llama3_mapper",
    "version": "1.2.0",
    "kind": "mapper",
    "base_model": "meta-llama/Meta-Llama-3-8B-Instruct",
    "metrics": {"level2_accuracy": 0.81},
    "compatible": {"taxonomy": ">=1.1.0,<2.0.0"},
    "artifacts": [
        {
            "path": "adapter_model.safetensors",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "size": 4,
        }
    ],
}
