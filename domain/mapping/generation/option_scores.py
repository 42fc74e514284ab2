"""How likely each option of a question was, from the likely tokens that a server tells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llama_mapper.domain.mapping.generation.label_prompt import NONE

_AROUND = " \t\r\n\"'"


def option_shares(places: Sequence[Mapping[str, float]], choices: Mapping[str, str]) -> dict[str, float]:
    """Canonical id → its share of the probability of all options, at the first place where one was taken.

    `NONE` has a share and is not among the ids. Options that were not among the likely tokens are left out; empty
    where nothing is told of options.
    """
    for place in places:
        taken = next(iter(place), "").strip(_AROUND)
        if taken not in choices:
            continue
        chances: dict[str, float] = {}
        for token, log_probability in place.items():
            canonical = choices.get(token.strip(_AROUND))
            if canonical is not None:
                chances[canonical] = chances.get(canonical, 0.0) + math.exp(log_probability)
        whole = sum(chances.values())
        if whole <= 0.0:
            return {}
        return {canonical: chance / whole for canonical, chance in chances.items() if canonical != NONE}
    return {}
