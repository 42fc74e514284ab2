"""The life of policy bundles over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.policies import (
    Door,
    PolicyActivationList,
    PolicyActivationRequest,
    PolicyActor,
    PolicyApproval,
    PolicyDifference,
    PolicyDraft,
    PolicyHistory,
    PolicyLifecycleApi,
    PolicyRefusal,
    PolicyScopeRequest,
    PolicyValidation,
    PolicyVersionDetail,
    PolicyVersionInfo,
    PolicyVersionList,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

POLICY_BODY_LIMIT = 1_048_576
"""Bytes of a draft: every version that is in force is held in memory."""

_STEP_BODY_LIMIT = 16_384
_BUNDLE = "/v1/policies/{bundle}"
_VERSION = "/v1/policies/{bundle}/versions/{version}"
_NAME: dict[str, object] = {"type": "string", "minLength": 1, "maxLength": 128}
_CHANGES = (ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.POLICY_STATE)
_SCOPE: dict[str, object] = {"key": None, "content_type": "clinical", "enforcement": "enforce"}


def policy_operations(api: PolicyLifecycleApi) -> list[Operation]:
    """`/v1/policies:draft` and what hangs below `/v1/policies/{bundle}`."""

    async def draft(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyDraft, POLICY_BODY_LIMIT)
        return json_answer(await api.draft(principal.tenant_for(None), asked, actor_of(principal)))

    async def validate(request: Request, principal: Principal) -> Response:
        return json_answer(await api.validate(*_version(request, principal), actor_of(principal)))

    async def approve(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyApproval, _STEP_BODY_LIMIT)
        return json_answer(await api.approve(*_version(request, principal), asked, actor_of(principal)))

    async def reject(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyRefusal, _STEP_BODY_LIMIT)
        return json_answer(await api.reject(*_version(request, principal), asked, actor_of(principal)))

    async def withdraw(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyRefusal, _STEP_BODY_LIMIT)
        return json_answer(await api.withdraw(*_version(request, principal), asked, actor_of(principal)))

    async def activate(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyActivationRequest, _STEP_BODY_LIMIT)
        return json_answer(await api.activate(*_version(request, principal), asked, actor_of(principal)))

    async def deactivate(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyScopeRequest, _STEP_BODY_LIMIT)
        return json_answer(await api.deactivate(*_bundle(request, principal), asked, actor_of(principal)))

    async def rollback(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, PolicyScopeRequest, _STEP_BODY_LIMIT)
        return json_answer(await api.rollback(*_bundle(request, principal), asked, actor_of(principal)))

    async def versions(request: Request, principal: Principal) -> Response:
        return json_answer(await api.versions(*_bundle(request, principal)))

    async def version(request: Request, principal: Principal) -> Response:
        return json_answer(await api.version(*_version(request, principal)))

    async def activations(request: Request, principal: Principal) -> Response:
        return json_answer(await api.activations(*_bundle(request, principal)))

    async def history(request: Request, principal: Principal) -> Response:
        query = request.query_params
        limit = _number(query, "limit", 100, 1000)
        before = _number(query, "before", 0, 2_000_000_000) or None
        return json_answer(await api.history(*_bundle(request, principal), limit=limit, before=before))

    async def difference(request: Request, principal: Principal) -> Response:
        names = [request.query_params.get(name, "") for name in ("from", "to")]
        if not all(1 <= len(name) <= 128 for name in names):
            raise ValidationError("name the two versions as from=… and to=…, 1 to 128 characters each")
        return json_answer(await api.difference(*_bundle(request, principal), *names))

    return [
        _changing(
            "draftPolicy",
            "/v1/policies:draft",
            "Store a new version of a bundle as a draft; its content never changes.",
            draft,
            PolicyVersionInfo,
            PolicyDraft,
            errors=(ErrorCode.CONFLICT, ErrorCode.POLICY_STATE),
            example={
                "bundle": "acme",
                "version": "1",
                "modules": {"policy.rego": "package llama_mapper.policy\n\nimport rego.v1\n\nplan := {}\n"},
            },
        ),
        _changing(
            "validatePolicy",
            f"{_VERSION}:validate",
            "Examine a draft and record whether it is valid.",
            validate,
            PolicyValidation,
        ),
        _changing(
            "approvePolicy",
            f"{_VERSION}:approve",
            "Approve a validated version that another person drafted.",
            approve,
            PolicyVersionInfo,
            PolicyApproval,
            errors=(*_CHANGES, ErrorCode.FOUR_EYES),
            example={"note": "as agreed on Tuesday"},
        ),
        _changing(
            "rejectPolicy",
            f"{_VERSION}:reject",
            "Refuse a version that is not approved yet, for good.",
            reject,
            PolicyVersionInfo,
            PolicyRefusal,
            example={"reason": "blocks too much"},
        ),
        _changing(
            "withdrawPolicy",
            f"{_VERSION}:withdraw",
            "Take a version back that was never in force, for good.",
            withdraw,
            PolicyVersionInfo,
            PolicyRefusal,
            example={"reason": "superseded by version 2"},
        ),
        _changing(
            "activatePolicy",
            f"{_VERSION}:activate",
            "Put an approved version in force for a scope, or for a part of its traffic.",
            activate,
            PolicyActivationList,
            PolicyActivationRequest,
            example={"scope": _SCOPE, "percent": 10},
        ),
        _changing(
            "deactivatePolicy",
            f"{_BUNDLE}:deactivate",
            "Leave a scope without a version of its own, so that the next level decides.",
            deactivate,
            PolicyActivationList,
            PolicyScopeRequest,
            example={"scope": _SCOPE},
        ),
        _changing(
            "rollbackPolicy",
            f"{_BUNDLE}:rollback",
            "Return a scope to what was in force before its last change.",
            rollback,
            PolicyActivationList,
            PolicyScopeRequest,
            example={"scope": _SCOPE, "note": "blocks customers"},
        ),
        _reading("listPolicyVersions", f"{_BUNDLE}/versions", "A bundle's versions.", versions, PolicyVersionList),
        _reading("getPolicyVersion", _VERSION, "One version with its content.", version, PolicyVersionDetail),
        _reading(
            "listPolicyActivations",
            f"{_BUNDLE}/activations",
            "What is in force of a bundle, by scope.",
            activations,
            PolicyActivationList,
        ),
        _reading(
            "getPolicyHistory",
            f"{_BUNDLE}/history",
            "What happened to a bundle, newest first.",
            history,
            PolicyHistory,
            QueryParameter("limit", "Steps to list.", {"type": "integer", "minimum": 1, "maximum": 1000}),
            QueryParameter("before", "Only steps before this number.", {"type": "integer", "minimum": 1}),
        ),
        _reading(
            "diffPolicies",
            f"{_BUNDLE}/diff",
            "How two versions differ: modules, data, and the plans that they give.",
            difference,
            PolicyDifference,
            QueryParameter("from", "The earlier version.", _NAME),
            QueryParameter("to", "The later version.", _NAME),
        ),
    ]


def _changing(
    name: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    body: type[BaseModel] | None = None,
    *,
    errors: tuple[ErrorCode, ...] = _CHANGES,
    example: dict[str, object] | None = None,
) -> Operation:
    return Operation(
        id=name,
        method="POST",
        path=path,
        tag="policies",
        summary=summary,
        scope=Scope.ADMIN,
        handler=handler,
        requests=() if body is None else (body,),
        responses={200: (answer,)},
        errors=(ErrorCode.INVALID_REQUEST, *errors),
        example=example,
    )


def _reading(
    name: str, path: str, summary: str, handler: Handler, answer: type[BaseModel], *query: QueryParameter
) -> Operation:
    return Operation(
        id=name,
        method="GET",
        path=path,
        tag="policies",
        summary=summary,
        scope=Scope.READ,
        handler=handler,
        responses={200: (answer,)},
        errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
        query=query,
    )


def actor_of(principal: Principal) -> PolicyActor:
    """Who takes a step, by the credential; raise `INVALID_REQUEST` for a name that records cannot hold."""
    try:
        return PolicyActor(name=principal.name, door=Door.HTTP, keyless=principal.keyless)
    except ValueError:
        raise ValidationError(
            "the API key's name has control characters or more than 128 characters; use a key that names a person"
        ) from None


def _bundle(request: Request, principal: Principal) -> tuple[str, str]:
    return principal.tenant_for(None), _named(request, "bundle")


def _version(request: Request, principal: Principal) -> tuple[str, str, str]:
    return (*_bundle(request, principal), _named(request, "version"))


def _named(request: Request, name: str) -> str:
    value: str = request.path_params[name]
    if len(value) > 128 or "\x00" in value:
        raise ValidationError(f"the {name} has at most 128 characters, and no NUL")
    return value


def _number(query: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= highest:
        raise ValidationError(f"{name} is a whole number from 1 to {highest}")
    return int(text)
