"""Latencies in fixed buckets, and what is sure of a percentile of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, log, log2

from llama_mapper.domain.mapping.releases.sequential import Bounds, Sample, log_likelihood, log_mixture

BUCKETS = 84
"""Bucket k holds what is above the edge of k - 1 and not above its own, 0.1 ms x 2^(k/4); the last holds all above."""

_FIRST_MS = 0.1
_A_DOUBLING = 4


def bucket_of(latency_ms: float) -> int:
    """The bucket, 0 to `BUCKETS` - 1."""
    if latency_ms <= _FIRST_MS:
        return 0
    if latency_ms == inf:
        return BUCKETS - 1
    return min(BUCKETS - 1, ceil(_A_DOUBLING * log2(latency_ms / _FIRST_MS)))


def edge_ms(bucket: int) -> float:
    """The highest latency of a bucket, in milliseconds; infinite for the last."""
    return _FIRST_MS * 2.0 ** (bucket / _A_DOUBLING) if bucket < BUCKETS - 1 else inf


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile in milliseconds: the edge of the bucket that it lies in, and an anytime-valid interval."""

    value: float | None
    bounds: Bounds


def percentile(counts: Mapping[int, int], share: float, alpha: float) -> Percentile:
    """The percentile `share` (0.95) of latencies counted by bucket.

    How many lie at or below the true percentile is a count with mean `share`, so that the mixture of `sequential`
    reaches 1/alpha with probability at most alpha ever. An edge of which too few lie below is surely lower than the
    percentile, one of which too many do is surely not; counts grow with the edge, so that all edges are judged at once
    without a correction (Howard, Ramdas 2022, "Sequential estimation of quantiles", Bernoulli 28(3), section 2).
    """
    count = sum(counts.values())
    if not count:
        return Percentile(None, Bounds(0.0, inf))
    low, high, value = 0.0, inf, None
    below = 0
    for bucket in range(BUCKETS):
        below += counts.get(bucket, 0)
        if value is None and below >= share * count:
            value = edge_ms(bucket)
        sample = Sample(below, count)
        if log_mixture(sample) - log_likelihood(sample, share) < log(1.0 / alpha):
            continue
        if below < share * count:
            low = edge_ms(bucket)
        else:
            high = edge_ms(bucket)
            break
    return Percentile(value, Bounds(low, high))
