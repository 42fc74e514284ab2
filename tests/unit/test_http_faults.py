"""An error of our own making is answered as ours, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation, routes_of
from tests.support.doors import Everyone

SECRET = "Qw7Secret"


class Body(BaseModel):
    """What the test's operation takes."""

    number: int


def application(fail: Callable[[], object]) -> Starlette:
    async def handler(request: Request, _: Principal) -> Response:
        await read_model(request, Body, 1000)
        fail()
        return Response(b"{}")

    operation = Operation(
        id="try",
        method="POST",
        path="/try",
        tag="test",
        summary="",
        scope=Scope.ASSESS,
        handler=handler,
        responses={200: (Body,)},
        requests=(Body,),
    )
    return Starlette(routes=routes_of([operation], Everyone(), 0.2))


def invalid_answer() -> object:
    return VersionInfo.model_validate({"service_version": SECRET, "colour": SECRET})


def surprise() -> object:
    raise RuntimeError(SECRET)


def store_down() -> object:
    raise StoreError("the database is gone")


@pytest.mark.parametrize(
    ("fail", "status", "code"),
    [
        (invalid_answer, 500, ErrorCode.INTERNAL_ERROR),
        (surprise, 500, ErrorCode.INTERNAL_ERROR),
        (store_down, 503, ErrorCode.STORE_UNAVAILABLE),
    ],
)
async def test_a_fault_on_our_side_is_never_called_the_callers(
    fail: Callable[[], object], status: int, code: ErrorCode
) -> None:
    transport = httpx2.ASGITransport(application(fail))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.post("/try", json={"number": 1})
        bad = await client.post("/try", json={"number": "many"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert SECRET not in answer.text
    assert (bad.status_code, bad.json()["code"]) == (400, ErrorCode.INVALID_REQUEST)
    assert bad.json()["errors"][0]["field"] == "number"


async def test_a_path_names_all_its_methods_and_a_verb_is_no_name() -> None:
    async def handler(request: Request, _: Principal) -> Response:
        return Response(f"{request.method} {request.path_params['name']}")

    def operation(method: str, path: str) -> Operation:
        return Operation(f"{method} {path}", method, path, "test", "", Scope.ASSESS, handler, {200: (Body,)})

    operations = [operation("GET", "/x/{name}"), operation("PUT", "/x/{name}"), operation("POST", "/x/{name}:stop")]
    transport = httpx2.ASGITransport(Starlette(routes=routes_of(operations, Everyone(), 0.2)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        refused = [await client.request(method, path) for method, path in (("PATCH", "/x/a"), ("GET", "/x/a:stop"))]
        told = [set(answer.headers["allow"].split(", ")) for answer in refused]
        assert told == [{"GET", "HEAD", "PUT"}, {"POST"}]
        assert [answer.status_code for answer in refused] == [405, 405]
        assert (await client.put("/x/a")).text == "PUT a"
        assert (await client.head("/x/a")).status_code == 200
        assert (await client.post("/x/a:stop")).text == "POST a"
        assert (await client.post("/x/a:start")).status_code == 404
