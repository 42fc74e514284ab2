"""Which part of which dimension explains a change: Adtributor.

Bhagwan et al., "Adtributor: Revenue Debugging in Advertising Systems", NSDI 2014. An element's explanatory power is its
part in the change; its surprise, how unlike before its share of the whole is, a term of the Jensen-Shannon divergence.
For a ratio of two counts (section 4.3) the explanatory power is the change that the element alone would make, and the
surprise the sum of both counts'. The elements of a dimension that explain the most surprisingly are taken until they
explain two thirds; the dimension with the greatest surprise comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

_LEAST_EACH = 0.1
_ENOUGH = 0.67
_MOST_DIMENSIONS = 3
_MOST_ELEMENTS = 8


@dataclass(frozen=True, slots=True)
class Ratio:
    """A sum and what it is of: abstained labels and labels, for example."""

    part: float
    whole: float

    @property
    def value(self) -> float:
        """The ratio; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0


Elements = Mapping[str, tuple[Ratio, Ratio]]
"""Element → before and now."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An element, how much of the change it explains, its surprise, and its own values before and now.

    The values are of the element's own whole, or of all where it has none, as a stage's part in the time of a label.
    """

    element: str
    power: float
    surprise: float
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class DimensionExplained:
    """The elements of a dimension that explain the change; the surprise is their sum."""

    dimension: str
    surprise: float
    elements: tuple[Explained, ...]


def explain(dimensions: Mapping[str, Elements]) -> tuple[DimensionExplained, ...]:
    """At most three dimensions, most surprising first; those that do not explain two thirds are left out."""
    found = [one for one in (_dimension(name, elements) for name, elements in dimensions.items()) if one is not None]
    return tuple(sorted(found, key=lambda one: (-one.surprise, one.dimension))[:_MOST_DIMENSIONS])


def powers(elements: Elements) -> dict[str, float]:
    """Explanatory power of each element, together 1; empty where nothing changed.

    With F and A the whole before and now, and of element j the parts, the change that j makes alone is
    ((A1j - F1j) F2 - (A2j - F2j) F1) / (F2 (F2 + A2j - F2j)); what is before is first brought to the size of now.
    """
    before, now = _sum(elements, 0), _sum(elements, 1)
    if not before.whole or not now.whole:
        return {}
    scale = now.whole / before.whole
    first, second = before.part * scale, now.whole
    changes: dict[str, float] = {}
    for name, (then, at_present) in elements.items():
        more_part, more_whole = at_present.part - then.part * scale, at_present.whole - then.whole * scale
        # The whole without an element is never negative; where nothing is left, the element is the whole.
        rest = max(second + more_whole, 1e-9)
        changes[name] = (more_part * second - more_whole * first) / (second * rest)
    total = sum(changes.values())
    return {name: change / total for name, change in changes.items()} if abs(total) > 1e-12 else {}


def surprise(before: float, before_all: float, now: float, now_all: float) -> float:
    """A term of the Jensen-Shannon divergence between the shares before and now; natural logarithm, never negative."""
    p = before / before_all if before_all else 0.0
    q = now / now_all if now_all else 0.0
    return max(0.0, 0.5 * (_term(p, p + q) + _term(q, p + q)))


def _dimension(name: str, elements: Elements) -> DimensionExplained | None:
    parts = powers(elements)
    before, now = _sum(elements, 0), _sum(elements, 1)
    ranked = sorted(
        (
            Explained(
                element,
                parts[element],
                surprise(then.part, before.part, here.part, now.part)
                + surprise(then.whole, before.whole, here.whole, now.whole),
                (then if then.whole or here.whole else Ratio(then.part, before.whole)).value,
                (here if then.whole or here.whole else Ratio(here.part, now.whole)).value,
            )
            for element, (then, here) in elements.items()
            if parts.get(element, 0.0) > _LEAST_EACH
        ),
        key=lambda one: (-one.surprise, one.element),
    )
    taken: list[Explained] = []
    explained = 0.0
    for one in ranked[:_MOST_ELEMENTS]:
        taken.append(one)
        explained += one.power
        if explained > _ENOUGH:
            return DimensionExplained(name, sum(each.surprise for each in taken), tuple(taken))
    return None


def _sum(elements: Elements, side: int) -> Ratio:
    return Ratio(
        sum(both[side].part for both in elements.values()), sum(both[side].whole for both in elements.values())
    )


def _term(share: float, both: float) -> float:
    return share * log(2.0 * share / both) if share > 0.0 else 0.0
