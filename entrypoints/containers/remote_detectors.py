"""Making the detectors that run in somebody else's process, over one pooled client."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from llama_mapper.domain.contracts.detectors import DetectorDefinition, DetectorHealth
from llama_mapper.domain.orchestration.ports import Detector, ProbedDetector

if TYPE_CHECKING:
    import aiohttp


class Guards(Protocol):
    """Puts something between detectors and us that protects each from the other, and knows their health."""

    def guarded(self, detector: ProbedDetector, definition: DetectorDefinition) -> ProbedDetector:
        """The detector behind a guard on the terms of its definition."""
        ...

    def release(self, detector: Detector) -> None:
        """End what the guard of the detector keeps going."""
        ...

    def health_of(self, detector: Detector) -> DetectorHealth | None:
        """How it is; None if it has no guard."""
        ...


class RemoteDetectors:
    """Makes detectors of definitions. The client is opened with the first of them: many installations have none."""

    def __init__(self, guards: Guards | None = None) -> None:
        self._guards = guards
        self._client: aiohttp.ClientSession | None = None

    def make(self, definition: DetectorDefinition) -> ProbedDetector:
        """A detector for service; raise `CONFIGURATION_INVALID` for one that cannot be asked here."""
        return self._made(definition, self._guards)

    def make_for_trial(self, definition: DetectorDefinition) -> ProbedDetector:
        """A detector to be asked once, with nothing between it and us."""
        return self._made(definition, None)

    def release(self, detector: ProbedDetector) -> None:
        """End what the detector keeps going by itself."""
        if self._guards is not None:
            self._guards.release(detector)

    def health_of(self, detector: Detector) -> DetectorHealth | None:
        """What is known of the detector's health."""
        return None if self._guards is None else self._guards.health_of(detector)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    def _made(self, definition: DetectorDefinition, guards: Guards | None) -> ProbedDetector:
        from llama_mapper.adapters.orchestration.remote.factory import remote_detector
        from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client

        if self._client is None:
            self._client = open_detector_client()
        protect = None if guards is None else partial(guards.guarded, definition=definition)
        return remote_detector(definition, self._client, protect)
