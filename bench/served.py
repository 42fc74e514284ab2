"""A server to load: the product with three no-op detectors, or the floor. `python -m bench.served KIND PORT DIR`.

The floor validates the product's own request model and answers as many bytes, so that both face the same client.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.noop import noops
from llama_mapper.domain.contracts.assessment import AssessmentRequest

_ANSWER = b'{"status":"ok"}'.ljust(11_000)
"""As long as the record that the product answers with."""


async def _nothing() -> None:
    return None


async def _floor(request: Request) -> Response:
    AssessmentRequest.model_validate_json(await request.body())
    await asyncio.gather(_nothing(), _nothing(), _nothing())
    return Response(_ANSWER, media_type="application/json")


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

    settings = Settings.load(data_dir=data_dir, detectors=(), port=port, response_cache_ttl_s=0)
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
