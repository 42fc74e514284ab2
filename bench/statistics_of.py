"""Quantiles of samples, and tables of figures."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(samples: Sequence[float], share: float) -> float:
    """The sample below which `share` of all lie (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(what: str, *figures: str) -> None:
    """One line of the report."""
    print(f"  {what:<58} {'  '.join(figures)}", flush=True)


def verdict(value: float, budget: float, *, least: bool = False) -> str:
    """Whether a figure keeps its budget."""
    kept = value >= budget if least else value <= budget
    return f"budget {'≥' if least else '≤'} {budget:g}: {'kept' if kept else 'MISSED'}"
