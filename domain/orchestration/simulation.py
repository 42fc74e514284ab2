"""What a policy would have decided of requests that another one decided, from what their records hold.

A record has every detector's findings, scores and faults, and no content. So the detectors are not asked again: what
they said is resolved, covered and judged anew, under the candidate's plan. A detector that the candidate selects and
that took no part then has said nothing that could be judged; such a record is counted as unknown, never guessed.

Not in a record, and so not in a simulation: the processing mode, the categories that a caller asked for, and metadata.
Every request is simulated as one in mode normal that asked for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import (
    DetectorMode,
    DetectorResult,
    DetectorStatus,
    OrchestrationResponse,
    VerdictAction,
)
from llama_mapper.domain.orchestration.aggregation import aggregate
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.model import DetectorTerms, Plan
from llama_mapper.domain.orchestration.verdict import decide

UNDECIDED = frozenset({"meta.outcome.ambiguous", "meta.outcome.unmapped"})
"""Labels after which a detector's silence elsewhere says nothing."""

_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class SimulatedRecord:
    """What the candidate makes of one record. `after` is None where `missing` detectors have no recorded result."""

    before: VerdictAction
    after: VerdictAction | None
    covered_before: bool
    covered_after: bool
    missing: tuple[str, ...] = ()


def simulate_record(
    response: OrchestrationResponse, plan: Plan, policy_applied: str, catalogue: CatalogueView
) -> SimulatedRecord:
    """What `plan` decides of the results in `response`."""
    before, covered = response.verdict.action, response.coverage.sufficient
    plan, results, missing = _cast(response, plan)
    if missing:
        return SimulatedRecord(before, None, covered, False, missing)
    undecided = [result.detector for result in results if _is_undecided(result, catalogue)]
    enforced = [result for result in results if result.mode is DetectorMode.ENFORCE]
    coverage = measure_coverage(enforced, plan)
    summary = aggregate(enforced, plan, catalogue.categories, undecided=undecided)
    verdict = decide(plan, policy_applied, enforced, summary, coverage)
    return SimulatedRecord(before, verdict.action, covered, coverage.sufficient)


def _cast(response: OrchestrationResponse, plan: Plan) -> tuple[Plan, list[DetectorResult], tuple[str, ...]]:
    """The plan with terms for substitutes, the results that it would have had, and who it would have asked in vain.

    A detector that was unavailable then is so again, and its substitute stands in if it took part then.
    """
    recorded = {result.detector: result for result in response.detector_results}
    results: list[DetectorResult] = []
    missing: list[str] = []
    extra: dict[str, DetectorTerms] = {}
    for name in plan.selected:
        terms = plan.terms[name]
        result = recorded.get(name)
        if result is None:
            missing.append(name)
            continue
        results.append(_under(result, terms))
        if result.status is DetectorStatus.UNAVAILABLE and terms.substitutes:
            free = [each for each in terms.substitutes if each not in plan.terms and each not in extra]
            stand_in = next((each for each in free if each in recorded), None)
            if stand_in is not None:
                extra[stand_in] = terms
                results.append(_under(recorded[stand_in], terms, substitute_for=name))
            else:
                missing += free[:1]
    return replace(plan, terms={**plan.terms, **extra}) if extra else plan, results, tuple(missing)


def _under(result: DetectorResult, terms: DetectorTerms, substitute_for: str | None = None) -> DetectorResult:
    """The result as these terms would have it counted."""
    findings = tuple(
        finding
        if finding.below_threshold is (below := finding.score < terms.thresholds.get(finding.label, 0.0))
        else finding.model_copy(update={"below_threshold": below})
        for finding in result.findings
    )
    changes = {"mode": terms.mode, "findings": findings, "substitute_for": substitute_for}
    return result.model_copy(update=changes)


def _is_undecided(result: DetectorResult, catalogue: CatalogueView) -> bool:
    for finding in result.findings:
        match = catalogue.match(result.vendor, result.vendor_version, finding.label)
        canonical = finding.meant or (finding.declared if match is None else match.canonical)
        if canonical is None or canonical in UNDECIDED:
            return True
    return False


@dataclass(slots=True)
class SimulationTally:
    """Adds up simulated records. `samples` are ids of records, at most 20 for each kind of change."""

    records: int = 0
    unchanged: int = 0
    unknown: int = 0
    unreadable: int = 0
    sufficient_before: int = 0
    sufficient_after: int = 0
    changes: Counter[tuple[VerdictAction, VerdictAction]] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    samples: dict[tuple[VerdictAction, VerdictAction], list[str]] = field(default_factory=dict)

    def add(self, record_id: str, simulated: SimulatedRecord) -> None:
        """Count one record."""
        self.records += 1
        if simulated.after is None:
            self.unknown += 1
            self.missing.update(simulated.missing)
            return
        self.sufficient_before += simulated.covered_before
        self.sufficient_after += simulated.covered_after
        if simulated.after is simulated.before:
            self.unchanged += 1
            return
        change = (simulated.before, simulated.after)
        self.changes[change] += 1
        samples = self.samples.setdefault(change, [])
        if len(samples) < _SAMPLES:
            samples.append(record_id)

    def add_unreadable(self) -> None:
        """Count a record that this version cannot read, or that the candidate has no valid plan for."""
        self.records += 1
        self.unreadable += 1

    @property
    def judged(self) -> int:
        """Records that have an answer."""
        return self.unchanged + sum(self.changes.values())


def facts_for(
    response: OrchestrationResponse, detectors: Sequence[Mapping[str, object]]
) -> tuple[tuple[str, str], dict[str, object]]:
    """The facts that the candidate is asked with, and what they depend on besides the detectors."""
    key = (response.tenant_id, response.content_type.value)
    return key, {
        "tenant_id": response.tenant_id,
        "content_type": response.content_type.value,
        "processing_mode": "normal",
        "categories": [],
        "metadata": {},
        "detectors": list(detectors),
    }
