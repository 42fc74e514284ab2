"""Which part of the traffic something belongs to: decided by a hash, so that every process decides alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

BASIS_POINTS = 10_000
"""All of the traffic, in hundredths of a percent."""


def point_of(*texts: str) -> int:
    """A number below 2^64, the same for the same texts in the same order, evenly spread over all others.

    It is the first 8 bytes of BLAKE2b (RFC 7693) over the texts in UTF-8, each with its length in bytes before it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return int.from_bytes(digest.digest(), "big")


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """Gives named arms parts of the traffic; whatever no arm gets is the rest.

    `weights` is arm → basis points. Each arm has an equal stripe of the traffic to grow in, in the order named, so that
    raising one arm's weight takes units from the rest and from no other arm, and lowering it gives them back. Two
    splits with different `salt` know nothing of each other's choice. Raises `ValueError` for a weight outside 0 to
    the stripe's width.
    """

    salt: str
    weights: Mapping[str, int]
    _stripes: tuple[tuple[int, int, str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        width = BASIS_POINTS // max(1, len(self.weights))
        for arm, weight in self.weights.items():
            if not 0 <= weight <= width:
                raise ValueError(f"an arm of {len(self.weights)} has 0 to {width} basis points, and {arm} has {weight}")
        stripes = tuple((n * width, n * width + weight, arm) for n, (arm, weight) in enumerate(self.weights.items()))
        object.__setattr__(self, "_stripes", stripes)

    def arm_of(self, tenant_id: str, key: str) -> str | None:
        """The arm that a tenant's unit belongs to; None for the rest."""
        point = point_of(self.salt, tenant_id, key) % BASIS_POINTS
        for start, end, arm in self._stripes:
            if start <= point < end:
                return arm
        return None
