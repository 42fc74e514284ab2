"""What is counted of an arm, to be added up over processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_mapper.domain.contracts.releases import Metric
from llama_mapper.domain.mapping.releases.latencies import bucket_of
from llama_mapper.domain.mapping.releases.sequential import Sample


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request's labels at one arm. `failed`: the arm could not be asked, or did not answer.

    `invalid` of the labels got an answer that broke the schema, `abstained` none; `agreed` of `compared` the same as
    from the baseline.
    """

    labels: int
    failed: bool = False
    invalid: int = 0
    abstained: int = 0
    compared: int = 0
    agreed: int = 0
    latency_ms: float | None = None
    tokens: int | None = None


@dataclass(slots=True)
class Tally:
    """Sums of outcomes. `latency` counts by bucket; `means` holds name → number and sum of values scaled to 0 to 1."""

    requests: int = 0
    errors: int = 0
    labels: int = 0
    invalid: int = 0
    abstained: int = 0
    compared: int = 0
    agreed: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    means: dict[str, tuple[int, float]] = field(default_factory=dict)

    def add(self, outcome: Outcome, means: Iterable[Metric] = ()) -> None:
        """Count one outcome; `means` are the metrics whose values are summed."""
        if outcome.labels or outcome.failed:
            self.requests += 1
        self.errors += outcome.failed
        self.labels += outcome.labels
        self.invalid += outcome.invalid
        self.abstained += outcome.abstained
        self.compared += outcome.compared
        self.agreed += outcome.agreed
        if outcome.latency_ms is not None:
            bucket = bucket_of(outcome.latency_ms)
            self.latency[bucket] = self.latency.get(bucket, 0) + 1
        for metric in means:
            value = outcome.latency_ms if metric.name == "latency_ms" else outcome.tokens
            if value is not None:
                count, total = self.means.get(metric.name, (0, 0.0))
                cut = min(max(float(value), metric.low), metric.high)
                self.means[metric.name] = (count + 1, total + (cut - metric.low) / (metric.high - metric.low))

    def absorb(self, other: Tally) -> None:
        """Add another's counts to this one's."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for bucket, count in other.latency.items():
            self.latency[bucket] = self.latency.get(bucket, 0) + count
        for name, (count, total) in other.means.items():
            own_count, own_total = self.means.get(name, (0, 0.0))
            self.means[name] = (own_count + count, own_total + total)

    def sample(self, metric: str) -> Sample:
        """The counts by name: `errors`, `schema_valid`, `abstained`, `agreement`, or a mean."""
        match metric:
            case "errors":
                return Sample(self.errors, self.requests)
            case "schema_valid":
                return Sample(self.labels - self.invalid, self.labels)
            case "abstained":
                return Sample(self.abstained, self.labels)
            case "agreement":
                return Sample(self.agreed, self.compared)
        count, total = self.means.get(metric, (0, 0.0))
        return Sample(total, count)

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        latency = {str(bucket): count for bucket, count in self.latency.items()}
        return numbers | {"latency": latency, "means": {name: list(pair) for name, pair in self.means.items()}}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Tally:
        """What `plain` gave; what another version counted besides is left out."""
        return cls(
            **{name: plain.get(name, 0) for name in _NUMBERS},
            latency={int(bucket): count for bucket, count in plain.get("latency", {}).items()},
            means={name: (pair[0], pair[1]) for name, pair in plain.get("means", {}).items()},
        )


_NUMBERS = ("requests", "errors", "labels", "invalid", "abstained", "compared", "agreed")
