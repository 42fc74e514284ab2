"""Reports over months of counted traffic, and what is told when it changes; no waiting, no store but memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from llama_mapper.domain.contracts.monitoring import (
    Asking,
    CauseMetric,
    ChangeEvent,
    ChangeKind,
    DriftLevel,
    MonitoringAlert,
    MonitoringAlertKind,
    ReferenceRequest,
    SeriesKind,
)
from llama_mapper.domain.kernel.errors import StoreError, ValidationError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.costs.spending import NANO, Amount, SpendingKey, day_of
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.ports import Part
from llama_mapper.domain.mapping.monitoring.service import MonitoringService
from llama_mapper.domain.mapping.monitoring.tally import Dimension, Tally
from llama_mapper.domain.mapping.monitoring.watching import MonitoringWatch
from llama_mapper.domain.mapping.monitoring.windows import Width, start_of
from llama_mapper.domain.mapping.releases.latencies import bucket_of
from tests.unit.mapping.monitoring.stores import Changes, Moving, Spending, Windows

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
PLACES = {"catalogue": 1.0, "process": 1.0, "lexical": 1.0, "model": 16.0}


def hour(
    calls: int = 60,
    *,
    abstained: int = 1,
    vendor: str = "presidio",
    model_ms: float = 20.0,
    version: str = "m@1",
    faulted: int = 0,
) -> Tally:
    """So many calls of ten labels each; the model was asked about one of each call."""
    tally, labels = Tally(), calls * 10
    every = tally.at(Dimension.ALL, "all")
    every.labels, every.abstained, every.calls, every.faulted = labels, abstained, calls, faulted
    every.abstained_ppm, every.faulted_ppm = abstained * 100_000, faulted * 100_000
    every.busy_us = round(calls * (1.0 + model_ms) * 1e3)
    own = tally.at(Dimension.VENDOR, vendor)
    own.labels, own.abstained, own.faulted = labels, abstained, faulted
    tally.at(Dimension.STAGE, "catalogue_exact").labels = labels - abstained
    tally.at(Dimension.STAGE, "abstained").labels = abstained
    tally.at(Dimension.CATEGORY, "pii.financial_data").labels = labels - abstained
    tally.at(Dimension.CONFIDENCE, "19").labels = labels - abstained
    for who, ms, asked in (("catalogue", 1.0, labels), ("model", model_ms, calls)):
        work = tally.at(Dimension.WORK, who)
        work.labels, work.calls, work.busy_us = asked, calls, round(calls * ms * 1e3)
        tally.at(Dimension.LATENCY, f"{who}:{bucket_of(ms)}").calls = calls
    of_version = tally.at(Dimension.VERSION, f"model@{version}")
    of_version.labels, of_version.abstained, of_version.faulted = calls, abstained, faulted
    of_version.busy_us = round(calls * model_ms * 1e3)
    if faulted:
        fault = tally.at(Dimension.FAULT, "model: vllm_timeout")
        fault.faulted = fault.abstained = faulted
        tally.at(Dimension.WORK, "model").faulted = faulted
    return tally


class Sink:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, tenant_id: str, alert: MonitoringAlert) -> None:
        self.told.append((alert.kind.value, alert.subject))


class House:
    """A service at noon, and its parts."""

    def __init__(self, *events: ChangeEvent, ledger: Spending | None = None) -> None:
        self.store, self.clock, self.sink = Windows(), Moving(NOON), Sink()
        self.meter = WindowMeter(self.store, self.clock, {"presidio"})
        self.service = MonitoringService(
            self.store, self.meter, Changes(*events), ledger or Spending(), self.clock, places=PLACES
        )
        self.watch = MonitoringWatch(self.service, self.store, self.meter, self.sink, self.clock)

    async def had(self, ago_h: int, tally: Tally, tenant: str = "acme", width: Width = Width.HOUR) -> None:
        start = start_of(self.clock.now, width) - ago_h * width
        await self.store.put(tenant, [Part(width, start, f"w{ago_h}", 1, tally)])

    async def quiet(self, days: int, tenant: str = "acme", until_h: int = 13) -> None:
        random = Random(1)
        for ago in range(until_h, days * 24):
            await self.had(ago, hour(60 + random.randrange(5), abstained=random.randrange(3)), tenant)


@pytest.fixture
async def house() -> House:
    house = House()
    await house.quiet(30)
    return house


async def test_a_day_like_the_days_before_has_not_drifted_and_alerts_nobody(house: House) -> None:
    for ago in range(1, 13):
        await house.had(ago, hour(61))
    report = await house.service.drift("acme", Asking())
    assert {figure.subject: figure.level for figure in report.figures} == dict.fromkeys(
        ("category", "stage", "vendor", "confidence", "domain"), DriftLevel.STABLE
    )
    assert (report.reference.since, report.reference.until) == (
        datetime(2026, 3, 13, tzinfo=UTC),
        datetime(2026, 3, 20, tzinfo=UTC),
    )
    assert not report.abstention.rising
    await house.watch.look("acme")
    assert house.sink.told == []


async def test_what_changes_is_told_once_a_day_and_again_on_the_next(house: House) -> None:
    for ago in range(1, 13):
        await house.had(ago, hour(60, abstained=240, vendor="other"))
    for _ in range(2):
        await house.watch.look("acme")
    assert set(house.sink.told) == {
        (MonitoringAlertKind.DRIFT, "vendor"),
        (MonitoringAlertKind.DRIFT, "stage"),
        (MonitoringAlertKind.ABSTENTION, "abstention"),
        (MonitoringAlertKind.ANOMALY, "abstention"),
    }
    assert len(house.sink.told) == len(set(house.sink.told))
    first = len(house.sink.told)
    assert len((await house.service.alerts("acme")).items) == first
    house.clock.now += timedelta(days=1)
    for ago in range(1, 13):
        await house.had(ago, hour(60, abstained=240, vendor="new"))
    await house.watch.look("acme")
    assert len(house.sink.told) > first


async def test_too_few_labels_say_nothing_of_drift(house: House) -> None:
    await house.had(1, hour(49, vendor="other"))
    assert (await house.service.drift("acme", Asking())).level is DriftLevel.TOO_FEW
    await house.had(2, hour(10, vendor="other"))
    assert (await house.service.drift("acme", Asking())).level is DriftLevel.STRONG


async def test_a_reference_that_was_set_is_compared_with_all_that_came_since(house: House) -> None:
    asked = ReferenceRequest(since=NOON - timedelta(days=20), until=NOON - timedelta(days=10))
    await house.service.set_reference("acme", asked, "anna")
    house.clock.now += timedelta(days=3)
    await house.had(1, hour())
    report = await house.service.drift("acme", Asking())
    assert report.reference_is_set
    assert (report.reference.since, report.current.since) == (asked.since, NOON)
    await house.service.remove_reference("acme")
    assert not (await house.service.drift("acme", Asking())).reference_is_set


async def test_the_sum_of_all_tenants_goes_to_the_metrics_and_alerts_nobody(house: House) -> None:
    await house.quiet(9, EVERYONE)
    for ago in range(1, 13):
        await house.had(ago, hour(60, vendor="other"), EVERYONE)
    await house.watch.look(EVERYONE)
    assert house.watch.installation.psi["vendor"] > 0.25
    assert house.watch.installation.psi["stage"] < 0.1
    assert house.sink.told == []


async def test_a_store_that_is_away_while_somebody_looks_is_counted_and_looked_at_again(house: House) -> None:
    house.watch = MonitoringWatch(house.service, _AlertsAway(house.store), house.meter, house.sink, house.clock)
    for ago in range(1, 13):
        await house.had(ago, hour(60, abstained=240, vendor="other"))
    with pytest.raises(StoreError):
        await house.watch.look("acme")


class _AlertsAway(Windows):
    def __init__(self, store: Windows) -> None:
        super().__init__()
        self.parts = store.parts

    async def alert(self, tenant_id: str, alert: MonitoringAlert) -> bool:
        raise StoreError("away")


async def test_an_hour_without_traffic_is_an_anomaly_and_the_hour_that_runs_is_not_judged(house: House) -> None:
    for ago in [ago for ago in range(1, 13) if ago != 5]:
        await house.had(ago, hour(62))
    report = await house.service.anomalies("acme", 2)
    found = {(one.series, one.at) for one in report.anomalies}
    assert found == {(SeriesKind.THROUGHPUT, NOON - timedelta(hours=5))}
    (one,) = report.anomalies
    assert (one.value, one.compared_with) == (0.0, "the same hour of earlier days")
    assert one.deviations < -3.5
    assert next(each.judged for each in report.series if each.series is SeriesKind.THROUGHPUT) == 48


async def test_a_day_that_costs_much_more_is_an_anomaly() -> None:
    today = day_of(NOON)
    spent = {
        SpendingKey("acme", today - ago, "m"): Amount(nanodollars=round((1.0 + ago % 3 * 0.1) * NANO))
        for ago in range(30)
    }
    spent[SpendingKey("acme", today - 2, "m")] = Amount(nanodollars=9 * NANO)
    house = House(ledger=Spending(spent))
    report = await house.service.anomalies("acme", 7)
    assert [(one.series, one.value, one.at.date().day) for one in report.anomalies] == [(SeriesKind.COST, 9.0, 18)]


async def test_a_version_that_abstains_more_explains_it_with_the_release_that_brought_it() -> None:
    release = ChangeEvent(
        at=NOON - timedelta(hours=6, minutes=20),
        kind=ChangeKind.RELEASE,
        subject="model: m@2",
        step="completed",
        everyone=True,
    )
    later = release.model_copy(update={"at": NOON - timedelta(hours=4), "subject": "later"})
    house = House(later, release)
    await house.quiet(9)
    for ago in range(7, 13):
        await house.had(ago, hour(62))
    for ago in range(1, 7):
        await house.had(ago, hour(62, abstained=50, version="m@2"))
    report = await house.service.causes("acme", CauseMetric.ABSTENTION, Asking())
    assert report.changed
    assert report.began == NOON - timedelta(hours=6)
    assert report.dimensions[0].dimension == "version of model"
    assert [one.element for one in report.dimensions[0].elements] == ["m@2"]
    assert [one.subject for one in report.changes] == ["model: m@2", "later"]
    assert report.changes[0].minutes_before == 20.0


async def test_a_stage_that_became_slow_explains_the_latency(house: House) -> None:
    for ago in range(1, 13):
        await house.had(ago, hour(62, model_ms=80.0))
    report = await house.service.causes("acme", CauseMetric.LATENCY, Asking())
    assert report.changed
    work = next(one for one in report.dimensions if one.dimension == "work")
    assert [one.element for one in work.elements] == ["model"]
    assert work.elements[0].explains == pytest.approx(1.0, abs=0.01)
    assert report.began == datetime(2026, 3, 20, tzinfo=UTC)


async def test_a_fault_that_appeared_explains_the_errors(house: House) -> None:
    for ago in range(1, 13):
        await house.had(ago, hour(62, faulted=40))
    report = await house.service.causes("acme", CauseMetric.ERRORS, Asking())
    assert report.changed
    fault = next(one for one in report.dimensions if one.dimension == "fault")
    assert [one.element for one in fault.elements] == ["model: vllm_timeout"]


async def test_what_did_not_change_has_no_cause(house: House) -> None:
    for ago in range(1, 13):
        await house.had(ago, hour(62))
    for metric in CauseMetric:
        report = await house.service.causes("acme", metric, Asking())
        assert (report.changed, report.began) == (False, None), metric


async def test_what_goes_together_is_found_among_the_series() -> None:
    house, random = House(), Random(7)
    for ago in range(1, 7 * 24):
        faulted = random.randrange(60)
        await house.had(ago, hour(60, faulted=faulted, abstained=faulted))
    report = await house.service.correlations("acme", Asking())
    best = report.correlations[0]
    assert {best.one, best.other} == {"abstention", "errors"}
    assert (best.rho > 0.99, best.lag_windows) == (True, 0)


async def test_throughput_tells_load_by_littles_law() -> None:
    house = House()
    for ago in (1, 2):
        await house.had(ago, hour(3_600, model_ms=500.0))
    report = await house.service.throughput("acme", Asking(since=NOON - timedelta(hours=2), until=NOON, window_s=3_600))
    model = next(one for one in report.workers if one.who == "model")
    # One call a second, half a second each.
    assert (model.under_way, model.utilisation, model.service_ms) == (0.5, 0.5 / 16, 500.0)
    assert model.p95_ms == pytest.approx(500.0, rel=0.2)
    assert not model.saturated
    assert report.labels_per_second == 10.0
    assert report.peak_to_mean == 1.0


async def test_capacity_grows_with_the_traffic_and_names_the_day_the_bound_is_reached() -> None:
    house = House()
    for day in range(1, 15):
        await house.had(day * 24, hour(36_000 - day * 1_800, model_ms=100.0))
    one, two = [(await house.service.capacity("acme", growth, 0.7, 28)).needs for growth in (1.0, 2.0)]
    process, model = two
    assert (process.who, model.who) == ("process", "model")
    assert model.offered_load == pytest.approx(2 * one[1].offered_load)
    assert model.growth_per_day == pytest.approx(0.5)
    # 16 places, 70 % used, 0.1 s each: 112 calls a second; the last peak was 9.5.
    assert model.bound_calls_per_second == pytest.approx(112.0)
    assert model.days_until_bound == pytest.approx((112.0 - 9.5) / 0.5)
    assert model.days_until_bound_earliest is not None
    assert model.utilisation_then <= 0.7
    assert (await house.service.capacity("beta", 1.0, 0.7, 28)).needs == ()


async def test_long_and_empty_spans_are_refused_or_told_empty(house: House) -> None:
    for since, until in ((NOON, NOON), (NOON, NOON - timedelta(days=1)), (NOON - timedelta(days=401), NOON)):
        with pytest.raises(ValidationError):
            await house.service.drift("acme", Asking(since=since, until=until))
    with pytest.raises(ValidationError):
        await house.service.throughput("acme", Asking(since=NOON - timedelta(days=59)))
    report = await house.service.throughput("nobody", Asking())
    assert (report.period.labels, report.peak, report.workers) == (0, None, ())
    drift = await house.service.drift("nobody", Asking())
    assert (drift.level, drift.abstention.rising) == (DriftLevel.TOO_FEW, False)
