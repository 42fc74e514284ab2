"""What a policy decision costs, evaluated and remembered, and what an answer costs that was kept."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

from bench.fan_out import asking
from bench.fms_servers import FmsServers
from bench.noop import noops
from bench.remote import orchestrating
from bench.series import Call, Series, measure
from bench.statistics_of import show, verdict
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest
from llama_mapper.domain.orchestration.routing import Router
from llama_mapper.entrypoints.containers.orchestration import running_orchestration
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings
from tests.support.valkey import ValkeyServer

_ROUNDS = 10
_CALLS = 100


async def policy_decisions() -> None:
    """The shipped policy for three detectors: the way from a request to its route."""
    request = OrchestrationRequest(content="x", tenant_id="local")
    with tempfile.TemporaryDirectory() as folder:
        platform = PlatformContainer(settings=Settings.load(data_dir=Path(folder), detectors=()))
        async with running_orchestration(platform, noops()) as container:
            engine = container.engine()
            router = Router(container.roster(), engine, platform.catalogue(), "bench")
            bundle = next(each for each in load_shipped_bundles() if each.name == "default")
            tenants = count()

            async def evaluated() -> bool:
                # Of a tenant never seen before, so that no decision is remembered.
                return bool((await router.route(bundle, f"tenant-{next(tenants)}", request)).seats)

            async def remembered() -> bool:
                return bool((await router.route(bundle, "local", request)).seats)

            series = await _by_turns({"evaluated": evaluated, "remembered": remembered})
    show("policy decision, evaluated: p50, p99", *_told(series["evaluated"]), _kept(series["evaluated"], 0.3))
    show("policy decision, remembered: p50, p99", *_told(series["remembered"]))


async def kept_answers(servers: FmsServers) -> None:
    """An orchestration whose answer was kept before, in memory and in Valkey; the floor is one sign of life from it."""
    with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder)) as valkey:
        async with AsyncExitStack() as stack:
            in_memory = await stack.enter_async_context(orchestrating(servers, 5))
            # A shared machine may make any answer late: what is measured is Valkey's way, not going on without it.
            shared = {"redis_url": valkey.url, "redis_timeout_ms": 5_000}
            in_valkey = await stack.enter_async_context(orchestrating(servers, 5, **shared))
            redis = in_valkey.platform.shared_state().redis
            assert redis is not None

            async def alive() -> bool:
                await redis.client.ping()
                return True

            calls = {"memory": asking(in_memory, 5), "Valkey": asking(in_valkey, 5), "floor": alive}
            for call in calls.values():
                await call()  # so that there is an answer to keep
            series = await _by_turns(calls)
    show("kept answer, memory: p50, p99", *_told(series["memory"]), _kept(series["memory"], 1.0))
    show("kept answer, Valkey: p50, p99", *_told(series["Valkey"]), _kept(series["Valkey"], 1.0))
    show("floor: one command to Valkey: p50, p99", *_told(series["floor"]))


async def _by_turns(calls: dict[str, Call]) -> dict[str, Series]:
    series = {name: Series() for name in calls}
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            await measure(series[name], call, 1, _CALLS)
    return series


def _told(series: Series) -> tuple[str, str]:
    return f"{series.ms(0.5):.3f} ms", f"{series.ms(0.99):.3f} ms"


def _kept(series: Series, budget: float) -> str:
    return verdict(series.ms(0.5), budget)
