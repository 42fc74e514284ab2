"""What is counted of each call of mapping: what it cost, how it was answered, and what whoever watches is to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.mapping import MappedLabel, MappingStage, MappingStrategy
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswers
from llama_mapper.domain.mapping.cascade.metrics import MappingMetrics
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.spending import OWN_WORK, Amount
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.observed import Answered, Observed, asked_of
from llama_mapper.domain.mapping.use_counting import uses_of

NOT_ASKED = CascadeAnswers((), ())
"""Stands for a call whose labels the catalogue all knew."""


class Accounts:
    """Counts into whatever of metrics, costs and windows there is. Neither waits nor raises."""

    def __init__(self, metrics: MappingMetrics, meter: CostMeter | None, windows: WindowMeter | None) -> None:
        self._metrics = metrics
        self._meter = meter
        self._windows = windows

    def count(
        self,
        tenant_id: str,
        strategy: MappingStrategy,
        given: Mapping[Answered, int],
        mapped: Sequence[MappedLabel],
        keys: Sequence[LabelKey],
        found: CascadeAnswers,
        compute_ms: float,
    ) -> None:
        """Count a call: `given` counts the answers of `mapped`, and `found` is what the stages said of `keys`."""
        by_stage: dict[MappingStage, int] = {}
        for (stage, *_), labels in given.items():
            by_stage[stage] = by_stage.get(stage, 0) + labels
        for stage, labels in by_stage.items():
            self._metrics.on_labels_mapped(stage.value, labels)
        if self._meter is not None:
            work = Amount(calls=1, labels=len(mapped), compute_us=round(compute_ms * 1e3))
            self._meter.record(tenant_id, OWN_WORK, work)
            for use in found.used:
                for source, amount in use.spent:
                    self._meter.record(tenant_id, source, amount)
            self._meter.use(tenant_id, uses_of(strategy, given, mapped, keys, found))
        if self._windows is not None:
            asked = None if found is NOT_ASKED else asked_of(keys, found)
            self._windows.record(tenant_id, Observed(given, compute_ms / 1e3, asked))
