"""Making the detectors that run in somebody else's process, over one pooled client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.detectors import DetectorDefinition, DetectorHealth
from llama_mapper.domain.orchestration.ports import Detector, ProbedDetector

if TYPE_CHECKING:
    import httpx2


class RemoteDetectors:
    """Makes detectors of definitions. The client is opened with the first of them: many installations have none."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    def make(self, definition: DetectorDefinition) -> ProbedDetector:
        """A detector for service; raise `CONFIGURATION_INVALID` for one that cannot be asked here."""
        return self.make_for_trial(definition)

    def make_for_trial(self, definition: DetectorDefinition) -> ProbedDetector:
        """A detector to be asked once, with nothing between it and us."""
        from llama_mapper.adapters.orchestration.remote.factory import remote_detector
        from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client

        if self._client is None:
            self._client = open_detector_client()
        return remote_detector(definition, self._client)

    def release(self, detector: ProbedDetector) -> None:
        """End what the detector keeps going by itself."""

    def health_of(self, detector: Detector) -> DetectorHealth | None:
        """What is known of the detector's health."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
