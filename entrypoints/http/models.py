"""The registry of models over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.models import (
    ModelArtifact,
    ModelCheck,
    ModelDeprecation,
    ModelHistory,
    ModelKind,
    ModelList,
    ModelManifest,
    ModelMatrix,
    ModelPromotion,
    ModelRemark,
    ModelStage,
    ModelVersion,
    ModelVersionInfo,
    ModelVersionList,
    RetentionReport,
    RetentionRequest,
    StoredArtifact,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import EVERYONE, Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import whole_number
from llama_mapper.entrypoints.http.model_requests import (
    COLUMNS,
    actor_of,
    artifact_path,
    bounded,
    choice_of,
    declared_size,
    digest_of,
    model_name,
    model_version,
    versions_asked,
)
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.models.service import ModelRegistry

BINARY = "application/octet-stream"
_MANIFEST_LIMIT = 1_048_576
_STEP_LIMIT = 16_384
_MODEL = "/v1/models/{name}"
_VERSION = "/v1/models/{name}/versions/{version}"

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
        kind = choice_of(request, "kind", ModelKind)
        stage = choice_of(request, "stage", ModelStage)
        return json_answer(await registry.list(principal.tenant_for(None), kind=kind, stage=stage))

    async def register(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        manifest = await read_model(request, ModelManifest, _MANIFEST_LIMIT)
        return json_answer(await registry.register(owner, manifest, actor_of(principal)), 201)

    async def upload(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        name, version = model_version(request)
        path = artifact_path(request)
        sha256 = digest_of(request)
        size = declared_size(request, artifact_limit)
        artifact = ModelArtifact(path=path, sha256=sha256, size=size)
        return json_answer(await registry.upload(owner, name, version, artifact, bounded(request, size)), 201)

    async def versions(request: Request, principal: Principal) -> Response:
        return json_answer(await registry.versions(principal.tenant_for(None), model_name(request)))

    async def show(request: Request, principal: Principal) -> Response:
        return json_answer(await registry.show(principal.tenant_for(None), *model_version(request)))

    async def history(request: Request, principal: Principal) -> Response:
        limit = whole_number(request.query_params, "limit", least=1, most=1000) or 100
        before = whole_number(request.query_params, "before", least=1)
        found = await registry.history(principal.tenant_for(None), model_name(request), limit=limit, before=before)
        return json_answer(found)

    async def promote(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, ModelPromotion, _STEP_LIMIT)
        return json_answer(await registry.promote(owner, *model_version(request), asked, actor_of(principal)))

    async def deprecate(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, ModelDeprecation, _STEP_LIMIT)
        return json_answer(await registry.deprecate(owner, *model_version(request), asked, actor_of(principal)))

    async def archive(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, ModelRemark, _STEP_LIMIT)
        return json_answer(await registry.archive(owner, *model_version(request), asked, actor_of(principal)))

    async def verify(request: Request, principal: Principal) -> Response:
        return json_answer(await registry.verify(principal.tenant_for(None), *model_version(request)))

    async def matrix(request: Request, principal: Principal) -> Response:
        columns = {part: versions_asked(request, part) for part in ("taxonomy", "vocabulary", "crosswalk")}
        return json_answer(await registry.matrix(principal.tenant_for(None), **columns))

    async def prune(request: Request, principal: Principal) -> Response:
        owner = owner_of(request, principal)
        asked = await read_model(request, RetentionRequest, _STEP_LIMIT)
        return json_answer(await registry.retain(owner, asked, actor_of(principal)))

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
                        "maxItems": COLUMNS,
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


def _enum(kind: type[StrEnum]) -> dict[str, object]:
    return {"type": "string", "enum": [each.value for each in kind]}


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
