"""Which pairs of categories go together in a tenant's assessments."""

from __future__ import annotations

from collections.abc import Iterator

from llama_mapper.domain.analysis.patterns.association import PairTable, fisher_exact
from llama_mapper.domain.analysis.ports import HistoryWindow
from llama_mapper.domain.contracts.analysis import CategoryPair, CorrelationAnalysis, DataSufficiency

REQUIRED_ASSESSMENTS = 30
REQUIRED_PRESENT = 5
"""Assessments that a category must be in to be paired at all."""

PAIRS_REPORTED = 64


def correlate(window: HistoryWindow) -> tuple[CorrelationAnalysis, int]:
    """The pairs with the strongest phi, either way, and how many pairs were compared to find them."""
    if window.assessments < REQUIRED_ASSESSMENTS:
        return _analysis(window.assessments, DataSufficiency.INSUFFICIENT, ()), 0
    ranked = sorted(_pairs(window), key=lambda pair: (-abs(pair[0]), pair[1], pair[2]))
    pairs = tuple(
        [
            CategoryPair(
                first=first,
                second=second,
                together=table.together,
                phi=phi,
                lift=min(table.lift, 1e9),
                p_value=fisher_exact(table),
            )
            for phi, first, second, table in ranked[:PAIRS_REPORTED]
        ]
    )
    return _analysis(window.assessments, DataSufficiency.SUFFICIENT, pairs), len(ranked)


def _analysis(assessments: int, sufficiency: DataSufficiency, pairs: tuple[CategoryPair, ...]) -> CorrelationAnalysis:
    return CorrelationAnalysis(
        sufficiency=sufficiency, assessments=assessments, required_assessments=REQUIRED_ASSESSMENTS, pairs=pairs
    )


def _pairs(window: HistoryWindow) -> Iterator[tuple[float, str, str, PairTable]]:
    """Every pair that can be compared, with its phi."""
    common = sorted(name for name, count in window.present.items() if count >= REQUIRED_PRESENT)
    for i, first in enumerate(common):
        for second in common[i + 1 :]:
            try:
                table = PairTable(
                    together=window.together.get((first, second), 0),
                    first=window.present[first],
                    second=window.present[second],
                    assessments=window.assessments,
                )
            except ValueError:
                continue  # a store that counts while others write may give counts of different moments
            if (phi := table.phi) is not None:
                yield phi, first, second, table
