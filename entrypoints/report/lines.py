"""Intervals over time as inline SVG, in the manner of `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from llama_mapper.entrypoints.report.charts import inline, load_pygal

_WIDTH, _HEIGHT = 860, 260


@dataclass(frozen=True, slots=True)
class Knot:
    """An effect and its interval after so many requests; None where there is no bound."""

    requests: int
    low: float | None
    value: float | None
    high: float | None


def interval_lines(chart_id: str, title: str, description: str, knots: Sequence[Knot], limit: float) -> Markup:
    """The interval's two ends, the value between them, and the limit, by requests; empty for fewer than two knots.

    All texts may be untrusted; they are escaped by the XML writer.
    """
    if len(knots) < 2:
        return Markup("")
    pygal = load_pygal()
    chart = pygal.XY(
        css=[],
        js=[],
        no_prefix=True,
        width=_WIDTH,
        height=_HEIGHT,
        show_legend=False,
        show_dots=False,
        truncate_label=-1,
        margin=8,
        x_labels_major_count=6,
        show_minor_x_labels=False,
        y_labels_major_count=5,
        show_minor_y_labels=False,
        style=pygal.style.Style(label_font_size=12, major_label_font_size=12, font_family="sans-serif"),
        x_value_formatter=lambda value: f"{value:,.0f}",
        value_formatter=lambda value: f"{value:.3g}",
    )
    first, last = knots[0].requests, knots[-1].requests
    chart.add("low", [(knot.requests, knot.low) for knot in knots if knot.low is not None])
    chart.add("effect", [(knot.requests, knot.value) for knot in knots if knot.value is not None])
    chart.add("high", [(knot.requests, knot.high) for knot in knots if knot.high is not None])
    chart.add("limit", [(first, limit), (last, limit)])
    return inline(chart.render_tree(), chart_id, title, description, "interval", ())
