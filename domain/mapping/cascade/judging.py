"""Judging the labels of one call: each alone, then in the company of its vendor's other labels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration
from llama_mapper.domain.mapping.cascade.decision import Judgement, company_of, judge
from llama_mapper.domain.mapping.cascade.ports import Ranking
from llama_mapper.domain.mapping.labels import LabelKey

_TURN_S = 0.005

KnownOf = Callable[[str], Mapping[str, float]]
"""Vendor → category → how many of the vendor's known labels fall into it."""


def nothing_known(_: str) -> Mapping[str, float]:
    """Of no vendor anything is known."""
    return {}


async def judged_together(
    labels: Sequence[LabelKey],
    rows: Sequence[Mapping[MappingStage, Ranking]],
    calibration: Calibration,
    known_of: KnownOf = nothing_known,
) -> list[Judgement]:
    """One judgement a label, from what each stage ranked for it; other work gets its turn every 5 ms.

    A vendor that only says secrets means a secret again: its other labels of this call, and those that are known, say
    which categories are likely. The answer depends on the set of labels of the call, not on their order.
    """
    turn = perf_counter()
    rankings = [{name: one.candidates for name, one in row.items() if one.fault is None} for row in rows]
    judgements: list[Judgement] = []
    for one in rankings:
        judgements.append(judge(one, calibration))
        turn = await _turn(turn)
    by_vendor: dict[str, list[tuple[int, Judgement]]] = {}
    for number, key in enumerate(labels):
        by_vendor.setdefault(key.vendor, []).append((number, judgements[number]))
    for vendor, numbered in by_vendor.items():
        for number, context in company_of(numbered, known_of(vendor)):
            if context.categories and judgements[number].category is not None:
                judgements[number] = judge(rankings[number], calibration, context)
                turn = await _turn(turn)
    return judgements


async def _turn(since: float) -> float:
    if perf_counter() - since > _TURN_S:
        await asyncio.sleep(0)
        return perf_counter()
    return since
