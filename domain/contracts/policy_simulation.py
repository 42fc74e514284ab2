"""What a simulation of a policy against stored records is asked and answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, Identifier
from llama_mapper.domain.contracts.orchestration import VerdictAction

DEFAULT_RECORDS = 1_000
MAX_RECORDS = 10_000


class PolicySimulationRequest(Contract):
    """How much of the past to look at."""

    limit: Annotated[int, Field(ge=1, le=MAX_RECORDS)] = DEFAULT_RECORDS
    """The newest so many records of the tenant."""


class VerdictChange(Contract):
    """Records of one verdict that would have another."""

    before: VerdictAction
    after: VerdictAction
    count: Count
    samples: Annotated[tuple[Identifier, ...], Field(max_length=20)] = ()
    """Ids of such assessments, newest first."""


class MissingDetector(Contract):
    """A detector that the policy would have asked and that took no part."""

    detector: Identifier
    records: Count


class PolicySimulation(Contract):
    """What a policy would have decided of the tenant's newest records.

    `records` = `judged` + `unknown` + `unreadable`, and `judged` = `unchanged` + the counts of `changes`. Records do
    not tell the processing mode, categories asked for and metadata: each is simulated as in mode normal without any.
    """

    policy_applied: Identifier
    policy_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    records: Count
    judged: Count
    unchanged: Count
    unknown: Count
    """The policy wants a detector that has no recorded result."""
    unreadable: Count
    """Of another version's form, or the policy has no valid plan for this content."""
    changes: Annotated[tuple[VerdictChange, ...], Field(max_length=16)] = ()
    missing_detectors: Annotated[tuple[MissingDetector, ...], Field(max_length=1024)] = ()
    sufficient_before: Count
    """Judged records whose coverage was sufficient."""
    sufficient_after: Count
    """Judged records whose coverage would be sufficient."""
