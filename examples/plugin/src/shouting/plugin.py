"""What the package brings: the object that its entry point names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.contracts.orchestration import OrchestrationRequest, OrchestrationResponse
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.plugins import Plugin
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry, Inspection, PolicyBundle, RawFinding


@dataclass(frozen=True)
class Settings:
    """Given as `[plugins.shouting]` in llama-mapper.toml; a name that is not here is an error."""

    exclamation_marks: int = 3

    def __post_init__(self) -> None:
        if self.exclamation_marks < 1:
            raise ValueError("exclamation_marks is 1 or more")


class ExclamationDetector:
    """Finds rows of exclamation marks: so cheap that it runs in the event loop."""

    readiness: str | None = None

    def __init__(self, settings: Settings) -> None:
        self._marks = "!" * settings.exclamation_marks
        self.descriptor = DetectorDescriptor(
            name="exclamation",
            vendor="example",
            vendor_version="1",
            categories=(),
            labels=("EXCLAMATION",),
            languages=(),
            cost_ms_per_kchar=0.001,
            vocabulary={"EXCLAMATION": "content.toxic_language"},
        )

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """The first row of marks."""
        at = inquiry.text.find(self._marks)
        return Inspection((RawFinding("EXCLAMATION", 0.3, at, at + len(self._marks)),) if at >= 0 else ())


class Counter(OrchestrationHook):
    """Counts verdicts by action."""

    name = "verdict_counter"
    version = "1.0.0"

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    async def before_detection(self, request: OrchestrationRequest) -> OrchestrationRequest:
        """Requests that say nothing of themselves are marked as such, for policies that want to know."""
        if request.metadata is None:
            return request.model_copy(update={"metadata": {"anonymous": True}})
        return request

    async def on_verdict(self, response: OrchestrationResponse) -> None:
        """One more."""
        action = response.verdict.action.value
        self.counts[action] = self.counts.get(action, 0) + 1


_POLICY = """\
package llama_mapper.policy

import rego.v1

# Asks the two shouting detectors only, and flags.
plan := {
    "categories": ["content.toxic_language"],
    "detectors": {"primary": ["shouting"], "secondary": ["exclamation"], "terms": {
        "shouting": data.terms,
        "exclamation": data.terms,
    }},
    "coverage": {
        "method": "required_set",
        "threshold": 1,
        "requirements": {},
        "on_insufficient": "flag",
        "language_gaps": "report",
    },
    "conflicts": {"default": "most_restrictive", "categories": {}},
    "actions": {"default": [{"threshold": 0.5, "action": "flag"}], "categories": {}},
    "timeout_ms": 500,
    "routing_reason": "shouting only",
}
"""
_TERMS: Mapping[str, Any] = {"weight": 1, "timeout_ms": 500, "failure_mode": "fail_open", "clean_confidence": 0.5}


def _policies(settings: Settings) -> list[PolicyBundle]:
    modules, data = {"policy.rego": _POLICY}, {"terms": dict(_TERMS)}
    return [make_bundle("shouting_only", "1.0.0", "Judges shouting and nothing else.", modules, data)]


PLUGIN = Plugin(
    name="shouting",
    version="1.0.0",
    api=(1, 0),
    settings=Settings,
    detectors=lambda settings: [ExclamationDetector(settings)],
    scanners=lambda settings: ["shouting.scanner:shouting_scanner"],
    policies=_policies,
    hooks=lambda settings: [Counter()],
)
