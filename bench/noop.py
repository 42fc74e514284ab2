"""Detectors that do nothing, and ones that only take time: what is measured around them is ours."""

from __future__ import annotations

import asyncio

from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry, Inspection

CATEGORIES = (
    "pii.personal_identifiers",
    "pii.financial_data",
    "pii.health_records",
    "pii.online_identifiers",
    "security.credentials",
    "security.tokens",
    "security.prompt_attack",
    "content.toxic_language",
    "content.hate_speech",
    "content.harassment",
    "content.violence",
    "content.self_harm",
)
_NOTHING = Inspection()


class NoopDetector:
    """Finds nothing, after `delay_s` seconds of waiting."""

    def __init__(self, number: int, delay_s: float = 0.0) -> None:
        self.descriptor = DetectorDescriptor(
            name=f"noop_{number}",
            vendor="noop",
            vendor_version="1",
            categories=CATEGORIES,
            labels=(),
            languages=(),
            cost_ms_per_kchar=0.0,
        )
        self.readiness: str | None = None
        self._delay_s = delay_s

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """Nothing, later or now."""
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        return _NOTHING


def noops(delay_s: float = 0.0) -> list[NoopDetector]:
    """Three of them."""
    return [NoopDetector(number, delay_s) for number in (1, 2, 3)]
