"""The registry of detectors over HTTP: for the operator, since its detectors serve all tenants."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.detectors import (
    DetectorDefinition,
    DetectorHistory,
    DetectorRegistration,
    DetectorRegistryApi,
    ProbeReport,
    RegisteredDetector,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation, QueryParameter

_BODY_LIMIT = 1_048_576
_PROBE = QueryParameter(
    "probe",
    "`false`: store the definition without trying the detector first; the history says so.",
    {"type": "string", "enum": ["true", "false"], "default": "true"},
)
_WRITE_ERRORS = (ErrorCode.CONFLICT, ErrorCode.DETECTOR_INVALID, ErrorCode.INVALID_REQUEST)
_EXAMPLE: dict[str, object] = {
    "name": "hap",
    "vendor": "granite_guardian",
    "vendor_version": "hap-38m",
    "url": "http://127.0.0.1:8000",
    "protocol": {"kind": "fms", "detector_id": "hap"},
    "categories": ["content.toxic_language"],
    "vocabulary": {"LABEL_1": "content.toxic_language"},
}


def detector_operations(api: DetectorRegistryApi, operator_tenant: str) -> list[Operation]:
    """`/v1/detectors` but for the list; only credentials of `operator_tenant` may use any of it."""

    def require_operator(principal: Principal) -> None:
        if principal.tenant_id != operator_tenant or Scope.INTERNAL in principal.scopes:
            raise AuthorizationError("the registry of detectors serves all tenants: only the operator may use it")

    async def register(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        probe = _probe(request)
        definition = await read_model(request, DetectorDefinition, _BODY_LIMIT)
        return json_answer(await api.register(definition, principal.name, probe=probe), 201)

    async def show(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        return json_answer(await api.show(request.path_params["name"]))

    async def update(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        probe = _probe(request)
        definition = await read_model(request, DetectorDefinition, _BODY_LIMIT)
        return json_answer(await api.update(request.path_params["name"], definition, principal.name, probe=probe))

    async def delete(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        return json_answer(await api.delete(request.path_params["name"], principal.name))

    async def disable(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        return json_answer(await api.disable(request.path_params["name"], principal.name))

    async def enable(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        return json_answer(await api.enable(request.path_params["name"], principal.name))

    async def probe(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        return json_answer(await api.probe(request.path_params["name"]))

    async def revisions(request: Request, principal: Principal) -> Response:
        require_operator(principal)
        return json_answer(await api.history(request.path_params["name"]))

    one = "/v1/detectors/{name}"
    return [
        Operation(
            id="registerDetector",
            method="POST",
            path="/v1/detectors",
            tag="detectors",
            summary="Try a remote detector and put it into service, in every process within two seconds.",
            scope=Scope.ADMIN,
            handler=register,
            requests=(DetectorDefinition,),
            responses={201: (DetectorRegistration,)},
            errors=(*_WRITE_ERRORS, ErrorCode.DETECTOR_PROBE_FAILED),
            query=(_PROBE,),
            example=_EXAMPLE,
        ),
        Operation(
            id="showDetector",
            method="GET",
            path=one,
            tag="detectors",
            summary="A detector that a definition made: the definition, its revision, its health.",
            scope=Scope.READ,
            handler=show,
            responses={200: (RegisteredDetector,)},
            errors=(ErrorCode.DETECTOR_NOT_FOUND,),
        ),
        Operation(
            id="updateDetector",
            method="PUT",
            path=one,
            tag="detectors",
            summary="Replace a registered detector's definition by a new revision.",
            scope=Scope.ADMIN,
            handler=update,
            requests=(DetectorDefinition,),
            responses={200: (DetectorRegistration,)},
            errors=(*_WRITE_ERRORS, ErrorCode.DETECTOR_PROBE_FAILED, ErrorCode.DETECTOR_NOT_FOUND),
            query=(_PROBE,),
            example=_EXAMPLE,
        ),
        Operation(
            id="deleteDetector",
            method="DELETE",
            path=one,
            tag="detectors",
            summary="Take a registered detector out of service; its history stays.",
            scope=Scope.ADMIN,
            handler=delete,
            responses={200: (DetectorRegistration,)},
            errors=(ErrorCode.CONFLICT, ErrorCode.DETECTOR_NOT_FOUND),
        ),
        Operation(
            id="disableDetector",
            method="POST",
            path=f"{one}:disable",
            tag="detectors",
            summary="Take a registered detector out of service and keep its definition.",
            scope=Scope.ADMIN,
            handler=disable,
            responses={200: (DetectorRegistration,)},
            errors=(ErrorCode.CONFLICT, ErrorCode.DETECTOR_NOT_FOUND),
        ),
        Operation(
            id="enableDetector",
            method="POST",
            path=f"{one}:enable",
            tag="detectors",
            summary="Put a disabled detector back into service.",
            scope=Scope.ADMIN,
            handler=enable,
            responses={200: (DetectorRegistration,)},
            errors=(ErrorCode.CONFLICT, ErrorCode.DETECTOR_NOT_FOUND),
        ),
        Operation(
            id="probeDetector",
            method="POST",
            path=f"{one}:probe",
            tag="detectors",
            summary="Try a detector with a sign of life and a harmless fixed text.",
            scope=Scope.ADMIN,
            handler=probe,
            responses={200: (ProbeReport,)},
            errors=(ErrorCode.DETECTOR_NOT_FOUND, ErrorCode.DETECTOR_INVALID),
        ),
        Operation(
            id="listDetectorRevisions",
            method="GET",
            path=f"{one}/revisions",
            tag="detectors",
            summary="Every revision of a name that is or was registered, oldest first.",
            scope=Scope.READ,
            handler=revisions,
            responses={200: (DetectorHistory,)},
            errors=(ErrorCode.DETECTOR_NOT_FOUND,),
        ),
    ]


def _probe(request: Request) -> bool:
    text = request.query_params.get("probe", "true")
    if text not in ("true", "false"):
        raise ValidationError("probe is true or false")
    return text == "true"
