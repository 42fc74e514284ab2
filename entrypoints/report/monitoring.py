"""How mapping is doing as one HTML page: no script, nothing fetched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from llama_mapper.domain.contracts.monitoring import (
    AnomalyReport,
    CapacityReport,
    CauseReport,
    CorrelationReport,
    DriftReport,
    MonitoringAlertList,
    ThroughputReport,
)
from llama_mapper.entrypoints.report.charts import stacked_bars
from llama_mapper.entrypoints.report.render import page_template
from llama_mapper.entrypoints.report.times import over_time


@dataclass(frozen=True, slots=True)
class MonitoringPage:
    """All that the page tells."""

    tenant: str
    throughput: ThroughputReport
    drift: DriftReport
    anomalies: AnomalyReport
    correlations: CorrelationReport
    causes: tuple[CauseReport, ...]
    capacity: CapacityReport
    alerts: MonitoringAlertList


def render_monitoring(page: MonitoringPage, generated_at: datetime) -> str:
    """The page. Every text is escaped: names of versions are other people's words."""
    return page_template("monitoring.html.j2").render(
        title=f"Mapping of {'all tenants' if page.tenant == '*' else page.tenant}",
        generated_at=generated_at,
        page=page,
        alert_rows=page.alerts.items,
        charts={
            "throughput": _throughput(page.throughput),
            "abstention": _abstention(page.throughput),
            "drift": _drift(page.drift),
            "load": _load(page.throughput),
        },
    )


def _throughput(report: ThroughputReport) -> Markup:
    return over_time(
        "throughput",
        "Labels a second over time",
        "A line through the rate of each window.",
        [(point.at, point.labels_per_second) for point in report.points],
        unit="labels/s",
    )


def _abstention(report: ThroughputReport) -> Markup:
    return over_time(
        "abstention",
        "Share of labels that abstained, over time",
        "A line through the share of each window that had labels.",
        [(point.at, 100.0 * point.abstained / point.labels if point.labels else None) for point in report.points],
        unit="% abstained",
    )


def _drift(report: DriftReport) -> Markup:
    return stacked_bars(
        "drift",
        "Population stability index, in thousandths",
        "One bar a subject; from 100 on it is moderate, from 250 on strong. The table below has the numbers.",
        [figure.subject for figure in report.figures],
        {"index": [round(figure.psi * 1_000) for figure in report.figures]},
        "band",
    )


def _load(report: ThroughputReport) -> Markup:
    return stacked_bars(
        "load",
        "Places used in the busiest window, in percent",
        "One bar for each who works; the table below has the numbers.",
        [worker.who for worker in report.workers],
        {"peak": [round(worker.peak_utilisation * 100) for worker in report.workers]},
        "verdict",
    )
