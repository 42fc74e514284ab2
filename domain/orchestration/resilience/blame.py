"""Which failures a detector is to blame for. Only those open its breaker: it is shared by all tenants. ADR 51."""

from __future__ import annotations

from llama_mapper.domain.orchestration.ports import DetectorFailed, DetectorTimeout, NoAnswer

FAIR_S = 0.5


def is_to_blame(fault: NoAnswer, took_s: float, timeout_s: float) -> bool:
    """Whether `fault`, after `took_s` seconds, says something against a detector whose own limit is `timeout_s`.

    Not a failure that another attempt would meet again: that lies in what was asked, or in how we ask. And not a
    time-out where there was too little time: less than half a second, and less than half of its own limit. Otherwise a
    tenant with content that the detector rejects, or with a policy that allows it a millisecond, could shut it off for
    everybody.
    """
    if isinstance(fault, DetectorTimeout):
        return took_s >= min(FAIR_S, timeout_s / 2)
    return fault.retryable or not isinstance(fault, DetectorFailed)
