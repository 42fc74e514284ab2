"""Liveness, readiness and metrics: outside the versioned API, without credentials, without tenant data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ReadinessCheck = Callable[[], Awaitable[str | None]]
"""Gives None where the dependency is ready, else why it is not."""


def health_routes(
    checks: Mapping[str, ReadinessCheck],
    notes: Callable[[], Mapping[str, str]],
    render_metrics: Callable[[], tuple[bytes, str]],
) -> list[Route]:
    """`/healthz`: the process serves. `/readyz`: each dependency; 503 while one is not ready. `/metrics`: Prometheus.

    `notes` are states worth telling that do not make the service unready: detectors still loading, for one.
    """

    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def readyz(_: Request) -> Response:
        states = {name: await check() for name, check in checks.items()}
        ready = all(state is None for state in states.values())
        body = {
            "status": "ready" if ready else "not_ready",
            "dependencies": {name: state or "ready" for name, state in states.items()},
            "notes": dict(notes()),
        }
        return Response(orjson.dumps(body), 200 if ready else 503, media_type="application/json")

    async def metrics(_: Request) -> Response:
        body, media_type = render_metrics()
        return Response(body, media_type=media_type)

    return [
        Route("/healthz", healthz, name="healthz"),
        Route("/health", healthz, name="health"),  # the FMS detector API's
        Route("/readyz", readyz, name="readyz"),
        Route("/metrics", metrics, name="metrics"),
    ]
