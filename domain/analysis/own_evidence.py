"""Which evidence requirements an assessment's own signed record meets.

The rule: a requirement counts as provided only if the control asks for records that a system's activity was logged or
monitored, event by event, and if at least one detector really answered. That is what the evidence document is: a
signed, dated record of what was inspected, by what, under which versions, with what outcome. Plans, policies,
procedures, configurations and records of people's work are never provided by it, however near the subject. Provided
means that this document is one such record, of the population that an auditor samples; not that the population is
complete.
"""

from __future__ import annotations

from types import MappingProxyType

from llama_mapper.domain.contracts.catalogue import FrameworkEdition

RECORD_CONTROLS = MappingProxyType(
    {
        "soc2": frozenset({"CC7.2"}),  # monitoring of components for anomalies
        "iso27001": frozenset({"A.8.15", "A.8.16", "A.12.4.1"}),  # logging, monitoring; 2013: event logging
        "hipaa": frozenset({"164.312(b)"}),  # audit controls: record and examine activity
        "nist_800_53": frozenset({"AU-12", "SI-4"}),  # audit record generation, system monitoring
        "eu_ai_act": frozenset({"Article.12"}),  # automatic recording of events
        "iso42001": frozenset({"A.6.2.8"}),  # event logs of the AI system
    }
)
"""Framework (its id, or the start of it where the id names the edition too) → controls that ask for such records."""


def provides(edition: FrameworkEdition, control_id: str) -> bool:
    """Whether the control asks for records of the kind that an assessment is."""
    return any(
        control_id in controls
        for framework, controls in RECORD_CONTROLS.items()
        if edition.framework == framework or edition.framework.startswith(f"{framework}_")
    )
