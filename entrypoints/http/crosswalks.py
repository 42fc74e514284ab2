"""Crosswalk versions over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.crosswalks import (
    CrosswalkAccuracy,
    CrosswalkDeployment,
    CrosswalkDeskApi,
    CrosswalkHistory,
    CrosswalkInfo,
    CrosswalkList,
    CrosswalkRollback,
    CrosswalkUpload,
)
from llama_mapper.domain.contracts.curation import DocumentDifference
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import curated, curator_of, matching, named
from llama_mapper.entrypoints.http.documents import DOCUMENT_LIMIT
from llama_mapper.entrypoints.http.operations import Operation, QueryParameter

_TAG = "crosswalks"
_STEP_LIMIT = 16_384
_ONE = "/v1/crosswalks/{version}"
_NAME: dict[str, object] = {"type": "string", "minLength": 1, "maxLength": 64}
_FRAMEWORK = QueryParameter(
    "framework",
    "Only the cases of this framework, or of this `framework:edition`.",
    {"type": "string", "minLength": 1, "maxLength": 64},
)
_CONFLICTS = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)


def crosswalk_operations(api: CrosswalkDeskApi) -> list[Operation]:
    """`/v1/crosswalks` and what hangs below it."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    async def upload(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, CrosswalkUpload, DOCUMENT_LIMIT)
        return json_answer(await api.upload(principal.tenant_for(None), asked, curator_of(principal)))

    async def accuracy(request: Request, principal: Principal) -> Response:
        framework = request.query_params.get("framework")
        if framework is not None and not 1 <= len(framework) <= 64:
            raise ValidationError("a framework's name has 1 to 64 characters")
        return json_answer(await api.accuracy(*_version(request, principal), framework))

    async def deploy(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, CrosswalkDeployment, _STEP_LIMIT)
        return json_answer(await api.deploy(*_version(request, principal), asked, curator_of(principal)))

    async def rollback(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, CrosswalkRollback, _STEP_LIMIT)
        return json_answer(await api.rollback(principal.tenant_for(None), asked, curator_of(principal)))

    async def history(_: Request, principal: Principal) -> Response:
        return json_answer(await api.history(principal.tenant_for(None)))

    async def difference(request: Request, principal: Principal) -> Response:
        names = [request.query_params.get(name, "") for name in ("from", "to")]
        before, after = (_version_name(name) for name in names)
        return json_answer(await api.difference(principal.tenant_for(None), before, after))

    return [
        curated(
            _TAG,
            "listCrosswalks",
            "GET",
            "/v1/crosswalks",
            "Versions, and the share that each answers.",
            listed,
            CrosswalkList,
        ),
        curated(
            _TAG,
            "uploadCrosswalk",
            "POST",
            "/v1/crosswalks",
            "Store a version of the crosswalk; its content never changes.",
            upload,
            CrosswalkInfo,
            body=CrosswalkUpload,
            errors=(ErrorCode.CONFLICT, ErrorCode.DOCUMENT_INVALID),
            example={
                "version": "2026-1",
                "crosswalk": {
                    "pii.personal_identifiers.email": {
                        "rationale": "An address is personal data.",
                        "controls": {
                            "gdpr:2016": ["Article.5", "Article.6", "Article.32"],
                            "soc2:2017": ["C1.1", "P4.1"],
                        },
                    }
                },
            },
        ),
        curated(
            _TAG,
            "evaluateCrosswalk",
            "GET",
            f"{_ONE}/accuracy",
            "How a version does on the test cases.",
            accuracy,
            CrosswalkAccuracy,
            query=(_FRAMEWORK,),
            errors=(
                ErrorCode.INVALID_REQUEST,
                ErrorCode.NOT_FOUND,
                ErrorCode.FRAMEWORK_NOT_FOUND,
                ErrorCode.EDITION_NOT_FOUND,
            ),
        ),
        curated(
            _TAG,
            "deployCrosswalk",
            "POST",
            f"{_ONE}:deploy",
            "Let a version answer a share of the traffic, if it passes its test cases.",
            deploy,
            CrosswalkList,
            body=CrosswalkDeployment,
            errors=(*_CONFLICTS, ErrorCode.ACCURACY_TOO_LOW),
            example={"percent": 10},
        ),
        curated(
            _TAG,
            "rollbackCrosswalk",
            "POST",
            "/v1/crosswalks:rollback",
            "Return to what was deployed before the last change.",
            rollback,
            CrosswalkList,
            body=CrosswalkRollback,
            errors=(ErrorCode.CONFLICT,),
            example={"note": "a control is missing"},
        ),
        curated(
            _TAG,
            "getCrosswalkHistory",
            "GET",
            "/v1/crosswalks:history",
            "The changes of what is deployed, newest first.",
            history,
            CrosswalkHistory,
        ),
        curated(
            _TAG,
            "diffCrosswalks",
            "GET",
            "/v1/crosswalks:diff",
            "Links that were added, removed, or have another reason.",
            difference,
            DocumentDifference,
            query=(
                QueryParameter("from", "The earlier version; the shipped one by its number.", _NAME, required=True),
                QueryParameter("to", "The later version.", _NAME, required=True),
            ),
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
        ),
    ]


def _version(request: Request, principal: Principal) -> tuple[str, str]:
    return principal.tenant_for(None), _version_name(named(request, "version"))


def _version_name(name: str) -> str:
    return matching(
        name,
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
        "a version's name has 1 to 64 letters, digits, '_', '.' and '-', and begins with a letter or digit",
    )
