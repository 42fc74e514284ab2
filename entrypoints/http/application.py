"""A Starlette application from operations, health routes and an authenticator."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llama_mapper.domain.kernel.tracing import Tracing
from llama_mapper.entrypoints.containers.schemas import schema_versions
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.http.docs_page import docs_page
from llama_mapper.entrypoints.http.fixed_paths import FixedPaths
from llama_mapper.entrypoints.http.idempotency import Idempotency
from llama_mapper.entrypoints.http.openapi import openapi_document
from llama_mapper.entrypoints.http.operations import Operation, routes_of
from llama_mapper.entrypoints.http.problems import on_http_exception
from llama_mapper.entrypoints.http.profiles import Schemas
from llama_mapper.entrypoints.http.rate_limits import RateLimits
from llama_mapper.entrypoints.http.telemetry import OnRequest, TelemetryMiddleware
from llama_mapper.entrypoints.schema_defaults import SchemaDefaults


def create_application(
    operations: Sequence[Operation],
    health: Sequence[Route],
    authenticator: Authenticator,
    on_request: OnRequest,
    *,
    version: str,
    docs: bool,
    timeout_s: float,
    limits: RateLimits | None = None,
    idempotency: Idempotency | None = None,
    schemas: Schemas = schema_versions,
    defaults: SchemaDefaults | None = None,
    tracing: Tracing | None = None,
) -> Starlette:
    """The application that serves `operations`; `docs` adds `/openapi.json` and `/docs`.

    `schemas` gives the versions that callers may name, and is first called at the first answer; `defaults` those that
    others get.
    """
    routes = routes_of(operations, authenticator, timeout_s, limits, idempotency, schemas, defaults)
    if docs:
        routes += _docs_routes(operations, version)
    application = Starlette(
        routes=[*routes, *health],
        middleware=[
            Middleware(TelemetryMiddleware, on_request=on_request, tracing=tracing),
            Middleware(FixedPaths, routes=routes),
        ],
        exception_handlers={HTTPException: on_http_exception},
    )
    application.state.schemas = schemas
    return application


def _docs_routes(operations: Sequence[Operation], version: str) -> list[Route]:
    rendered: dict[str, bytes] = {}

    async def openapi(_: Request) -> Response:
        if "json" not in rendered:
            rendered["json"] = orjson.dumps(openapi_document(operations, version), option=orjson.OPT_INDENT_2)
        return Response(rendered["json"], media_type="application/json")

    async def docs(_: Request) -> Response:
        if "html" not in rendered:
            rendered["html"] = docs_page(openapi_document(operations, version)).encode()
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return Response(rendered["html"], media_type="text/html", headers={"content-security-policy": policy})

    return [Route("/openapi.json", openapi, name="openapi"), Route("/docs", docs, name="docs")]
