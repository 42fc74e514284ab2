"""How far two distributions are apart."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, log2, sqrt

_HALF = 0.5
_NORMAL_99 = 2.3263478740408408


def shares_of(counts: Mapping[str, int], elements: tuple[str, ...]) -> tuple[float, ...]:
    """Shares of the elements, each count first raised by a half, so that an element never seen has no share of 0.

    That is the posterior mean under Jeffreys' prior; the population stability index is infinite without something of
    the kind.
    """
    total = sum(counts.get(element, 0) for element in elements) + _HALF * len(elements)
    return tuple((counts.get(element, 0) + _HALF) / total for element in elements)


def psi_terms(reference: tuple[float, ...], current: tuple[float, ...]) -> tuple[float, ...]:
    """The terms (q - p) ln(q / p) of the population stability index, none of which is negative.

    Their sum is Jeffreys' divergence, the symmetric sum of both Kullback-Leibler divergences. Siddiqi, Credit Risk
    Scorecards (2006), reads below 0.1 as no change, up to 0.25 as some, and from there as a change to act on.
    """
    return tuple((q - p) * log(q / p) for p, q in zip(reference, current, strict=True))


def chance_psi(bins: int, reference_labels: int, current_labels: int) -> float:
    """What the index stays below, 99 times in 100, where both are samples of one distribution.

    The index then follows about (1/n + 1/m) times chi-squared with `bins` - 1 degrees of freedom (Yurdakul, Naranjo
    2020, "Statistical properties of the population stability index", Journal of Risk Model Validation 14(4)).
    """
    if bins < 2 or not reference_labels or not current_labels:
        return 0.0
    return (1.0 / reference_labels + 1.0 / current_labels) * _chi_squared_99(bins - 1)


def jensen_shannon_distance(reference: tuple[float, ...], current: tuple[float, ...]) -> float:
    """Square root of the Jensen-Shannon divergence to base 2: a metric, 0 to 1 (Endres, Schindelin 2003)."""
    divergence = sum(
        _HALF * (_term(p, (p + q) / 2.0) + _term(q, (p + q) / 2.0)) for p, q in zip(reference, current, strict=True)
    )
    return sqrt(min(1.0, max(0.0, divergence)))


def _term(share: float, mean: float) -> float:
    return share * log2(share / mean) if share > 0.0 else 0.0


def _chi_squared_99(degrees: int) -> float:
    """The 99th percentile, by Wilson and Hilferty's cube (1931), within 2 % from one degree of freedom on."""
    spread = 2.0 / (9.0 * degrees)
    return float(degrees * (1.0 - spread + _NORMAL_99 * sqrt(spread)) ** 3)
