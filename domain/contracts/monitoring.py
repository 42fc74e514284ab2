"""How mapping is doing: throughput, drift, anomalies, what goes together, causes, and capacity."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import Contract, Count, Milliseconds, Score, ShortText

Rate = Annotated[float, Field(ge=0.0, le=1e12)]
Figure = Annotated[float, Field(ge=-1e15, le=1e15)]
Positive = Annotated[float, Field(ge=0.0, le=1e15)]
SeriesName = Annotated[str, Field(min_length=1, max_length=256)]
"""A stage, a category, a vendor of the catalogue, a version, a fault; `other` where there are too many."""

DAYS_TOLD = 400
POINTS_TOLD = 1_500


class Period(Contract):
    """From a moment up to, and without, another; what was counted, in whole windows."""

    since: datetime
    until: datetime
    window_s: Annotated[int, Field(ge=60, le=3_600)]
    """Seconds of the windows that were counted."""
    labels: Count


class RatePoint(Contract):
    """One window."""

    at: datetime
    labels: Count
    labels_per_second: Rate
    abstained: Count
    mean_ms: Milliseconds | None
    """Of the window's calls; null where there was none."""


class WorkerLoad(Contract):
    """Who worked, and how hard: `catalogue` for all that is no stage after it, or a stage that was asked."""

    who: SeriesName
    labels: Count
    calls: Count
    labels_per_second: Rate
    peak_calls_per_second: Rate
    """In the busiest minute, or hour where minutes are not kept any more."""
    service_ms: Milliseconds | None
    """Mean time of a call; null where there was none."""
    p95_ms: Milliseconds | None
    """The edge of the bucket that the 95th percentile of calls lies in."""
    under_way: Rate
    """Calls under way at one time on average: rate times time (Little's law)."""
    peak_under_way: Rate
    """The same in the busiest window."""
    places: Annotated[float, Field(gt=0.0, le=1e9)]
    """Calls that may be under way at one time, as the installation is set."""
    utilisation: Rate
    """`under_way` by `places`."""
    peak_utilisation: Rate
    saturated: bool
    """Whether the peak uses more than nine tenths of the places."""


class StageShare(Contract):
    """Labels that a stage answered."""

    stage: SeriesName
    labels: Count
    share: Score
    labels_per_second: Rate


class ThroughputReport(Contract):
    """Labels a second, peaks and utilisation."""

    period: Period
    calls: Count
    labels_per_second: Rate
    peak: RatePoint | None
    """The window with the most labels; null where nothing was mapped."""
    peak_to_mean: Rate | None
    stages: Annotated[tuple[StageShare, ...], Field(max_length=32)]
    """Most labels first."""
    workers: Annotated[tuple[WorkerLoad, ...], Field(max_length=16)]
    points: Annotated[tuple[RatePoint, ...], Field(max_length=POINTS_TOLD)]


class DriftLevel(StrEnum):
    """How much a distribution has changed."""

    TOO_FEW = "too_few"
    """Too few labels on one side to say."""
    STABLE = "stable"
    MODERATE = "moderate"
    """A population stability index from 0.1, and more than chance gives."""
    STRONG = "strong"
    """One from 0.25, and more than chance gives."""


class DriftElement(Contract):
    """One element of a distribution, and its part in the index."""

    element: SeriesName
    reference_share: Score
    current_share: Score
    contribution: Positive
    """Its term of the population stability index."""


class DriftFigure(Contract):
    """One distribution, compared."""

    subject: SeriesName
    """`category`, `domain`, `stage`, `vendor` or `confidence`."""
    level: DriftLevel
    psi: Positive
    """Population stability index."""
    chance_psi: Positive
    """What the index stays below, 99 times in 100, where nothing has changed and labels come one by one."""
    js_distance: Score
    """Square root of the Jensen-Shannon divergence to base 2."""
    reference_labels: Count
    current_labels: Count
    elements: Annotated[tuple[DriftElement, ...], Field(max_length=16)]
    """Those that changed most."""


class AbstentionChange(Contract):
    """Whether more abstains than before: a test that may be looked at at any time. A call is one observation."""

    reference_share: Score | None
    current_share: Score | None
    low: Annotated[float, Field(ge=-1.0, le=1.0)]
    """The difference of the shares lies between `low` and `high`: 99 times in 100 at every look since `since`."""
    high: Annotated[float, Field(ge=-1.0, le=1.0)]
    reference_calls: Count
    current_calls: Count
    margin: Score
    """By how much more may abstain before it counts."""
    log10_e_value: Figure
    """Logarithm, to base 10, of the evidence that it is more than that; from 2 on, `rising`."""
    rising: bool


class DriftReport(Contract):
    """Today's traffic against a reference."""

    reference: Period
    reference_is_set: bool
    """Whether the tenant set it; else it is the days before."""
    current: Period
    level: DriftLevel
    """The strongest of the figures'."""
    figures: Annotated[tuple[DriftFigure, ...], Field(max_length=8)]
    abstention: AbstentionChange


class ReferenceRequest(Contract):
    """A span to compare with from now on."""

    since: datetime
    until: datetime


class ReferenceSpan(ReferenceRequest):
    """What is compared with."""

    set_at: datetime
    set_by: Annotated[str, Field(max_length=128)]


class ReferenceAnswer(Contract):
    """The span that the tenant set; null where it set none and the days before are compared with."""

    reference: ReferenceSpan | None


class SeriesKind(StrEnum):
    """Series that are watched."""

    THROUGHPUT = "throughput"
    """Labels a window."""
    ABSTENTION = "abstention"
    """Share of labels that abstained."""
    LATENCY = "latency"
    """Mean milliseconds of a call."""
    ERRORS = "errors"
    """Share of labels for which a stage could not try."""
    WRONG_ANSWERS = "wrong_answers"
    """Labels for which a model broke the form of its answer."""
    CONFIDENCE = "confidence"
    """Mean confidence of the answers."""
    COST = "cost"
    """US dollars a day."""


class Anomaly(Contract):
    """A value that is far from what is usual."""

    series: SeriesKind
    at: datetime
    value: Figure
    usual: Figure
    """The median of what it is compared with."""
    deviations: Figure
    """By how many robust standard deviations it lies above (below: negative)."""
    compared_with: ShortText
    points: Count
    """How many values it is compared with."""


class SeriesWatched(Contract):
    """One series, and whether there was enough of it to judge."""

    series: SeriesKind
    judged: Count
    """Values that were compared with others."""
    anomalies: Count


class AnomalyReport(Contract):
    """Values of the last days that are far from what is usual."""

    since: datetime
    until: datetime
    threshold: Positive
    series: Annotated[tuple[SeriesWatched, ...], Field(max_length=16)]
    anomalies: Annotated[tuple[Anomaly, ...], Field(max_length=500)]
    """Newest first."""


class Correlation(Contract):
    """Two series that go up and down together."""

    one: SeriesName
    other: SeriesName
    """Series, or shares of vendors and stages."""
    rho: Annotated[float, Field(ge=-1.0, le=1.0)]
    """Spearman's rank correlation of their changes from window to window."""
    lag_windows: Annotated[int, Field(ge=-24, le=24)]
    """By how many windows the other follows."""
    windows: Count
    adjusted_p: Score
    """How likely chance makes one of all pairs look so strong (Benjamini-Hochberg)."""


class CorrelationReport(Contract):
    """What goes together. It tells of no cause."""

    period: Period
    pairs_compared: Count
    correlations: Annotated[tuple[Correlation, ...], Field(max_length=100)]
    """Strongest first; only those that chance explains less than 1 time in 100."""


class CauseMetric(StrEnum):
    """What changed."""

    ABSTENTION = "abstention"
    LATENCY = "latency"
    ERRORS = "errors"


class CauseElement(Contract):
    """A part of a dimension, and how much of the change it explains."""

    element: SeriesName
    explains: Figure
    """Share of the whole change; the parts of a dimension sum to 1, and a part may go the other way."""
    surprise: Positive
    """How unlike before its share of the whole is."""
    reference_value: Figure
    current_value: Figure


class CauseDimension(Contract):
    """A dimension with the fewest parts that explain two thirds of the change."""

    dimension: SeriesName
    surprise: Positive
    elements: Annotated[tuple[CauseElement, ...], Field(max_length=16)]


class ChangeKind(StrEnum):
    """What somebody changed."""

    CROSSWALK = "crosswalk"
    VOCABULARY = "vocabulary"
    FRAMEWORK = "framework"
    REVIEW = "review"
    MODEL = "model"
    RELEASE = "release"
    SETTINGS = "settings"
    CATALOGUE = "catalogue"
    SCHEMA = "schema"
    SERVICE = "service"


class ChangeEvent(Contract):
    """A change, as the audited histories tell it; never who made it, nor a label."""

    at: datetime
    kind: ChangeKind
    subject: SeriesName
    step: SeriesName
    everyone: bool
    """Whether it holds for all tenants."""


class NearbyChange(ChangeEvent):
    """A change near the time when it began."""

    minutes_before: Figure
    """Negative for changes after the beginning."""


class CauseReport(Contract):
    """What may explain a change."""

    metric: CauseMetric
    reference: Period
    current: Period
    reference_value: Figure | None
    current_value: Figure | None
    """A share, or for latency milliseconds of work a label."""
    changed: bool
    """Whether the change is more than chance; causes of what is not are guesses."""
    began: datetime | None
    """The window from which on the values differ most from those before; null where there is too little to say."""
    dimensions: Annotated[tuple[CauseDimension, ...], Field(max_length=3)]
    """Most surprising first."""
    changes: Annotated[tuple[NearbyChange, ...], Field(max_length=50)]
    """Nearest first; those before the beginning come first."""


class CapacityNeed(Contract):
    """What one kind of work needs."""

    who: SeriesName
    """`process`, for work in the service's own process; or `model`."""
    peak_calls_per_second: Rate
    service_ms: Milliseconds
    offered_load: Rate
    """Calls that are under way at the peak, after growth: rate times time (erlangs)."""
    places_now: Annotated[float, Field(gt=0.0, le=1e9)]
    places_needed: Annotated[int, Field(ge=1, le=1_000_000_000)]
    utilisation_then: Rate
    waits: Score
    """Share of calls that wait for a place, with `places_needed` (Erlang C)."""
    mean_wait_ms: Milliseconds
    bound_calls_per_second: Rate
    """What the places of now take at the utilisation aimed at."""
    growth_per_day: Figure | None
    """Calls a second that each day's peak grows by (Theil-Sen); null for fewer than three days."""
    growth_low: Figure | None
    growth_high: Figure | None
    """The slope's interval, 90 times in 100 (Sen 1968)."""
    days_until_bound: Positive | None
    """At that growth; null where nothing grows, 0 where it is reached."""
    days_until_bound_earliest: Positive | None
    """At the fastest growth of the interval."""


class CapacityReport(Contract):
    """How many places the traffic needs."""

    since: datetime
    until: datetime
    growth: Annotated[float, Field(ge=0.01, le=1_000.0)]
    utilisation: Annotated[float, Field(ge=0.05, le=0.99)]
    instances: Annotated[int, Field(ge=1, le=100_000)]
    needs: Annotated[tuple[CapacityNeed, ...], Field(max_length=8)]


class MonitoringAlertKind(StrEnum):
    """What was noticed."""

    DRIFT = "drift"
    ABSTENTION = "abstention"
    ANOMALY = "anomaly"


class MonitoringAlert(Contract):
    """Something that changed; told once a day for each kind and subject."""

    at: datetime
    day: date
    kind: MonitoringAlertKind
    subject: SeriesName
    value: Figure
    """The index, the e-value's logarithm, or the number of deviations."""
    threshold: Figure


class MonitoringAlertList(Contract):
    """Alerts, newest first."""

    items: Annotated[tuple[MonitoringAlert, ...], Field(max_length=1_000)]


class Asking(Contract):
    """Which traffic a report is about; what is null has the report's usual span."""

    since: datetime | None = None
    until: datetime | None = None
    reference_since: datetime | None = None
    reference_until: datetime | None = None
    window_s: Annotated[int, Field(ge=60, le=3_600)] | None = None


class MonitoringApi(Protocol):
    """How a tenant's mapping is doing. The tenant `EVERYONE` stands for the sum of all.

    Every method raises `INVALID_REQUEST` for spans that end before they begin, or of more than 400 days.
    """

    async def throughput(self, tenant_id: str, asked: Asking) -> ThroughputReport:
        """Usually the last hour."""
        ...

    async def drift(self, tenant_id: str, asked: Asking) -> DriftReport:
        """Usually today against the reference that was set, or the days before."""
        ...

    async def anomalies(self, tenant_id: str, days: int) -> AnomalyReport:
        """Of the last so many days, each value compared with up to four weeks before it."""
        ...

    async def correlations(self, tenant_id: str, asked: Asking) -> CorrelationReport:
        """Usually of the last seven days."""
        ...

    async def causes(self, tenant_id: str, metric: CauseMetric, asked: Asking) -> CauseReport:
        """Usually today against the reference that was set, or the days before."""
        ...

    async def capacity(self, tenant_id: str, growth: float, utilisation: float, days: int) -> CapacityReport:
        """From the peaks of the last so many days."""
        ...

    async def alerts(self, tenant_id: str) -> MonitoringAlertList:
        """The newest 1,000."""
        ...

    async def reference(self, tenant_id: str) -> ReferenceAnswer:
        """What the tenant's traffic is compared with."""
        ...

    async def set_reference(self, tenant_id: str, asked: ReferenceRequest, by: str) -> ReferenceAnswer:
        """Compare with this span from now on; it lies in the past and has whole hours."""
        ...

    async def remove_reference(self, tenant_id: str) -> ReferenceAnswer:
        """Compare with the days before again."""
        ...
