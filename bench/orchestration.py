"""Orchestration over remote detectors: fan-out, streams, policy decisions, kept answers."""

from __future__ import annotations

from bench.decisions import kept_answers, policy_decisions
from bench.fan_out import DETECTORS, fan_out
from bench.fms_servers import fms_servers
from bench.streams import first_parts

_DELAY_S = 0.02


async def run() -> None:
    """All of it."""
    with fms_servers(max(DETECTORS), _DELAY_S) as servers:
        await policy_decisions()
        await kept_answers(servers)
        await first_parts(servers)
        await fan_out(servers)
