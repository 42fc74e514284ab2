"""Money: exact millionths of a US dollar, since a model's answer costs a few of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_MICRO = Decimal(1_000_000)
_PER = 1_000


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars for a thousand tokens that a model reads and writes; neither is negative."""

    prompt_per_1k: Decimal = Decimal(0)
    completion_per_1k: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for price in (self.prompt_per_1k, self.completion_per_1k):
            if not price.is_finite() or price < 0:
                raise ValueError("a price is a number that is not negative")

    def microdollars(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """What so many tokens cost, exactly."""
        return (self.prompt_per_1k * prompt_tokens + self.completion_per_1k * completion_tokens) * _MICRO / _PER


FREE = TokenPrice()
"""A model that nobody charges for."""


def dollars(microdollars: Decimal) -> float:
    """US dollars as the published contracts have them."""
    return float(microdollars / _MICRO)
