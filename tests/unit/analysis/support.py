"""A small catalogue, a history in memory, and builders of orchestration responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

from llama_mapper.domain.analysis.findings import Meaning, Reading
from llama_mapper.domain.analysis.ports import HistoryEntry, HistoryWindow
from llama_mapper.domain.contracts.base import Severity, VersionInfo
from llama_mapper.domain.contracts.catalogue import (
    CatalogueVersions,
    ControlLink,
    FrameworkEdition,
    FrameworkKind,
    LabelMatch,
    MatchStage,
    category_of,
)
from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CategoryOutcome,
    ConflictMethod,
    ContentType,
    CoverageMethod,
    CoverageReport,
    DetectorResult,
    DetectorStatus,
    Finding,
    OrchestrationResponse,
    PolicyDecision,
    RoutingPlan,
    Verdict,
    VerdictAction,
)
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError, ValidationError

NOW = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)

EMAIL, HEALTH, SECRET = "pii.personal_identifiers", "pii.health_records", "security.credentials"
INJECTION, TOXIC, OFF_TOPIC = "security.prompt_attack", "content.toxic_language", "quality.relevance"

SOC2 = FrameworkEdition("soc2", "2017", "SOC 2", FrameworkKind.CONTROL, "", "test")
ISO = FrameworkEdition("iso27001", "2022", "ISO 27001", FrameworkKind.CONTROL, "as in the statement", "test")
HIPAA = FrameworkEdition("hipaa", "2013", "HIPAA", FrameworkKind.CONTROL, "covered entities", "test")
OWASP = FrameworkEdition("owasp_llm", "2025", "OWASP LLM Top 10", FrameworkKind.RISK, "", "test")
EDITIONS = (SOC2, ISO, HIPAA, OWASP)

SEVERITIES = {
    EMAIL: Severity.HIGH,
    HEALTH: Severity.CRITICAL,
    SECRET: Severity.CRITICAL,
    INJECTION: Severity.HIGH,
    TOXIC: Severity.MEDIUM,
    OFF_TOPIC: Severity.INFO,
    "meta.outcome": Severity.INFO,
}

CONTROLS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    EMAIL: {
        "soc2": ("CC6.1", "P4.1"),
        "iso27001": ("A.5.34", "A.8.16"),
        "hipaa": ("164.502",),
        "owasp_llm": ("LLM02",),
    },
    HEALTH: {"soc2": ("CC6.1",), "hipaa": ("164.502", "164.312(b)")},
    SECRET: {"soc2": ("CC6.1", "CC7.2"), "iso27001": ("A.5.17",), "owasp_llm": ("LLM02",)},
    INJECTION: {"soc2": ("CC7.2",), "owasp_llm": ("LLM01",)},
    TOXIC: {"soc2": ("CC1.1",)},
}

LABELS = {
    "EMAIL": EMAIL + ".email",
    "MRN": HEALTH,
    "AWS_KEY": SECRET,
    "INJECTION": INJECTION,
    "toxic": TOXIC,
    "off_topic": OFF_TOPIC,
    "safe": "meta.outcome.safe",
}


class SmallCatalogue:
    """Seven categories, four editions and one vendor's seven labels."""

    versions = CatalogueVersions("1.0.0", "1.0.1", "1.0.2")
    categories = SEVERITIES

    def match(self, vendor: str, vendor_version: str | None, label: str) -> LabelMatch | None:
        canonical = LABELS.get(label)
        if canonical is None:
            return None
        also = (EMAIL,) if label == "MRN" else ()
        return LabelMatch(canonical, also, MatchStage.EXACT, 1.0)

    def severity(self, canonical: str) -> Severity:
        return SEVERITIES[category_of(canonical)]

    def name(self, canonical: str) -> str:
        return canonical

    def frameworks(self) -> Sequence[FrameworkEdition]:
        return EDITIONS

    def resolve_frameworks(self, refs: Sequence[str]) -> tuple[FrameworkEdition, ...]:
        known = {edition.framework: edition for edition in EDITIONS}
        for ref in refs:
            if ref.split(":")[0] not in known:
                raise ValidationError(f"no framework '{ref}'", ErrorCode.FRAMEWORK_NOT_FOUND)
        return tuple(known[ref.split(":")[0]] for ref in refs) or EDITIONS

    def controls(self, canonical: str, edition: FrameworkEdition) -> tuple[ControlLink, ...]:
        ids = CONTROLS.get(category_of(canonical), {}).get(edition.framework, ())
        condition = "only with notice" if edition is SOC2 and category_of(canonical) == TOXIC else ""
        return tuple(ControlLink(i, f"Control {i}", f"{category_of(canonical)} bears on it", condition) for i in ids)

    def evidence_requirement(self, control_id: str, edition: FrameworkEdition) -> str:
        return "" if control_id == "P4.1" else f"Records for {control_id}"


class HistoryInMemory:
    """Keeps the promises of `FindingHistory`; `down` makes it refuse, `calls` counts what it was asked."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], HistoryEntry] = {}
        self.down = False
        self.reads = 0
        self.batches: list[int] = []

    async def record(self, entries: Sequence[HistoryEntry]) -> None:
        if self.down:
            raise StoreError("the history is down")
        self.batches.append(len(entries))
        for entry in entries:
            self.entries.setdefault((entry.tenant_id, entry.request_id), entry)

    async def window(self, tenant_id: str, since: datetime, until: datetime) -> HistoryWindow:
        self.reads += 1
        if self.down:
            raise StoreError("the history is down")
        return window_of([e for e in self.entries.values() if e.tenant_id == tenant_id], since, until)


def window_of(entries: Iterable[HistoryEntry], since: datetime, until: datetime) -> HistoryWindow:
    """Aggregate entries as a store would."""
    seen = [entry for entry in entries if since <= entry.at < until]
    daily: dict[str, Counter[date]] = {}
    hourly: dict[str, list[int]] = {}
    together: Counter[tuple[str, str]] = Counter()
    present: Counter[str] = Counter()
    for entry in seen:
        for category, count in entry.counts.items():
            daily.setdefault(category, Counter())[entry.at.date()] += count
            hourly.setdefault(category, [0] * 24)[entry.at.hour] += count
        present.update(entry.counts.keys())
        together.update(combinations(sorted(entry.counts), 2))
    return HistoryWindow(
        since=since,
        until=until,
        assessments=len(seen),
        assessments_daily=Counter(entry.at.date() for entry in seen),
        daily=daily,
        hourly={category: tuple(hours) for category, hours in hourly.items()},
        present=present,
        together=together,
    )


def past_entries(
    daily: Mapping[str, Sequence[int]], *, now: datetime = NOW, tenant: str = "acme"
) -> list[HistoryEntry]:
    """One assessment a day at 09:00 for the days before today; `daily` is category → counts, the last is yesterday."""
    days = max(len(counts) for counts in daily.values())
    entries = []
    for back in range(days, 0, -1):
        at = datetime.combine(now.date() - timedelta(days=back), datetime.min.time(), UTC) + timedelta(hours=9)
        found = {category: counts[-back] for category, counts in daily.items() if back <= len(counts) and counts[-back]}
        entries.append(HistoryEntry("acme", f"past_{back}", at, found))
    return entries


def reading(category: str | None, score: float, identity: str | None = None) -> Reading:
    """An upheld finding of a category."""
    if category is None:
        return Reading(Meaning((), None, Severity.LOW, known=False), score, identity)
    return Reading(Meaning((category,), category, SEVERITIES[category], known=True), score, identity)


def finding(label: str, score: float = 0.9, digest: str | None = None) -> Finding:
    canonical = LABELS.get(label)
    return Finding(label=label, score=score, category=category_of(canonical) if canonical else None, digest=digest)


def orchestrated(
    findings: Sequence[Finding] = (),
    *,
    outcomes: Sequence[CategoryOutcome] = (),
    tenant: str = "acme",
    request_id: str = "req_1",
    succeeded: int = 2,
    conflicts: int = 0,
) -> OrchestrationResponse:
    """A response of two detectors; the first one made all the findings."""
    results = tuple(
        DetectorResult(
            detector=name,
            vendor="vendor",
            vendor_version="1",
            status=DetectorStatus.SUCCESS if i < succeeded else DetectorStatus.FAILED,
            output="clean",
            confidence=0.5,
            findings=tuple(findings) if i == 0 else (),
            processing_time_ms=1.0,
        )
        for i, name in enumerate(("one", "two"))
    )
    plan = RoutingPlan(primary_detectors=("one", "two"), timeout_ms=2000)
    return OrchestrationResponse(
        request_id=request_id,
        tenant_id=tenant,
        content_type=ContentType.TEXT,
        content_length=10,
        detector_results=results,
        aggregation_summary=AggregationSummary(
            categories=tuple(outcomes),
            detectors_selected=2,
            detectors_succeeded=succeeded,
            findings=len(findings),
            conflicts=conflicts,
        ),
        coverage_achieved=succeeded / 2,
        coverage=CoverageReport(
            method=CoverageMethod.REQUIRED_SET, achieved=succeeded / 2, threshold=0.8, sufficient=succeeded == 2
        ),
        policy=PolicyDecision(
            selected_detectors=("one", "two"),
            policy_applied="default@1",
            policy_digest="sha256:" + "0" * 64,
            routing_reason="test",
            coverage_method=CoverageMethod.REQUIRED_SET,
            plan=plan,
        ),
        verdict=Verdict(action=VerdictAction.ALLOW, policy_applied="default@1"),
        processing_time_ms=1.0,
        version_info=VersionInfo(service_version="1", policy_version="default@1", detectors={"one": "1", "two": "1"}),
        provenance=(),
    )


def outcome(
    category: str, *, flagged: bool, by: Sequence[str] = ("one",), not_by: Sequence[str] = ()
) -> CategoryOutcome:
    return CategoryOutcome(
        category=category,
        flagged=flagged,
        score=0.9 if flagged else 0.0,
        severity=SEVERITIES[category],
        method=ConflictMethod.MAJORITY_VOTE,
        conflict=bool(by and not_by),
        flagged_by=tuple(by),
        cleared_by=tuple(not_by),
    )
