"""Curves and points as inline SVG, in the manner of the bar charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from llama_mapper.entrypoints.report.charts import inline, load_pygal

_WIDTH = 860
_HEIGHT = 380
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes say. `x_ticks` span the x axis; the y axis is a share, from 0 to 1."""

    x: str
    y: str
    x_ticks: Sequence[float] = _TICKS


def curves(
    chart_id: str,
    title: str,
    description: str,
    axes: Axes,
    series: Mapping[str, Sequence[tuple[float, float, str]]],
    *,
    lines: bool = True,
    diagonal: bool = False,
) -> Markup:
    """A curve a series, through its points (x, y, what the point says); empty where there is no point.

    At most eight series have a colour of their own. `diagonal` draws the line y = x as the last series. The legend is
    the page's.
    """
    if not any(series.values()):
        return Markup("")
    pygal = load_pygal()
    chart = pygal.XY(
        css=[],
        js=[],
        no_prefix=True,
        width=_WIDTH,
        height=_HEIGHT,
        show_legend=False,
        margin=6,
        dots_size=3,
        range=(0, 1),
        xrange=(axes.x_ticks[0], axes.x_ticks[-1]),
        x_title=axes.x,
        y_title=axes.y,
        style=pygal.style.Style(label_font_size=12, major_label_font_size=12, font_family="sans-serif"),
    )
    chart.x_labels = list(axes.x_ticks)
    chart.y_labels = list(_TICKS)
    for name, points in series.items():
        chart.add(name, [{"value": (x, y), "label": label} for x, y, label in points], stroke=lines)
    names = list(series)
    if diagonal:
        chart.add("diagonal", [(0, 0), (1, 1)], show_dots=False)
    return inline(chart.render_tree(), chart_id, title, description, "curves", names, "dots")


def ticks(highest: float) -> list[float]:
    """From 0 to at least `highest`, five steps of 1, 2 or 5 times a power of ten."""
    step = 1e-9
    while True:
        for factor in (1, 2, 5):
            if highest <= 5 * step * factor:
                return [round(number * step * factor, 12) for number in range(6)]
        step *= 10
