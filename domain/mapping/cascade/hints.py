"""What a stage that is asked later may start from."""

from __future__ import annotations

from collections.abc import Iterable

from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking

_RANK_OFFSET = 60
"""Reciprocal rank fusion's constant: Cormack, Clarke and Büttcher 2009."""


def hint_of(rankings: Iterable[Ranking]) -> Ranking:
    """The candidates of the stages so far, by their place in each."""
    places: dict[str, float] = {}
    for ranking in rankings:
        for place, one in enumerate(ranking.candidates):
            places[one.canonical] = places.get(one.canonical, 0.0) + 1.0 / (_RANK_OFFSET + place)
    ordered = sorted(places.items(), key=lambda each: (-each[1], each[0]))
    return Ranking(tuple(Candidate(canonical, score) for canonical, score in ordered))
