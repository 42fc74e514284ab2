"""A server to load: the product with three no-op detectors, or the floor. `python -m bench.served KIND PORT DIR`."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import Annotated

import uvicorn
import uvloop
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.noop import noops


class FloorRequest(BaseModel):
    """The body of the floor: the product's request, field for field in kind and bounds."""

    content: Annotated[str, Field(min_length=1, max_length=1_048_576)]
    frameworks: Annotated[tuple[str, ...], Field(max_length=32)] = ()
    policy_bundle: str = "default"


async def _nothing() -> None:
    return None


async def _floor(request: Request) -> Response:
    FloorRequest.model_validate_json(await request.body())
    await asyncio.gather(_nothing(), _nothing(), _nothing())
    return Response(b'{"status":"ok"}', media_type="application/json")


async def _serve(app: Starlette, port: int) -> None:
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off")
    gc.collect()
    gc.freeze()
    await uvicorn.Server(config).serve()


async def _product(port: int, data_dir: Path) -> None:
    from llama_mapper.entrypoints.containers.commands import start_logging
    from llama_mapper.entrypoints.containers.root import running_monolith
    from llama_mapper.entrypoints.http.services import application_of
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir, detectors=(), port=port)
    start_logging(settings)
    async with running_monolith(settings, noops()) as running:
        await _serve(application_of(running, settings, front=True), port)


def main() -> None:
    """Serve until killed."""
    kind, port, data_dir = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if kind == "floor":
        uvloop.run(_serve(Starlette(routes=[Route("/v1/assessments", _floor, methods=["POST"])]), port))
    else:
        uvloop.run(_product(port, data_dir))


if __name__ == "__main__":
    main()
