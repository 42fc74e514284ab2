"""What a guard counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from llama_mapper.domain.contracts.detectors import BreakerState
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.orchestration.ports import DetectorFailed, DetectorTimeout, NoAnswer


class CallOutcome(StrEnum):
    """How a call ended, retries and hedges included."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    BREAKER_OPEN = "breaker_open"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """One detector's counts since its guard was made, and how it is now."""

    name: str
    health: HealthState
    breaker: BreakerState
    transitions: Mapping[BreakerState, int]
    calls: Mapping[CallOutcome, int]
    retries: int
    hedges: int
    in_flight: int
    queued: int


def outcome_of(fault: NoAnswer) -> CallOutcome:
    """What a call without an answer counts as."""
    if fault.code == CallOutcome.BREAKER_OPEN.name:
        return CallOutcome.BREAKER_OPEN
    if fault.code == ErrorCode.DETECTOR_OVERLOADED:
        return CallOutcome.OVERLOADED
    if isinstance(fault, DetectorTimeout):
        return CallOutcome.TIMEOUT
    return CallOutcome.FAILED if isinstance(fault, DetectorFailed) else CallOutcome.UNAVAILABLE
