"""Which failures a detector is to blame for. Only those open its breaker: it is shared by all tenants."""

from __future__ import annotations

from llama_mapper.domain.orchestration.ports import DetectorTimeout, NoAnswer

CONTENT_REFUSED = "CONTENT_REFUSED"
"""Code of a failure that lies in what the detector was asked: too long for it, or nothing that it takes."""

FAIR_S = 0.5


def is_to_blame(fault: NoAnswer, took_s: float, timeout_s: float) -> bool:
    """Whether `fault`, after `took_s` seconds, says something against a detector whose own limit is `timeout_s`.

    Not if it refused this content, and not if it was given too little time: less than half a second, and less than
    half its own limit. A tenant whose policy allows a millisecond would otherwise shut it off for everybody.
    """
    if fault.code == CONTENT_REFUSED:
        return False
    return not isinstance(fault, DetectorTimeout) or took_s >= min(FAIR_S, timeout_s / 2)
