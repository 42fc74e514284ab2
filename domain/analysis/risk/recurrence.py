"""What the past adds to a finding's risk: it came before, it comes more often, it comes out of line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llama_mapper.domain.analysis.patterns.detected import trend_of
from llama_mapper.domain.analysis.patterns.insights import HistoryInsights
from llama_mapper.domain.contracts.analysis import Trend


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What the past says about one category: shares and scores from 0 to 1.

    `days_share` is the part of the window's days on which it was found; `rising` is 1 - p of the trend test where the
    daily count rises, else 0; `surge` is how far today's count, this request's findings included, is out of line.
    """

    days_share: float
    rising: float
    surge: float


def recurrences(insights: HistoryInsights | None, in_request: Mapping[str, int]) -> dict[str, Recurrence]:
    """What the history says of the categories in a request (category → upheld findings); nothing without history.

    A further finding in the request changes the surge of its own category alone, and never downwards.
    """
    if insights is None:
        return {}
    result = {}
    for category, count in in_request.items():
        entry = insights.of(category)
        test = entry.trend
        rising = test is not None and trend_of(test.s, test.p_value) is Trend.RISING
        result[category] = Recurrence(
            days_share=min(1.0, entry.days / (insights.window_days + 1)),
            rising=1.0 - test.p_value if rising and test is not None else 0.0,
            surge=0.0 if entry.baseline is None else entry.baseline.surprise(entry.today + count),
        )
    return result
