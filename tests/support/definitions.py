"""Definitions of remote detectors, and detectors that stand behind them without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llama_mapper.domain.contracts.detectors import DetectorDefinition
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorUnavailable, Inquiry, Inspection
from llama_mapper.domain.orchestration.registry.model import digest_of


def a_definition(name: str = "outside", **changes: Any) -> DetectorDefinition:
    """A valid definition; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "name": name,
        "vendor": "presidio",
        "vendor_version": "1",
        "url": "http://127.0.0.1:9/detect",
        "protocol": {"kind": "fms", "detector_id": "theirs"},
        "categories": ["pii.personal_identifiers"],
    }
    return DetectorDefinition.model_validate(fields | changes, strict=False)


class DefinedDetector:
    """Keeps `ProbedDetector` as its definition says; answers what the maker's `behave` gives for the text."""

    readiness: str | None = None

    def __init__(self, definition: DetectorDefinition, behave: Callable[[str], Inspection]) -> None:
        self.definition = definition
        self.descriptor = DetectorDescriptor(
            definition.name,
            definition.vendor,
            definition.vendor_version,
            definition.categories,
            (),
            definition.languages,
            0.0,
            definition.vocabulary,
            remote=True,
            revision=digest_of(definition),
        )
        self._behave = behave
        self.released = 0
        self.asked: list[str] = []

    async def probe(self) -> None:
        """A definition with `dead` in its address has no life in it."""
        if "dead" in self.definition.url:
            raise DetectorUnavailable("nobody answers")

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        self.asked.append(inquiry.text)
        return self._behave(inquiry.text)


class Workshop:
    """Makes detectors, and knows all that it made."""

    def __init__(self, behave: Callable[[str], Inspection] = lambda text: Inspection()) -> None:
        self.behave = behave
        self.made: list[DefinedDetector] = []

    def make(self, definition: DetectorDefinition) -> DefinedDetector:
        """A definition with `extra` in its address needs an extra that is not installed."""
        if "extra" in definition.url:
            raise ConfigurationError("install llama-mapper[something]")
        self.made.append(DefinedDetector(definition, lambda text: self.behave(text)))
        return self.made[-1]

    def release(self, detector: object) -> None:
        """Count it."""
        assert isinstance(detector, DefinedDetector)
        detector.released += 1
