"""An HTTP operation as data: routes and the OpenAPI document are both made from it, so that they cannot differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError, ServiceError
from llama_mapper.domain.kernel.tenancy import TENANT_PATTERN, Principal, Scope
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.http.bodies import RefusedBody
from llama_mapper.entrypoints.http.problems import failure, problem_response, refusal

Handler = Callable[[Request, Principal], Awaitable[Response]]

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
class Operation:
    """One method on one path: what it takes, what it answers, what can go wrong, and which scope it needs.

    `requests` has several models where the body may be one of several; `responses` is status → models; `errors` are
    codes besides those of every operation.
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

    @property
    def all_errors(self) -> tuple[ErrorCode, ...]:
        """Every code that the operation may answer with."""
        body = BODY_ERRORS if self.requests else ()
        return (*body, *ACCESS_ERRORS, *self.errors, *SERVER_ERRORS)


class Endpoint:
    """An operation as an ASGI application: authenticated, permitted, handled in time, every error answered.

    Starlette would wrap a plain function twice, to catch exceptions that never leave this one.
    """

    __slots__ = ("_authenticator", "_handler", "_scope", "_timeout_s")

    def __init__(self, operation: Operation, authenticator: Authenticator, timeout_s: float) -> None:
        self._handler = operation.handler
        self._scope = operation.scope
        self._authenticator = authenticator
        self._timeout_s = timeout_s

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                principal = await self._authenticator.authenticate(request)
                principal.require(self._scope)
                return await self._handler(request, principal)
        except TimeoutError:
            return problem_response(OrchestrationError(_LATE, ErrorCode.REQUEST_TIMEOUT, True))
        except ServiceError as error:
            return refusal(error)
        except RefusedBody as error:
            return problem_response(error.refusal, error.faults)
        except ClientDisconnect:
            raise
        except Exception as error:
            return failure(error)


def route_of(operation: Operation, authenticator: Authenticator, timeout_s: float) -> Route:
    """The operation as a route."""
    endpoint = Endpoint(operation, authenticator, timeout_s)
    return Route(operation.path, endpoint, methods=[operation.method], name=operation.id)


class FixedPaths:
    """Finds operations on paths without parameters by one look-up, and leaves all else to the router.

    The router asks its routes one after another, within a handler of exceptions that an `Endpoint` never raises.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._routes: dict[tuple[str, str], Route] = {}
        for route in routes:
            if isinstance(route.endpoint, Endpoint) and not route.param_convertors:
                for method in route.methods or ():
                    if _first_match(routes, method, route.path) is route:
                        self._routes[method, route.path] = route

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        scope["path_params"] = {}
        await route.app(scope, receive, send)


def _first_match(routes: Sequence[Route], method: str, path: str) -> Route:
    """The route that the router would take; there is one."""
    asked = {"type": "http", "method": method, "path": path}
    return next(route for route in routes if route.matches(asked)[0] is Match.FULL)
