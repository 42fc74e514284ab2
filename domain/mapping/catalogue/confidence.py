"""How far a catalogue match is trusted: priors by how a vocabulary is known, not measurements.

`docs/mapping.md` says where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXACT: Mapping[str, float] = MappingProxyType(
    {"defined": 1.0, "run": 0.99, "file": 0.97, "docs": 0.95, "knowledge": 0.85},
)
"""Confidence of an exact match, by the vocabulary's basis."""

DECLARED = 0.85
"""Confidence of a meaning that only the detector's registration gives: what an operator knows, unchecked by us."""

REVIEWED = 0.98
"""Confidence of a label that a person of the tenant has decided on."""

NORMALISED_FACTOR = 0.95
"""Times this where the label had to be normalised first."""

UNLISTED_VERSION_FACTOR = 0.9
"""Times this where the vendor's version is not listed and its newest vocabulary stood in."""

DISAGREEING_VERSIONS_FACTOR = 0.7
"""Times this where no listed version was named, and the vendor's versions give the label different meanings."""


def combined(*factors: float) -> float:
    """The product of a prior and its factors, to four digits."""
    product = 1.0
    for factor in factors:
        product *= factor
    return round(product, 4)
