"""`llama-mapper monitor`: how mapping is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llama_mapper.domain.contracts.monitoring import Asking, CauseReport, DriftReport
    from llama_mapper.domain.mapping.monitoring.service import MonitoringService

app = typer.Typer(help="How mapping is doing: throughput, drift, anomalies, causes, capacity.")

Result = TypeVar("Result")
Tenant = Annotated[str, typer.Option(help="Whose mapping; `*` is the sum of all tenants.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[str | None, typer.Option(help="From when: a moment as 2026-03-10T12:00:00Z, or 24h, 7d ago.")]
Until = Annotated[str | None, typer.Option(help="Up to when; now by default.")]
ReferenceSince = Annotated[str | None, typer.Option(help="Where the span begins that it is compared with.")]
ReferenceUntil = Annotated[str | None, typer.Option(help="Where it ends.")]

_AGO = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@app.callback()
def _group() -> None:
    """The commands about how mapping is doing."""


@app.command()
def throughput(
    since: Since = None,
    until: Until = None,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Labels a second by stage, peaks, and how hard each worker works; the last hour by default."""
    report = _with(data_dir, lambda found: found.throughput(tenant, _asked(since, until)))
    if as_json:
        _print_json(report)
        return
    peak = "" if report.peak is None else f", peak {report.peak.labels_per_second:,.1f} at {_at(report.peak.at)}"
    typer.echo(f"{report.period.labels:,} labels, {report.labels_per_second:,.2f} a second{peak}")
    print_table(
        ("stage", "labels", "share", "labels/s"),
        ((one.stage, f"{one.labels:,}", f"{one.share:.1%}", f"{one.labels_per_second:,.2f}") for one in report.stages),
    )
    print_table(
        ("who", "calls", "ms a call", "p95 ms", "under way", "peak", "places", "peak used"),
        (
            (
                one.who,
                f"{one.calls:,}",
                _figure(one.service_ms),
                _figure(one.p95_ms),
                f"{one.under_way:.3g}",
                f"{one.peak_under_way:.3g}",
                f"{one.places:g}",
                f"{one.peak_utilisation:.1%}" + (" saturated" if one.saturated else ""),
            )
            for one in report.workers
        ),
    )


@app.command()
def drift(
    since: Since = None,
    until: Until = None,
    reference_since: ReferenceSince = None,
    reference_until: ReferenceUntil = None,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """How far today is from the reference that was set, or from the days before."""
    asked = _asked(since, until, reference_since, reference_until)
    report = _with(data_dir, lambda found: found.drift(tenant, asked))
    if as_json:
        _print_json(report)
        return
    print_lines(f"{report.level.value}: {_compared(report)}")
    print_table(
        ("what", "level", "PSI", "by chance", "JS distance", "labels before", "now", "changed most"),
        (
            (
                one.subject,
                one.level.value,
                f"{one.psi:.3f}",
                f"{one.chance_psi:.3f}",
                f"{one.js_distance:.3f}",
                f"{one.reference_labels:,}",
                f"{one.current_labels:,}",
                ", ".join(
                    f"{each.element} {each.reference_share:.1%} -> {each.current_share:.1%}"
                    for each in one.elements[:3]
                ),
            )
            for one in report.figures
        ),
    )
    change = report.abstention
    typer.echo(
        f"abstained, mean of calls: {_percent(change.reference_share)} -> {_percent(change.current_share)}; "
        f"difference {change.low:+.1%} to {change.high:+.1%}" + ("; rising" if change.rising else "")
    )


@app.command()
def anomalies(
    days: Annotated[int, typer.Option(min=1, max=90, help="How many days, up to now.")] = 7,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List hours, and days of cost, that are far from what is usual."""
    report = _with(data_dir, lambda found: found.anomalies(tenant, days))
    if as_json:
        _print_json(report)
        return
    print_table(
        ("at", "series", "value", "usual", "deviations", "compared with"),
        (
            (
                _at(one.at),
                one.series.value,
                f"{one.value:.4g}",
                f"{one.usual:.4g}",
                f"{one.deviations:+.1f}",
                one.compared_with,
            )
            for one in report.anomalies
        ),
    )
    typer.echo("judged: " + ", ".join(f"{one.series.value} {one.judged:,}" for one in report.series))


@app.command()
def correlations(
    since: Since = None,
    until: Until = None,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what goes up and down together; the last seven days by default."""
    report = _with(data_dir, lambda found: found.correlations(tenant, _asked(since, until)))
    if as_json:
        _print_json(report)
        return
    print_table(
        ("one", "other", "rho", "follows by", "windows", "p"),
        (
            (one.one, one.other, f"{one.rho:+.2f}", f"{one.lag_windows}", f"{one.windows:,}", f"{one.adjusted_p:.1g}")
            for one in report.correlations
        ),
    )
    typer.echo(f"{report.pairs_compared} pairs compared; going together is no cause")


@app.command()
def causes(
    metric: Annotated[str, typer.Argument(help="abstention, latency or errors.")] = "abstention",
    since: Since = None,
    until: Until = None,
    reference_since: ReferenceSince = None,
    reference_until: ReferenceUntil = None,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Say which vendor, stage or version explains a change, when it began, and what was changed near it."""
    from llama_mapper.domain.contracts.monitoring import CauseMetric
    from llama_mapper.domain.kernel.errors import ValidationError

    known = {one.value: one for one in CauseMetric}
    if metric not in known:
        raise ValidationError(f"the metric is one of {', '.join(known)}")
    asked = _asked(since, until, reference_since, reference_until)
    report = _with(data_dir, lambda found: found.causes(tenant, known[metric], asked))
    if as_json:
        _print_json(report)
        return
    _print_causes(report)


@app.command()
def capacity(
    growth: Annotated[float, typer.Option(min=0.01, max=1000.0, help="By which factor traffic grows.")] = 2.0,
    utilisation: Annotated[float, typer.Option(min=0.05, max=0.99, help="How much of the places may be used.")] = 0.7,
    days: Annotated[int, typer.Option(min=1, max=90, help="Days whose peaks count.")] = 28,
    tenant: Tenant = "*",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Say how many places the peaks need, and until when those of now do."""
    report = _with(data_dir, lambda found: found.capacity(tenant, growth, utilisation, days))
    if as_json:
        _print_json(report)
        return
    print_table(
        ("who", "peak calls/s", "ms a call", "load then", "places now", "needed", "wait", "bound calls/s", "days left"),
        (
            (
                one.who,
                f"{one.peak_calls_per_second:,.3g}",
                f"{one.service_ms:.3g}",
                f"{one.offered_load:.3g}",
                f"{one.places_now:g}",
                f"{one.places_needed:,}",
                f"{one.waits:.1%}, {one.mean_wait_ms:.3g} ms",
                f"{one.bound_calls_per_second:,.3g}",
                "-" if one.days_until_bound is None else f"{one.days_until_bound:,.0f}",
            )
            for one in report.needs
        ),
    )


@app.command()
def alerts(tenant: Tenant = "local", as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List what was noticed, newest first."""
    found = _with(data_dir, lambda monitoring: monitoring.alerts(tenant))
    if as_json:
        _print_json(found)
        return
    print_table(
        ("at", "kind", "subject", "value", "limit"),
        ((_at(one.at), one.kind.value, one.subject, f"{one.value:.3g}", f"{one.threshold:g}") for one in found.items),
    )


@app.command()
def reference(
    since: Annotated[str | None, typer.Argument(help="Set it: from this moment, in whole hours.")] = None,
    until: Annotated[str | None, typer.Argument(help="Up to this one.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Compare with the days before again.")] = False,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show, set or remove the span that a tenant's mapping is compared with."""
    from llama_mapper.domain.contracts.monitoring import ReferenceAnswer, ReferenceRequest
    from llama_mapper.domain.kernel.errors import ValidationError

    begins, ends = _moment(since), _moment(until)
    if (begins is None) is not (ends is None):
        raise ValidationError("name both ends of the reference, or none")

    async def change(found: MonitoringService) -> ReferenceAnswer:
        if remove:
            return await found.remove_reference(tenant)
        if begins is None or ends is None:
            return await found.reference(tenant)
        return await found.set_reference(tenant, ReferenceRequest(since=begins, until=ends), "command line")

    answer = _with(data_dir, change)
    if as_json:
        _print_json(answer)
    elif answer.reference is None:
        typer.echo("no reference is set: today is compared with the days before")
    else:
        one = answer.reference
        typer.echo(f"{_at(one.since)} to {_at(one.until)}, set {_at(one.set_at)} by {one.set_by}")


@app.command()
def report(
    output: Annotated[Path, typer.Argument(help="Where to write the page.")],
    days: Annotated[int, typer.Option(min=1, max=58, help="How many days the pictures show.")] = 7,
    tenant: Tenant = "local",
    data_dir: DataDir = None,
) -> None:
    """Write all of it as one HTML page with pictures."""
    from llama_mapper.domain.contracts.monitoring import Asking, CauseMetric
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.entrypoints.report.monitoring import MonitoringPage, render_monitoring

    now = datetime.now(UTC)

    async def gather(found: MonitoringService) -> MonitoringPage:
        return MonitoringPage(
            tenant=tenant,
            throughput=await found.throughput(
                tenant, Asking(since=now - timedelta(days=days), until=now, window_s=3600)
            ),
            drift=await found.drift(tenant, Asking()),
            anomalies=await found.anomalies(tenant, days),
            correlations=await found.correlations(tenant, Asking(since=now - timedelta(days=days), until=now)),
            causes=tuple([await found.causes(tenant, metric, Asking()) for metric in CauseMetric]),
            capacity=await found.capacity(tenant, 2.0, 0.7, min(days, 58)),
            alerts=await found.alerts(tenant),
        )

    page = render_monitoring(_with(data_dir, gather), now)
    try:
        output.write_text(page, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {output}: {error.strerror}") from error


def _print_causes(report: CauseReport) -> None:
    before, now = report.reference_value, report.current_value
    typer.echo(
        f"{report.metric.value}: {_figure(before)} -> {_figure(now)}"
        + ("" if report.changed else "; no more than chance")
        + ("" if report.began is None else f"; began {_at(report.began)}")
    )
    print_table(
        ("dimension", "element", "explains", "surprise", "before", "now"),
        (
            (
                one.dimension,
                each.element,
                f"{each.explains:.0%}",
                f"{each.surprise:.3f}",
                f"{each.reference_value:.4g}",
                f"{each.current_value:.4g}",
            )
            for one in report.dimensions
            for each in one.elements
        ),
    )
    print_table(
        ("changed at", "minutes before", "what", "subject", "step"),
        ((_at(one.at), f"{one.minutes_before:.0f}", one.kind.value, one.subject, one.step) for one in report.changes),
    )


def _compared(report: DriftReport) -> str:
    now, then = report.current, report.reference
    return f"{_at(now.since)} to {_at(now.until)} against {_at(then.since)} to {_at(then.until)}" + (
        " (set)" if report.reference_is_set else ""
    )


def _asked(
    since: str | None, until: str | None, reference_since: str | None = None, reference_until: str | None = None
) -> Asking:
    from llama_mapper.domain.contracts.monitoring import Asking

    return Asking(
        since=_moment(since),
        until=_moment(until),
        reference_since=_moment(reference_since),
        reference_until=_moment(reference_until),
    )


def _moment(text: str | None) -> datetime | None:
    """`24h` ago, or a moment with its time zone; raise `INVALID_REQUEST` for anything else."""
    from llama_mapper.domain.kernel.errors import ValidationError

    if text is None:
        return None
    if text[-1:] in _AGO and text[:-1].isdecimal() and len(text) <= 6:
        return datetime.now(UTC) - int(text[:-1]) * _AGO[text[-1]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1971 <= found.year <= 9000:
        raise ValidationError("a moment is 24h, 7d, or 2026-03-10T12:00:00Z")
    return found


def _print_json(answer: BaseModel) -> None:
    typer.echo(answer.model_dump_json())


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _with(data_dir: Path | None, ask: Callable[[MonitoringService], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.databases import database_for, open_database
    from llama_mapper.entrypoints.containers.monitoring import monitoring_over
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir)

    async def run() -> Result:
        async with open_database(database_for(settings, "mapping")) as database:
            return await ask(monitoring_over(database, settings))

    return asyncio.run(run())
