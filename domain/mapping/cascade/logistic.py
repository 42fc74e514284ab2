"""Logistic regression, fitted by iteratively reweighted least squares with a ridge.

McCullagh and Nelder, Generalized Linear Models, 2nd ed., section 4.4; the ridge is le Cessie and van Houwelingen's
(1992). A dozen features and some thousands of rows need no library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_ITERATIONS = 25
_TOLERANCE = 1e-6
_STEEPEST = 35.0


def probability(log_odds: float) -> float:
    """The logistic function, without overflow."""
    return 1.0 / (1.0 + math.exp(-max(-_STEEPEST, min(_STEEPEST, log_odds))))


def log_odds(coefficients: Sequence[float], features: Sequence[float]) -> float:
    """The intercept, which is the first coefficient, plus the scalar product of the others with the features."""
    total = coefficients[0]
    for coefficient, feature in zip(coefficients[1:], features, strict=True):
        total += coefficient * feature
    return total


def fit_logistic(rows: Sequence[Sequence[float]], hits: Sequence[bool], ridge: float = 1.0) -> tuple[float, ...]:
    """Intercept and coefficients with the greatest likelihood less `ridge` / 2 times the coefficients' squares.

    The intercept is not shrunk. Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("there is nothing to fit to")
    size = len(rows[0]) + 1
    full = [(1.0, *row) for row in rows]
    found = [0.0] * size
    for _ in range(_ITERATIONS):
        gradient = [0.0] + [-ridge * value for value in found[1:]]
        hessian = [[0.0] * size for _ in range(size)]
        for row, hit in zip(full, hits, strict=True):
            expected = probability(sum([c * x for c, x in zip(found, row, strict=True)]))
            residual, weight = hit - expected, expected * (1.0 - expected) + 1e-9
            for i, left in enumerate(row):
                if left:
                    gradient[i] += residual * left
                    scaled, line = weight * left, hessian[i]
                    for j in range(i + 1):
                        line[j] += scaled * row[j]
        for i in range(size):
            for j in range(i):
                hessian[j][i] = hessian[i][j]
            hessian[i][i] += ridge if i else 1e-9
        step = _solved(hessian, gradient)
        found = [value + change for value, change in zip(found, step, strict=True)]
        if max(map(abs, step)) < _TOLERANCE:
            break
    return tuple(found)


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with partial pivoting; the matrix is positive definite, so no pivot is 0."""
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda number: abs(rows[number][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for number in range(column + 1, size):
            factor = rows[number][column] / rows[column][column]
            if factor:
                rows[number] = [a - factor * b for a, b in zip(rows[number], rows[column], strict=True)]
    solution = [0.0] * size
    for number in range(size - 1, -1, -1):
        rest = sum(rows[number][j] * solution[j] for j in range(number + 1, size))
        solution[number] = (rows[number][size] - rest) / rows[number][number]
    return solution
