"""An HTTP operation as data: routes and the OpenAPI document are both made from it, so that they cannot differ."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.convertors import CONVERTOR_TYPES, StringConvertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ServiceError
from llama_mapper.domain.kernel.rate_limits import Allowance
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL, TENANT_PATTERN, Principal, Scope
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.http.bodies import RefusedBody
from llama_mapper.entrypoints.http.default_versions import SpokenVersions, exchange_of
from llama_mapper.entrypoints.http.fixed_paths import Served
from llama_mapper.entrypoints.http.headers import header_of
from llama_mapper.entrypoints.http.idempotency import HEADER, Idempotency, Idempotent
from llama_mapper.entrypoints.http.problems import UNEXPECTED, failure, problem_response, refusal
from llama_mapper.entrypoints.http.profiles import Schemas, answer_version
from llama_mapper.entrypoints.http.rate_limits import RateLimits, denial, tell
from llama_mapper.entrypoints.schema_defaults import SchemaDefaults

Handler = Callable[[Request, Principal], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

BODY_ERRORS = (
    ErrorCode.INVALID_REQUEST,
    ErrorCode.CONTENT_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.SCHEMA_UNKNOWN,
)
ACCESS_ERRORS = (ErrorCode.UNAUTHORIZED, ErrorCode.INSUFFICIENT_RBAC, ErrorCode.TENANT_MISMATCH, ErrorCode.RATE_LIMITED)
IDEMPOTENCY_ERRORS = (ErrorCode.INVALID_REQUEST, ErrorCode.IDEMPOTENCY_CONFLICT)
SERVER_ERRORS = (ErrorCode.INTERNAL_ERROR, ErrorCode.STORE_UNAVAILABLE, ErrorCode.REQUEST_TIMEOUT)
_KEY_HEADER = HEADER.lower().encode()
_LATE = "the request took longer than this server allows"


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter, or a header, and its JSON schema."""

    name: str
    description: str
    schema: dict[str, object]
    required: bool = False


TENANT_PARAMETER = QueryParameter(
    "tenant_id",
    "May repeat the credential's tenant; the links between contexts name the tenant that they act for.",
    {"type": "string", "pattern": TENANT_PATTERN},
)


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """How errors look where somebody else's contract says so: their model, their status, and the answer itself."""

    model: type[BaseModel]
    status: Callable[[ErrorCode], int]
    answer: Callable[[ServiceError], Response]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path: what it takes, what it answers, what can go wrong, and which scope it needs.

    `requests` has several models where the body may be one of several; `responses` is status → models; `errors` are
    codes besides those of every operation. `idempotent` is set where the operation takes an `Idempotency-Key`.
    `error_form` replaces problem documents.
    """

    id: str
    method: str
    path: str
    tag: str
    summary: str
    scope: Scope
    handler: Handler
    responses: dict[int, tuple[type[BaseModel], ...]]
    requests: tuple[type[BaseModel], ...] = ()
    errors: tuple[ErrorCode, ...] = ()
    query: tuple[QueryParameter, ...] = ()
    headers: tuple[QueryParameter, ...] = ()
    example: dict[str, object] | None = None
    request_media_type: str = "application/json"
    response_media_type: str = "application/json"
    idempotent: Idempotent | None = None
    error_form: ErrorForm | None = None
    binary_request: bool = False
    """Whether the body is any bytes, of `request_media_type`."""
    timeout_s: float | None = None
    """Seconds that it may take, where that is not what others may."""

    @property
    def all_errors(self) -> tuple[ErrorCode, ...]:
        """Every code that the operation may answer with."""
        body = BODY_ERRORS if self.requests else ()
        repeated = IDEMPOTENCY_ERRORS if self.idempotent else ()
        return (*body, *repeated, *ACCESS_ERRORS, *self.errors, *SERVER_ERRORS)


def routes_of(
    operations: Sequence[Operation],
    authenticator: Authenticator,
    timeout_s: float,
    limits: RateLimits | None = None,
    idempotency: Idempotency | None = None,
    schemas: Schemas | None = None,
    defaults: SchemaDefaults | None = None,
) -> list[Route]:
    """The operations as routes, one a path: only so does a 405 name every method that the path has.

    Without `limits` nothing is counted; without `idempotency` an `Idempotency-Key` is ignored; without `schemas` every
    answer is of the newest version and names none; without `defaults` whoever names no version gets the newest.
    """
    by_path: dict[str, dict[str, Endpoint]] = {}
    names: dict[str, str] = {}
    for operation in operations:
        own_timeout_s = timeout_s if operation.timeout_s is None else operation.timeout_s
        endpoint = _endpoint_of(operation, authenticator, own_timeout_s, limits, idempotency, schemas, defaults)
        by_path.setdefault(operation.path, {})[operation.method] = endpoint
        names.setdefault(operation.path, operation.id)
    return [_route(path, endpoints, names[path]) for path, endpoints in by_path.items()]


def _route(path: str, endpoints: Mapping[str, Endpoint], name: str) -> Route:
    route = Route(_routed(path), Served(_by_method(endpoints)), methods=list(endpoints), name=name)
    route.path = path  # what logs and metrics call it
    return route


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    if len(endpoints) == 1:
        return next(iter(endpoints.values()))

    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return endpoint


def _endpoint_of(
    operation: Operation,
    authenticator: Authenticator,
    timeout_s: float,
    limits: RateLimits | None,
    idempotency: Idempotency | None,
    schemas: Schemas | None,
    defaults: SchemaDefaults | None,
) -> Endpoint:
    """The operation counted, authenticated, permitted, handled in time, and every error in the operation's form."""
    handler, scope, terms = operation.handler, operation.scope, operation.idempotent
    form = operation.error_form
    by_address = limits if limits is not None and limits.by_address else None
    by_credential = limits if limits is not None and limits.by_credential else None
    answers = frozenset(model.__name__ for models in operation.responses.values() for model in models)
    spoken = None
    if schemas is not None and operation.response_media_type == "application/json":
        spoken = SpokenVersions(operation.requests, operation.responses, schemas, defaults)

    async def handled(request: Request, principal: Principal) -> Response:
        try:
            return await handler(request, principal)
        except ClientDisconnect:
            raise
        except Exception as error:
            return _answer_to(error, form)

    async def serve(request: Request, allowances: list[Allowance], *, is_named: bool) -> Response:
        if by_address is not None and not authenticator.is_link(request):
            allowances += await by_address.admit_address(request)
            if (denied := denial(allowances)) is not None:
                raise denied
        principal = await authenticator.authenticate(request)
        if by_credential is not None:
            allowances += await by_credential.admit(principal)
            if allowances and (denied := denial(allowances)) is not None:
                raise denied
        principal.require(scope)
        token = CURRENT_PRINCIPAL.set(principal)
        try:
            exchange = None
            if spoken is not None:
                exchange = spoken.begin(request.scope, principal, is_named=is_named)
            if terms is not None and idempotency is not None and header_of(request.scope, _KEY_HEADER) is not None:
                response = await idempotency.answer(
                    operation.id, terms, request, principal, lambda again: handled(again, principal)
                )
            else:
                response = await handler(request, principal)
            return response if exchange is None else exchange.answer(response)
        finally:
            CURRENT_PRINCIPAL.reset(token)

    async def endpoint(request: Request) -> Response:
        allowances: list[Allowance] = []
        try:
            async with asyncio.timeout(timeout_s):
                version = answer_version(request.scope, answers, schemas) if schemas is not None else None
                response = await serve(request, allowances, is_named=version is not None)
                if version is not None:
                    response = version.of(response)
        except ClientDisconnect:
            raise
        except Exception as error:
            response = _answer_to(error, form)
            if (exchange := exchange_of(request)) is not None:
                exchange.ended(response.status_code)
        if allowances:
            tell(response, allowances)
        return response

    return endpoint


def _answer_to(error: Exception, form: ErrorForm | None) -> Response:
    if isinstance(error, TimeoutError):
        error = OrchestrationError(_LATE, ErrorCode.REQUEST_TIMEOUT, True)
        return problem_response(error) if form is None else form.answer(error)
    if isinstance(error, RefusedBody):
        return problem_response(error.refusal, error.faults) if form is None else form.answer(error.refusal)
    if isinstance(error, ServiceError):
        problem = refusal(error)
        return problem if form is None else form.answer(error)
    problem = failure(error)
    return problem if form is None else form.answer(ServiceError(UNEXPECTED))


class _Segment(StringConvertor):
    """A path parameter ends before a colon too: what follows is a verb, as in `/versions/{version}:approve`."""

    regex = "[^/:]+"


def _routed(path: str) -> str:
    CONVERTOR_TYPES.setdefault("segment", _Segment())
    # A parameter named `path` is one: it takes the rest, slashes included.
    return re.sub(r"{(\w+)}", r"{\1:segment}", path).replace("{path:segment}", "{path:path}")
