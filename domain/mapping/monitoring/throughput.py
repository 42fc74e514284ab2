"""Labels a second, peaks and utilisation, from windows. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.monitoring import Period, RatePoint, StageShare, ThroughputReport, WorkerLoad
from llama_mapper.domain.mapping.monitoring.tally import Dimension, Tally
from llama_mapper.domain.mapping.monitoring.windows import Span, Window, moment_of, total
from llama_mapper.domain.mapping.releases.latencies import BUCKETS, edge_ms

SATURATED = 0.9
"""Beyond this share of the places, waiting grows out of proportion."""

_PERCENTILE = 0.95
_MOST_MS = 86_400_000.0


def throughput(period: Period, span: Span, windows: Sequence[Window], places: Mapping[str, float]) -> ThroughputReport:
    """The report over windows without gaps; `places` is who works → calls that may be under way at one time.

    What nobody works at is not told. Rates are of the part of the span that is past.
    """
    tally = total(windows)
    every = tally.all
    points = [_point(window, period.window_s) for window in windows]
    peak = max(points, key=lambda point: point.labels, default=None)
    mean = every.labels / span.seconds
    return ThroughputReport(
        period=period,
        calls=every.calls,
        labels_per_second=mean,
        peak=peak if every.labels else None,
        peak_to_mean=peak.labels_per_second / mean if peak is not None and every.labels else None,
        stages=tuple(
            StageShare(
                stage=stage,
                labels=counts.labels,
                share=counts.labels / every.labels,
                labels_per_second=counts.labels / span.seconds,
            )
            for stage, counts in sorted(tally.of(Dimension.STAGE).items(), key=lambda each: (-each[1].labels, each[0]))
            if every.labels
        ),
        workers=tuple(
            _load(who, tally, windows, span, period.window_s, places.get(who, 1.0))
            for who in sorted(tally.of(Dimension.WORK))
        ),
        points=tuple(points),
    )


def p95_ms(tally: Tally, who: str) -> float | None:
    """The upper edge of the bucket that the 95th percentile of calls lies in."""
    counts = tally.latencies(who)
    least, below = _PERCENTILE * sum(counts.values()), 0
    for bucket in sorted(counts):
        below += counts[bucket]
        if below >= least:
            return min(_MOST_MS, edge_ms(min(bucket, BUCKETS - 2)))
    return None


def peak_calls(windows: Sequence[Window], width: int, who: str | None = None) -> float:
    """Calls a second in the busiest window: of one worker, or all calls."""
    return max(((_calls(window.tally, who)) for window in windows), default=0) / width


def _calls(tally: Tally, who: str | None) -> int:
    if who is None:
        return tally.all.calls
    own = tally.of(Dimension.WORK).get(who)
    return 0 if own is None else own.calls


def _point(window: Window, width: int) -> RatePoint:
    every = window.tally.all
    return RatePoint(
        at=moment_of(window.start),
        labels=every.labels,
        labels_per_second=every.labels / width,
        abstained=every.abstained,
        mean_ms=every.busy_us / every.calls / 1e3 if every.calls else None,
    )


def _load(who: str, tally: Tally, windows: Sequence[Window], span: Span, width: int, places: float) -> WorkerLoad:
    own = tally.of(Dimension.WORK)[who]
    busy = max(
        (window.tally.of(Dimension.WORK)[who].busy_us for window in windows if _calls(window.tally, who)), default=0
    )
    under_way, peak = own.busy_us / 1e6 / span.seconds, busy / 1e6 / width
    return WorkerLoad(
        who=who,
        labels=own.labels,
        calls=own.calls,
        labels_per_second=own.labels / span.seconds,
        peak_calls_per_second=peak_calls(windows, width, who),
        service_ms=own.busy_us / own.calls / 1e3 if own.calls else None,
        p95_ms=p95_ms(tally, who),
        under_way=under_way,
        peak_under_way=peak,
        places=places,
        utilisation=under_way / places,
        peak_utilisation=peak / places,
        saturated=peak / places > SATURATED,
    )
