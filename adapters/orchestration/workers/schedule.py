"""Pure decisions of the worker pool: how work is spread, and how long a restart waits."""

from __future__ import annotations

from collections.abc import Sequence

SEND_COST_MS = 0.15
"""What one more frame costs, as measured: below this, another process is not worth waking."""

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 30.0


def spread(costs: Sequence[float], workers: int) -> list[list[int]]:
    """Split jobs over at most `workers` idle workers so that the last one ends early; positions, cheapest first.

    Greedy longest-processing-time-first (Graham 1969: at most 4/3 of the best finish). `costs` are milliseconds.
    Within a worker the cheapest job goes first, so that a slow one makes the fewest others late.
    """
    bins: list[list[int]] = [[]]
    loads = [0.0]
    for position in sorted(range(len(costs)), key=lambda position: -costs[position]):
        lightest = min(range(len(bins)), key=loads.__getitem__)
        if len(bins) < workers and loads[lightest] > SEND_COST_MS:
            bins.append([])
            loads.append(SEND_COST_MS)
            lightest = len(bins) - 1
        bins[lightest].append(position)
        loads[lightest] += costs[position]
    return [sorted(share, key=lambda position: (costs[position], position)) for share in bins]


def restart_wait_s(failures: int) -> float:
    """Seconds to wait before a restart after so many failures in a row: 0.1, doubling, at most 30."""
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(max(failures - 1, 0), 16))
