"""An HTTP operation as data: routes and the OpenAPI document are both made from it, so that they cannot differ."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ServiceError
from llama_mapper.domain.kernel.tenancy import TENANT_PATTERN, Principal, Scope
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.http.bodies import RefusedBody
from llama_mapper.entrypoints.http.problems import UNEXPECTED, failure, problem_response, refusal

Handler = Callable[[Request, Principal], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

BODY_ERRORS = (
    ErrorCode.INVALID_REQUEST,
    ErrorCode.CONTENT_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
)
ACCESS_ERRORS = (ErrorCode.UNAUTHORIZED, ErrorCode.INSUFFICIENT_RBAC, ErrorCode.TENANT_MISMATCH)
SERVER_ERRORS = (ErrorCode.INTERNAL_ERROR, ErrorCode.STORE_UNAVAILABLE, ErrorCode.REQUEST_TIMEOUT)
_LATE = "the request took longer than this server allows"


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter and its JSON schema."""

    name: str
    description: str
    schema: dict[str, object]


TENANT_PARAMETER = QueryParameter(
    "tenant_id",
    "May repeat the credential's tenant; the links between contexts name the tenant that they act for.",
    {"type": "string", "pattern": TENANT_PATTERN},
)


@dataclass(frozen=True, slots=True)
class HeaderParameter:
    """A request header and its JSON schema."""

    name: str
    description: str
    schema: dict[str, object]
    required: bool = False


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
    codes besides those of every operation. `error_form` replaces problem documents.
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
    example: dict[str, object] | None = None
    headers: tuple[HeaderParameter, ...] = ()
    error_form: ErrorForm | None = None

    @property
    def all_errors(self) -> tuple[ErrorCode, ...]:
        """Every code that the operation may answer with."""
        body = BODY_ERRORS if self.requests else ()
        return (*body, *ACCESS_ERRORS, *self.errors, *SERVER_ERRORS)


def routes_of(operations: Sequence[Operation], authenticator: Authenticator, timeout_s: float) -> list[Route]:
    """The operations as routes, one a path, so that what is refused there is told all methods that are not."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [_route(path, methods, authenticator, timeout_s) for path, methods in by_path.items()]


def _route(path: str, methods: dict[str, Operation], authenticator: Authenticator, timeout_s: float) -> Route:
    endpoints = {method: _endpoint(operation, authenticator, timeout_s) for method, operation in methods.items()}
    endpoint = next(iter(endpoints.values()))
    if len(endpoints) > 1:

        async def endpoint(request: Request) -> Response:
            return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    route = Route(path, endpoint, methods=list(endpoints), name=next(iter(methods.values())).id)
    # `{name}:verb` is a path of its own and must not be taken for a name by `{name}`.
    route.path_regex = re.compile(route.path_regex.pattern.replace("[^/]+", "[^/:]+"))
    return route


def _endpoint(operation: Operation, authenticator: Authenticator, timeout_s: float) -> Endpoint:
    """The operation authenticated, permitted, handled in time, and every error answered in its form."""
    handler, scope, form = operation.handler, operation.scope, operation.error_form

    async def endpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(timeout_s):
                principal = await authenticator.authenticate(request)
                principal.require(scope)
                return await handler(request, principal)
        except TimeoutError:
            late = OrchestrationError(_LATE, ErrorCode.REQUEST_TIMEOUT, True)
            return problem_response(late) if form is None else form.answer(late)
        except ServiceError as error:
            problem = refusal(error)
            return problem if form is None else form.answer(error)
        except RefusedBody as error:
            return problem_response(error.refusal, error.faults) if form is None else form.answer(error.refusal)
        except ClientDisconnect:
            raise
        except Exception as error:
            problem = failure(error)
            return problem if form is None else form.answer(ServiceError(UNEXPECTED))

    return endpoint
