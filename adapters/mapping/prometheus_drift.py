"""How far the installation's mapping has drifted, as Prometheus metrics. No label names a tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from llama_mapper.domain.mapping.monitoring.watching import Installation

_PREFIX = "llama_mapper_mapping_drift_"


class DriftCollector(Collector):
    """The last look at the sum of all tenants, as metrics."""

    def __init__(self, read: Callable[[], Installation]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """The metrics without values."""
        return _metrics(Installation())

    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        return _metrics(self._read())


def _metrics(found: Installation) -> Iterable[Metric]:
    psi = GaugeMetricFamily(
        _PREFIX + "psi", "Population stability index of today against the reference.", labels=("subject",)
    )
    distance = GaugeMetricFamily(
        _PREFIX + "js_distance", "Jensen-Shannon distance of today from the reference.", labels=("subject",)
    )
    for subject, value in found.psi.items():
        psi.add_metric((subject,), value)
    for subject, value in found.js_distance.items():
        distance.add_metric((subject,), value)
    rising = GaugeMetricFamily(
        _PREFIX + "abstention_rising", "1 where more abstains than in the reference.", value=found.abstention_rising
    )
    return psi, distance, rising
