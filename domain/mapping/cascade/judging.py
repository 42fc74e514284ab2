"""Judging the labels of one call: each alone, then in the company of its vendor's other labels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.calibration import Calibration, Identities
from llama_mapper.domain.mapping.cascade.decision import Judgement, company_of, judge
from llama_mapper.domain.mapping.cascade.evidence import Rankings
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
    rankings = [told_by(row) for row in rows]
    identities = [identities_of(row) for row in rows]
    judgements: list[Judgement] = []
    for one, who in zip(rankings, identities, strict=True):
        judgements.append(judge(one, calibration, identities=who))
        turn = await _turn(turn)
    by_vendor: dict[str, list[tuple[int, Judgement]]] = {}
    for number, key in enumerate(labels):
        by_vendor.setdefault(key.vendor, []).append((number, judgements[number]))
    for vendor, numbered in by_vendor.items():
        for number, context in company_of(numbered, known_of(vendor)):
            if context.categories and judgements[number].category is not None:
                judgements[number] = judge(rankings[number], calibration, context, identities[number])
                turn = await _turn(turn)
    return judgements


def told_by(row: Mapping[MappingStage, Ranking]) -> Rankings:
    """What each stage that could try ranked."""
    return {name: one.candidates for name, one in row.items() if one.fault is None}


def identities_of(row: Mapping[MappingStage, Ranking]) -> Identities:
    """What exactly ranked, of stages that are not always the same."""
    return {name: one.identity for name, one in row.items() if one.identity}


def not_calibrated(row: Mapping[MappingStage, Ranking], calibration: Calibration) -> tuple[MappingStage, ...]:
    """Stages whose candidates count for at most one half, since nobody has measured them as they are."""
    told = told_by(row)
    measured = calibration.measured(told.keys(), identities_of(row))
    known = () if measured is None else measured.stages
    return tuple([stage for stage, candidates in told.items() if candidates and stage not in known])


async def _turn(since: float) -> float:
    if perf_counter() - since > _TURN_S:
        await asyncio.sleep(0)
        return perf_counter()
    return since
