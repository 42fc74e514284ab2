"""What a person at a terminal sees: a run in numbers, or one assessment in full. No content, and no markup of others.

Text from outside (labels, messages) is never read as markup, and what it holds besides printable characters, such as
commands to the terminal, is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.orchestration import DetectorStatus
from llama_mapper.entrypoints.cli.printing import plain
from llama_mapper.entrypoints.report.summary import ACTIONS, SEVERITIES, RunSummary

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_STYLES = {
    "block": "bold red",
    "redact": "dark_orange",
    "flag": "yellow",
    "allow": "green",
    "CRITICAL": "bold red",
    "HIGH": "red",
    "MEDIUM": "dark_orange",
    "LOW": "yellow",
}
_BAR = 20
_CATEGORIES = 12
_FINDINGS = 100
_CONTROLS = 12


def print_summary(summary: RunSummary, console: Console | None = None, elapsed_s: float | None = None) -> None:
    """Print the counts of a run, to standard output where no console is given; `elapsed_s` gives the rate as well."""
    console = console or _standard_output()
    rate = f" in {elapsed_s:.1f} s ({summary.assessments / elapsed_s:.0f} a second)" if elapsed_s else ""
    lines = [f"{summary.assessments} assessed{rate}, {summary.upheld} findings, {summary.unassessed} not assessed"]
    if summary.set_aside:
        lines.append(f"{summary.set_aside} findings set aside where detectors disagreed")
    if summary.abstentions:
        lines.append(f"{summary.abstentions} labels that the catalogue does not know wait for review")
    for line in lines:
        _say(console, line)
    if summary.assessments:
        _print(console, _counts("Verdict", [(action, summary.verdicts[action]) for action in ACTIONS]))
    if summary.by_category:
        _print(console, _categories(summary))
    if any(summary.controls.values()):
        touched = [(ref, len(ids)) for ref, ids in sorted(summary.controls.items()) if ids]
        _print(console, _counts("Framework", touched, "controls touched"))
    if summary.coverage_insufficient:
        _say(console, f"{summary.coverage_insufficient} assessments with less coverage than the policy requires")
    for name, runs in sorted(summary.failing_detectors.items()):
        failed = ", ".join(f"{status} {times}" for status, times in runs.most_common() if status != "success")
        _say(console, f"detector {name}: {failed} of {runs.total()} runs")
    for gap, times in summary.gaps.most_common(5):
        _say(console, f"not judged: {gap} ({times} times)")
    for code, times in summary.faults.most_common():
        _say(console, f"not assessed: {code} ({times})")


def print_assessment(assessment: Assessment, console: Console | None = None) -> None:
    """Print one assessment: verdict, findings, risk, controls, coverage and versions."""
    from rich.text import Text

    console = console or _standard_output()
    action = assessment.verdict.action.value
    console.print(Text.assemble((action.upper(), _STYLES[action]), f"  {assessment.id}"))
    for reason in assessment.verdict.reasons:
        _say(console, f"  {reason.action.value}: {reason.subject}, {reason.message or reason.code}")
    _print(console, _findings(assessment) if assessment.analysis.findings else Text("no findings"))
    if assessment.analysis.risk_scores:
        _print(console, _risk(assessment))
    _print(console, _controls(assessment))
    coverage = assessment.orchestration.coverage
    enough = "sufficient" if coverage.sufficient else "INSUFFICIENT"
    _say(console, f"coverage {coverage.achieved:.0%} of what the policy requires, {enough}")
    for gap in coverage.gaps:
        _say(console, f"  not judged: {gap.subject}, {gap.reason}")
    for result in assessment.orchestration.detector_results:
        if result.status is not DetectorStatus.SUCCESS:
            why = f", {result.fault.message}" if result.fault else ""
            _say(console, f"  detector {result.detector}: {result.status.value}{why}")
    _say(console, "versions: " + ", ".join(_versions(assessment.version_info)))
    _say(console, f"evidence signed by {assessment.evidence.signatures[0].keyid}")


def _standard_output() -> Console:
    from rich.console import Console

    return Console()


def _print(console: Console, what: RenderableType) -> None:
    console.print(what, highlight=False)


def _say(console: Console, line: str) -> None:
    console.print(plain(line), markup=False, highlight=False, emoji=False)


def _table(*columns: tuple[str, bool]) -> Table:
    """A plain table; a column is its heading and whether it holds numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading, numbers in columns:
        table.add_column(Text(heading), justify="right" if numbers else "left", overflow="fold", no_wrap=numbers)
    return table


def _row(table: Table, *cells: str) -> None:
    from rich.text import Text

    table.add_row(*(Text(plain(cell), _STYLES.get(cell, "")) for cell in cells))


def _bar(share: float) -> str:
    """A bar of at most 20 cells for a share between 0 and 1, in characters that every terminal font has."""
    filled = round(max(0.0, min(share, 1.0)) * _BAR)
    return "#" * filled + "." * (_BAR - filled)


def _counts(heading: str, counts: Iterable[tuple[str, int]], unit: str = "assessments") -> Table:
    rows = list(counts)
    most = max((times for _, times in rows), default=0) or 1
    table = _table((heading, False), (unit, True), ("", False))
    for name, times in rows:
        _row(table, name, str(times), "#" * round(times / most * _BAR))
    return table


def _categories(summary: RunSummary) -> Table:
    ranked = sorted(summary.by_category.items(), key=lambda entry: (-entry[1].total(), entry[0]))
    used = [severity for severity in SEVERITIES if any(counts[severity] for _, counts in ranked)]
    table = _table(("Category", False), *((severity, True) for severity in used), ("all", True))
    for name, counts in ranked[:_CATEGORIES]:
        _row(table, name, *(str(counts[severity] or "") for severity in used), str(counts.total()))
    if rest := [counts for _, counts in ranked[_CATEGORIES:]]:
        sums = [sum(counts[severity] for counts in rest) for severity in used]
        _row(table, f"{len(rest)} more", *(str(total or "") for total in sums), str(sum(sums)))
    return table


def _findings(assessment: Assessment) -> Table:
    findings = assessment.analysis.findings
    table = _table(("Category", False), ("Label", False), ("Detector", False), ("Score", True), ("Span", True))
    for finding in findings[:_FINDINGS]:
        span = f"{finding.span.start}-{finding.span.end}" if finding.span else ""
        category = (finding.category or "no category") + ("" if finding.upheld else " (set aside)")
        _row(table, category, finding.label, finding.detector, f"{finding.score:.2f}", span)
    if len(findings) > _FINDINGS:
        _row(table, f"{len(findings) - _FINDINGS} more", "", "", "", "")
    return table


def _risk(assessment: Assessment) -> Table:
    risk = assessment.analysis.risk_scores
    table = _table(("Risk", False), ("score", True), ("", False))
    if risk is not None:
        for name, score in (
            (f"overall, {risk.level.value}", risk.overall_risk_score),
            ("technical", risk.technical_risk),
            ("business", risk.business_risk),
            ("regulatory", risk.regulatory_risk),
            ("temporal", risk.temporal_risk),
        ):
            _row(table, name, f"{score:.2f}", _bar(score))
    return table


def _controls(assessment: Assessment) -> RenderableType:
    from rich.text import Text

    touched = [result for result in assessment.analysis.compliance_mappings if result.controls]
    if not touched:
        return Text("no control is touched")
    table = _table(("Framework", False), ("controls", True), ("touched", False))
    for result in touched:
        ids = [control.control_id for control in result.controls]
        more = f" and {len(ids) - _CONTROLS} more" if len(ids) > _CONTROLS else ""
        _row(table, f"{result.framework}:{result.edition}", str(len(ids)), ", ".join(ids[:_CONTROLS]) + more)
    return table


def _versions(versions: VersionInfo) -> Iterable[str]:
    named = {
        "service": versions.service_version,
        "taxonomy": versions.taxonomy_version,
        "vocabulary": versions.vocabulary_version,
        "crosswalk": versions.crosswalk_version,
        "policy": versions.policy_version,
        "model": versions.model_version,
    }
    return (f"{name} {version}" for name, version in named.items() if version)
