"""Offers the definitions in files, and follows the files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from llama_mapper.adapters.orchestration.discovery.definition_files import (
    DEFINITIONS_LIMIT,
    Fingerprint,
    FoundFiles,
    find_files,
    read_definitions,
)
from llama_mapper.adapters.orchestration.discovery.file_changes import changes
from llama_mapper.domain.contracts.detectors import DetectorDefinition, DetectorSource
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.model import Offer, digest_of

Check = Callable[[DetectorDefinition], object]
"""Raises a `ServiceError` for a definition that must not be offered."""


class FileSource:
    """Reads a file again when it changed.

    A file that cannot be read, or holds a wrong definition, keeps what it held before and is told as a trouble under
    its name; a file that is gone takes its detectors along. A name counts in the first file that has it.
    """

    def __init__(self, places: Sequence[Path], fleet: DetectorFleet, check: Check, clock: Clock) -> None:
        self._places = places
        self._fleet = fleet
        self._check = check
        self._clock = clock
        self._read: dict[Path, tuple[Fingerprint, tuple[DetectorDefinition, ...], str | None]] = {}
        self._offered: dict[str, Offer] = {}
        self._last: FoundFiles | None = None

    async def refresh(self) -> None:
        """Bring the fleet to what the files hold now."""
        found = await asyncio.to_thread(find_files, self._places)
        if found == self._last:
            self._fleet.trouble(DetectorSource.FILE, None)
            return
        kept = {}
        for path, fingerprint in found.files.items():
            before = self._read.get(path)
            if before is not None and before[0] == fingerprint:
                kept[path] = before
                continue
            try:
                definitions = await asyncio.to_thread(self._definitions, path)
            except ServiceError as error:
                kept[path] = (fingerprint, before[1] if before else (), error.message)
            else:
                kept[path] = (fingerprint, definitions, None)
        if found.troubles:  # what was in a place that cannot be read now stays
            kept = {path: each for path, each in self._read.items() if path not in found.files} | kept
        self._read, self._last = kept, found
        self._offer(dict(found.troubles))

    async def run(self) -> None:
        """Follow until cancelled."""
        await self.refresh()
        async for _ in changes(self._places):
            await self.refresh()

    def _definitions(self, path: Path) -> tuple[DetectorDefinition, ...]:
        definitions = read_definitions(path)
        for definition in definitions:
            self._check(definition)
        return definitions

    def _offer(self, troubles: dict[str, str]) -> None:
        offers: dict[str, Offer] = {}
        for path, (_, definitions, trouble) in self._read.items():
            if trouble is not None:
                troubles[path.name] = trouble + ("; what it held before stays in service" if definitions else "")
            for definition in definitions:
                if definition.name in offers:
                    troubles[path.name] = f"the name '{definition.name}' is in another file already"
                elif len(offers) == DEFINITIONS_LIMIT:
                    troubles[path.name] = f"all files together have more than {DEFINITIONS_LIMIT} definitions"
                else:
                    offers[definition.name] = self._offer_of(definition, path.name)
        self._offered = offers
        self._fleet.offer(DetectorSource.FILE, offers.values(), troubles)

    def _offer_of(self, definition: DetectorDefinition, file: str) -> Offer:
        before = self._offered.get(definition.name)
        if before is not None and before.definition == definition:
            return before
        revision = 1 if before is None else before.revision + 1
        digest = digest_of(definition)
        by = f"file {file}"[:256]
        return Offer(DetectorSource.FILE, definition, revision, digest, self._clock(), by)
