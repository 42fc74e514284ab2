"""The short way from a request to its operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Served:
    """An endpoint that answers every error itself, as an ASGI application.

    Starlette would wrap a plain function twice, to catch exceptions that never leave this one.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


class FixedPaths:
    """Finds `Served` endpoints on paths without parameters by one look-up, and leaves all else to the router.

    The router asks its routes one after another, within a handler of exceptions that a `Served` never raises.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route.endpoint, Served) and not route.param_convertors
            for method in route.methods or ()
            if _first_match(routes, method, route.path) is route
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        scope["path_params"] = {}
        await route.app(scope, receive, send)


def _first_match(routes: Sequence[Route], method: str, path: str) -> Route | None:
    """The route that the router would take."""
    asked = {"type": "http", "method": method, "path": path}
    return next((route for route in routes if route.matches(asked)[0] is Match.FULL), None)
