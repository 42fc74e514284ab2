"""How many places the traffic needs, and until when those of now do. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.monitoring import CapacityNeed
from llama_mapper.domain.mapping.monitoring.observed import CATALOGUE
from llama_mapper.domain.mapping.monitoring.queues import erlang_c, mean_wait, places_for, steps_until, theil_sen
from llama_mapper.domain.mapping.monitoring.tally import Dimension, Tally
from llama_mapper.domain.mapping.monitoring.windows import Width, Window, total

PROCESS, MODEL = "process", "model"
_DAY = 86_400
_MOST_MS = 86_400_000.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What is planned for: by which factor the traffic grows, and how much of the places may be used.

    `places` is who works → places of now, counted in calls of one label.
    """

    growth: float
    utilisation: float
    places: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Work:
    """What one kind of work came to in a window."""

    calls: int
    labels: int
    busy_s: float


def needs(hours: Sequence[Window], minutes: Sequence[Window], terms: Terms) -> tuple[CapacityNeed, ...]:
    """What each kind of work needs for the busiest minute (or hour) times the growth; nothing of what never worked."""
    found = [_need(who, hours, minutes, terms) for who in (PROCESS, MODEL)]
    return tuple(one for one in found if one is not None)


def _need(who: str, hours: Sequence[Window], minutes: Sequence[Window], terms: Terms) -> CapacityNeed | None:
    every = _work(who, total(hours))
    if not every.calls:
        return None
    service = every.busy_s / every.calls
    peak = max(
        _peak(who, hours, Width.HOUR),
        _peak(who, minutes, Width.MINUTE),
    )
    # A call of a model asks about its labels side by side, so that one call takes several of the model's places.
    at_once = max(1.0, min(every.labels / every.calls, terms.places.get(who, 1.0))) if who == MODEL else 1.0
    places = terms.places.get(who, 1.0) / at_once
    load = peak * service * terms.growth
    needed = places_for(load, terms.utilisation)
    bound = places * terms.utilisation / service if service > 0.0 else 1e12
    days = [(float(day), rate) for day, rate in _daily_peaks(who, hours)]
    slope = theil_sen(days)
    return CapacityNeed(
        who=who,
        peak_calls_per_second=peak,
        service_ms=min(_MOST_MS, service * 1e3),
        offered_load=load,
        places_now=terms.places.get(who, 1.0),
        places_needed=places_for(load * at_once, terms.utilisation),
        utilisation_then=load / needed,
        waits=erlang_c(needed, load),
        mean_wait_ms=min(_MOST_MS, mean_wait(needed, load, service) * 1e3),
        bound_calls_per_second=min(1e12, bound),
        growth_per_day=None if slope is None else slope.middle,
        growth_low=None if slope is None else slope.low,
        growth_high=None if slope is None else slope.high,
        days_until_bound=None if slope is None else _bounded(steps_until(bound, slope.level, slope.middle)),
        days_until_bound_earliest=None if slope is None else _bounded(steps_until(bound, slope.level, slope.high)),
    )


def _bounded(days: float | None) -> float | None:
    return None if days is None or days > 1e6 else days


def _work(who: str, tally: Tally) -> _Work:
    own = tally.of(Dimension.WORK)
    if who == MODEL:
        found = own.get(MODEL)
        return _Work(0, 0, 0.0) if found is None else _Work(found.calls, found.labels, found.busy_us / 1e6)
    busy = sum(counts.busy_us for name, counts in own.items() if name != MODEL)
    return _Work(own[CATALOGUE].calls if CATALOGUE in own else 0, tally.all.labels, busy / 1e6)


def _peak(who: str, windows: Iterable[Window], width: Width) -> float:
    return max((_work(who, window.tally).calls for window in windows), default=0) / width


def _daily_peaks(who: str, hours: Sequence[Window]) -> list[tuple[int, float]]:
    """Calls a second in the busiest hour of each day."""
    peaks: dict[int, float] = {}
    for window in hours:
        day = window.start // _DAY
        peaks[day] = max(peaks.get(day, 0.0), _work(who, window.tally).calls / Width.HOUR)
    return sorted(peaks.items())
