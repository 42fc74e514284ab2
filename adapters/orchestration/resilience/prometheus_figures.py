"""What guards count, as metrics by detector. It is read when the metrics are: a call pays nothing for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llama_mapper.domain.contracts.detectors import BreakerState
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.orchestration.resilience.figures import DetectorFigures

_PREFIX = "llama_mapper_detector_"


class GuardCollector(Collector):
    """The figures of all guards that `read` gives, as metrics."""

    def __init__(self, read: Callable[[], Iterable[DetectorFigures]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """The metrics without values."""
        return _metrics(())

    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        return _metrics(tuple(self._read()))


def _metrics(all_figures: tuple[DetectorFigures, ...]) -> Iterable[Metric]:
    health = GaugeMetricFamily(_PREFIX + "health", "1 for the health state it is in.", labels=("detector", "state"))
    breaker = GaugeMetricFamily(
        _PREFIX + "breaker", "1 for the state its circuit breaker is in.", labels=("detector", "state")
    )
    transitions = CounterMetricFamily(
        _PREFIX + "breaker_transitions", "Changes of its circuit breaker.", labels=("detector", "to")
    )
    calls = CounterMetricFamily(
        _PREFIX + "calls", "Calls by outcome, retries and hedges not counted apart.", labels=("detector", "outcome")
    )
    retries = CounterMetricFamily(_PREFIX + "retries", "Attempts after a failed one.", labels=("detector",))
    hedges = CounterMetricFamily(_PREFIX + "hedges", "Attempts besides a slow one.", labels=("detector",))
    in_flight = GaugeMetricFamily(_PREFIX + "in_flight", "Attempts that run now.", labels=("detector",))
    queued = GaugeMetricFamily(_PREFIX + "queued", "Calls that wait for a place.", labels=("detector",))
    for figures in all_figures:
        name = figures.name
        for health_state in HealthState:
            health.add_metric((name, health_state.value), float(figures.health is health_state))
        for state in BreakerState:
            breaker.add_metric((name, state.value), float(figures.breaker is state))
            transitions.add_metric((name, state.value), figures.transitions[state])
        for outcome, count in figures.calls.items():
            calls.add_metric((name, outcome.value), count)
        retries.add_metric((name,), figures.retries)
        hedges.add_metric((name,), figures.hedges)
        in_flight.add_metric((name,), figures.in_flight)
        queued.add_metric((name,), figures.queued)
    return (health, breaker, transitions, calls, retries, hedges, in_flight, queued)
