"""Offers detectors whose addresses DNS tells, and follows DNS."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from llama_mapper.adapters.orchestration.discovery.srv_records import Address, Answer, chosen, wait_s, with_address
from llama_mapper.domain.contracts.detectors import DetectorDefinition, DetectorSource
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.model import Offer, digest_of

_AGAIN_S = 5.0


class SrvResolver(Protocol):
    """Looks SRV records up."""

    async def look_up(self, name: str) -> Answer:
        """The answer for a name; raise `SERVICE_UNAVAILABLE` if there is none now."""
        ...


class SrvSource:
    """Looks each name up again when its answer has expired, and every five seconds while there is none.

    `templates` is SRV name → the definition, whose URL lends its scheme and path. While DNS does not answer, the last
    address stays in service and the trouble is told. A detector that is unhealthy is moved to the next address.
    """

    def __init__(
        self,
        templates: Mapping[str, DetectorDefinition],
        resolver: SrvResolver,
        fleet: DetectorFleet,
        clock: Clock,
        again_s: float = _AGAIN_S,
    ) -> None:
        self._templates = templates
        self._resolver = resolver
        self._fleet = fleet
        self._clock = clock
        self._again_s = again_s
        self._in_use: dict[str, Address] = {}
        self._offers: dict[str, Offer] = {}
        self._troubles: dict[str, str] = {}
        self._told: tuple[tuple[Offer, ...], dict[str, str]] = ((), {})

    async def refresh(self, name: str) -> float:
        """Bring one name up to date; return after how many seconds to do so again."""
        template = self._templates[name]
        try:
            answer = await self._resolver.look_up(name)
        except ServiceError as error:
            stays = "; the last address stays in service" if name in self._offers else ""
            self._tell({name: error.message + stays})
            return self._again_s
        health = self._fleet.health(template.name)
        failing = health is not None and health.state is HealthState.UNHEALTHY
        address = chosen(answer, self._in_use.get(name), failing=failing)
        if address is None:
            self._in_use.pop(name, None)
            self._offers.pop(name, None)
            self._tell({name: "DNS says that the service is not available"})
            return wait_s(answer.ttl_s)
        definition = template.model_copy(update={"url": with_address(template.url, address)})
        before = self._offers.get(name)
        if before is None or before.definition != definition:
            revision = 1 if before is None else before.revision + 1
            by = f"dns {name}"[:256]
            self._offers[name] = Offer(
                DetectorSource.DNS, definition, revision, digest_of(definition), self._clock(), by
            )
        self._in_use[name] = address
        self._tell({name: ""})
        return self._again_s if failing else wait_s(answer.ttl_s)

    async def run(self) -> None:
        """Follow every name until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._templates:
                group.create_task(self._follow(name))

    async def _follow(self, name: str) -> None:
        while True:
            again_s = await self.refresh(name)
            await asyncio.sleep(again_s)

    def _tell(self, troubles: Mapping[str, str]) -> None:
        told = {name: why for name, why in {**self._troubles, **troubles}.items() if why}
        state = (tuple(self._offers.values()), told)
        self._troubles = told
        if state != self._told:
            self._told = state
            self._fleet.offer(DetectorSource.DNS, self._offers.values(), told)
        else:
            self._fleet.trouble(DetectorSource.DNS, None)
