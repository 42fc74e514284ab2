"""Outcomes to try figures on."""

from __future__ import annotations

from hypothesis import strategies as st

from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Outcomes

FAMILIES = 4
CONFIDENCES = st.one_of(
    st.floats(0, 1, allow_nan=False), st.sampled_from([0.0, 0.2, 1 / 3, 0.4, 0.6, 2 / 3, 0.8, 0.9, 0.95, 1.0])
)
ROWS = st.lists(
    st.tuples(st.integers(0, FAMILIES - 1), st.booleans(), st.booleans(), CONFIDENCES), min_size=1, max_size=60
)
WEIGHTS = st.lists(st.integers(0, 3), min_size=FAMILIES, max_size=FAMILIES)
ONCE = [1] * FAMILIES

Row = tuple[int, bool, bool, float]


def outcomes(rows: list[Row]) -> Outcomes:
    """Rows of family, right, answered and confidence as columns; what is not answered is not right."""
    return Outcomes(
        tuple(family for family, _, _, _ in rows),
        tuple(right and answered for _, right, answered, _ in rows),
        tuple(answered for _, _, answered, _ in rows),
        tuple(confidence for _, _, _, confidence in rows),
        FAMILIES,
    )


def repeated(rows: list[Row], weights: list[int]) -> list[Row]:
    """Each row as often as its family counts."""
    return [row for row in rows for _ in range(weights[row[0]])]
