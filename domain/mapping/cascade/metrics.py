"""What mapping tells those who watch it."""

from __future__ import annotations

from typing import Protocol


class MappingMetrics(Protocol):
    """Counts by stage. No method waits or raises; nothing told is a label, a vendor or a tenant."""

    def on_labels_mapped(self, stage: str, labels: int) -> None:
        """So many labels were answered by a stage (`abstained` is one)."""
        ...

    def on_stage_asked(
        self, stage: str, labels: int, seconds: float, prompt_tokens: int, completion_tokens: int
    ) -> None:
        """A stage was asked for so many labels in one call."""
        ...

    def on_stage_fault(self, stage: str, fault: str, labels: int) -> None:
        """A stage could not try for so many labels."""
        ...

    def on_stage_cost(self, stage: str, usd: float) -> None:
        """What a call of a stage cost, by the set prices."""
        ...


class NoMappingMetrics:
    """For where nobody watches."""

    def on_labels_mapped(self, stage: str, labels: int) -> None:
        """Told to nobody."""

    def on_stage_asked(
        self, stage: str, labels: int, seconds: float, prompt_tokens: int, completion_tokens: int
    ) -> None:
        """Told to nobody."""

    def on_stage_fault(self, stage: str, fault: str, labels: int) -> None:
        """Told to nobody."""

    def on_stage_cost(self, stage: str, usd: float) -> None:
        """Told to nobody."""
