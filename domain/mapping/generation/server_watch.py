"""Looking now and then how the servers and their models are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from llama_mapper.domain.kernel.errors import ModelServingError
from llama_mapper.domain.mapping.generation.server_desk import KnownServer, fault_in, not_ready


class ServerWatch:
    """Remembers what the last look saw, for health pages; what is not ready degrades and stops nothing."""

    def __init__(self, servers: Sequence[KnownServer]) -> None:
        self._servers = tuple(servers)
        self._notes: Mapping[str, str] = {}

    def notes(self) -> Mapping[str, str]:
        """Why each server cannot be asked, and which models that the settings need are not ready."""
        return self._notes

    async def look(self) -> None:
        """Look at all of them, side by side."""
        found = await asyncio.gather(*map(_problems, self._servers))
        self._notes = {name: text for problems in found for name, text in problems.items()}


async def _problems(known: KnownServer) -> dict[str, str]:
    place = f"model_server.{known.name}"
    try:
        models = await known.server.index()
    except ModelServingError as error:
        return {place: f"degraded: {fault_in(error)}"}
    missing = not_ready(known.expected, models)
    states = {each.name: each.state or "not loaded" for each in models}
    return {f"{place}.{name}": f"degraded: {states.get(name, 'not in the repository').lower()}" for name in missing}
