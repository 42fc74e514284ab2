"""Releases over HTTP: for the operator, since they change what answers all tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.releases import (
    BlueGreenStart,
    CanaryStart,
    Release,
    ReleaseActor,
    ReleaseAdvance,
    ReleaseApi,
    ReleaseDoor,
    ReleaseHistory,
    ReleaseList,
    ReleaseMode,
    ReleaseNote,
    ReleaseSeries,
    ReleaseValidation,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import parsed, read_body, read_model
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

BODY_LIMIT = 262_144
LIMIT = QueryParameter("limit", "How many to list.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})
_NOTE_LIMIT = 4096
_ONE = "/v1/releases/{id}"
_DIGEST = "sha256:" + "0" * 64

Step = Callable[[str, ReleaseNote, ReleaseActor], Awaitable[Release]]


class Mode(Contract):
    """Which body this is."""

    model_config = {"extra": "ignore"}

    mode: ReleaseMode | None = None


def release_operations(api: ReleaseApi, operator_tenant: str) -> list[Operation]:
    """`/v1/releases`; only credentials of `operator_tenant` may use any of it."""

    async def start(request: Request, principal: Principal) -> Response:
        actor = operator(principal, operator_tenant)
        body = await read_body(request, BODY_LIMIT)
        is_blue_green = parsed(Mode, body).mode is ReleaseMode.BLUE_GREEN
        plan = parsed(BlueGreenStart, body) if is_blue_green else parsed(CanaryStart, body)
        return json_answer(await api.start(plan, actor), 201)

    async def releases(request: Request, principal: Principal) -> Response:
        operator(principal, operator_tenant)
        return json_answer(await api.releases(limit=limit_of(request.query_params)))

    async def release(request: Request, principal: Principal) -> Response:
        operator(principal, operator_tenant)
        return json_answer(await api.release(id_of(request)))

    async def advance(request: Request, principal: Principal) -> Response:
        actor = operator(principal, operator_tenant)
        asked = await read_model(request, ReleaseAdvance, _NOTE_LIMIT)
        return json_answer(await api.advance(id_of(request), asked, actor))

    async def validate(request: Request, principal: Principal) -> Response:
        return json_answer(await api.validate(id_of(request), operator(principal, operator_tenant)))

    async def history(request: Request, principal: Principal) -> Response:
        operator(principal, operator_tenant)
        return json_answer(await api.history(id_of(request)))

    async def series(request: Request, principal: Principal) -> Response:
        operator(principal, operator_tenant)
        return json_answer(await api.series(id_of(request)))

    def step(take: Step) -> Handler:
        async def handler(request: Request, principal: Principal) -> Response:
            actor = operator(principal, operator_tenant)
            asked = await read_model(request, ReleaseNote, _NOTE_LIMIT)
            return json_answer(await take(id_of(request), asked, actor))

        return handler

    return [
        Operation(
            id="startRelease",
            method="POST",
            path="/v1/releases",
            tag="releases",
            summary="Release a version: to a growing part of the traffic (canary), or to all after validation.",
            scope=Scope.ADMIN,
            handler=start,
            requests=(CanaryStart, BlueGreenStart),
            responses={201: (Release,)},
            errors=(ErrorCode.RELEASE_GATE_FAILED, ErrorCode.RELEASE_STATE),
            example={
                "mode": "canary",
                "kind": "model",
                "baseline": "mapper@1.0.0",
                "candidate": "mapper@1.1.0",
                "evaluation": {"digest": _DIGEST, "figures": {"level2_accuracy": 0.81}},
            },
        ),
        Operation(
            id="listReleases",
            method="GET",
            path="/v1/releases",
            tag="releases",
            summary="Releases, newest first.",
            scope=Scope.READ,
            handler=releases,
            responses={200: (ReleaseList,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(LIMIT,),
        ),
        reading("getRelease", _ONE, "A release with its figures, intervals and gates.", release, Release, "releases"),
        changing(
            "advanceRelease",
            f"{_ONE}:advance",
            "Take a canary to its next stage, or complete it at the last.",
            advance,
            Release,
            "releases",
            ReleaseAdvance,
        ),
        _step(
            "holdRelease",
            "hold",
            "Keep a canary at its stage; a failing gate still rolls it back.",
            step(lambda *asked: api.hold(*asked)),
        ),
        _step("resumeRelease", "resume", "End a hold.", step(lambda *asked: api.resume(*asked))),
        _step(
            "rollBackRelease",
            "rollback",
            "Give all traffic back to the baseline, for good.",
            step(lambda *asked: api.roll_back(*asked)),
        ),
        Operation(
            id="validateRelease",
            method="POST",
            path=f"{_ONE}:validate",
            tag="releases",
            summary="Run the validation suite on a blue-green release's candidate.",
            scope=Scope.ADMIN,
            handler=validate,
            responses={200: (ReleaseValidation,)},
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.RELEASE_STATE, ErrorCode.CONFLICT),
        ),
        _step(
            "switchRelease",
            "switch",
            "Give all traffic to a validated candidate at once.",
            step(lambda *asked: api.switch(*asked)),
        ),
        _step(
            "switchReleaseBack",
            "switchback",
            "Give all traffic back to the baseline at once; it may be switched again.",
            step(lambda *asked: api.switch_back(*asked)),
        ),
        _step(
            "completeRelease",
            "complete",
            "End a switched release; its candidate stays in force.",
            step(lambda *asked: api.complete(*asked)),
        ),
        reading(
            "getReleaseHistory",
            f"{_ONE}/history",
            "Every step of a release or an experiment, oldest first.",
            history,
            ReleaseHistory,
            "releases",
        ),
        reading(
            "getReleaseSeries",
            f"{_ONE}/series",
            "How the intervals of a release or an experiment went.",
            series,
            ReleaseSeries,
            "releases",
        ),
    ]


def _step(name: str, verb: str, summary: str, handler: Handler) -> Operation:
    return changing(name, f"{_ONE}:{verb}", summary, handler, Release, "releases", ReleaseNote)


def changing(
    name: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    tag: str,
    body: type[BaseModel],
) -> Operation:
    """A step of one release or experiment."""
    return Operation(
        id=name,
        method="POST",
        path=path,
        tag=tag,
        summary=summary,
        scope=Scope.ADMIN,
        handler=handler,
        requests=(body,),
        responses={200: (answer,)},
        errors=(ErrorCode.NOT_FOUND, ErrorCode.RELEASE_STATE, ErrorCode.CONFLICT),
        example={"note": "as agreed on Tuesday"},
    )


def reading(name: str, path: str, summary: str, handler: Handler, answer: type[BaseModel], tag: str) -> Operation:
    """A look at one release or experiment."""
    return Operation(
        id=name,
        method="GET",
        path=path,
        tag=tag,
        summary=summary,
        scope=Scope.READ,
        handler=handler,
        responses={200: (answer,)},
        errors=(ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND),
    )


def operator(principal: Principal, operator_tenant: str) -> ReleaseActor:
    """Who takes a step; raise `INSUFFICIENT_RBAC` unless it is the operator."""
    if principal.tenant_id != operator_tenant or Scope.INTERNAL in principal.scopes:
        raise AuthorizationError("releases change what answers all tenants: only the operator may use them")
    try:
        return ReleaseActor(name=principal.name, door=ReleaseDoor.HTTP, keyless=principal.keyless)
    except ValueError:
        raise ValidationError(
            "the API key's name has control characters or more than 128 characters; use a key that names a person"
        ) from None


def id_of(request: Request) -> str:
    """The release that the path names."""
    value: str = request.path_params["id"]
    if len(value) > 128 or "\x00" in value:
        raise ValidationError("an id has at most 128 characters, and no NUL")
    return value


def limit_of(query: Mapping[str, str]) -> int:
    """How many to list: 1 to 1,000, 100 where nothing is said."""
    text = query.get("limit", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 1000:
        raise ValidationError("limit is a whole number from 1 to 1000")
    return int(text)
