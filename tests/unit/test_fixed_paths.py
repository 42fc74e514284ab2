"""Operations on fixed paths are found by look-up: the same ones that the router would have found."""

from __future__ import annotations

import httpx2
import orjson
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.fixed_paths import FixedPaths
from llama_mapper.entrypoints.http.operations import Operation, routes_of
from tests.support.doors import Everyone
from tests.unit.test_http_faults import Body


def operation(name: str, method: str, path: str) -> Operation:
    async def handler(request: Request, _: Principal) -> Response:
        return Response(orjson.dumps({"operation": name, "given": request.path_params}))

    return Operation(name, method, path, "test", "", Scope.ASSESS, handler, {200: (Body,)})


ROUTES = routes_of(
    [
        operation(name, method, path)
        for name, method, path in [
            ("create", "POST", "/things"),
            ("list", "GET", "/things"),
            ("one", "GET", "/things/{thing}"),
            ("newest", "GET", "/things/newest"),
            ("batch", "POST", "/things:batch"),
        ]
    ],
    Everyone(),
    1.0,
)
PATHS = ["/things", "/things/", "/things/1", "/things/newest", "/things:batch", "/Things", "/nothing", "//things"]


@pytest.mark.parametrize("root", ["", "/behind"])
async def test_every_request_is_answered_as_by_the_router_alone(root: str) -> None:
    answers = []
    for middleware in ([], [Middleware(FixedPaths, routes=ROUTES)]):
        transport = httpx2.ASGITransport(Starlette(routes=ROUTES, middleware=middleware), root_path=root)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            asked = [
                (method, way + path)
                for method in ("GET", "HEAD", "POST", "PUT")
                for path in PATHS
                for way in ("", root)
            ]
            got = [await client.request(method, path) for method, path in asked]
        answers.append([(answer.status_code, answer.text, answer.headers.get("allow")) for answer in got])
    assert answers[0] == answers[1]
    assert any("create" in text for _, text, _ in answers[0])


def test_fixed_paths_are_found_without_the_router() -> None:
    async def nowhere(*_: object) -> None:
        raise AssertionError

    found = FixedPaths(nowhere, ROUTES)._routes
    assert set(found) == {("POST", "/things"), ("GET", "/things"), ("HEAD", "/things"), ("POST", "/things:batch")}
