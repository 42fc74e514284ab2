"""Values over time as inline SVG, in the manner of `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from llama_mapper.entrypoints.report.charts import inline, load_pygal

_WIDTH, _HEIGHT = 860, 240


def over_time(
    chart_id: str, title: str, description: str, points: Sequence[tuple[datetime, float | None]], *, unit: str
) -> Markup:
    """A line through the values; where there is None, a gap. Empty for fewer than two values.

    `unit` is what the y axis says. All texts may be untrusted; they are escaped by the XML writer.
    """
    if sum(value is not None for _, value in points) < 2:
        return Markup("")
    pygal = load_pygal()
    chart = pygal.XY(
        css=[],
        js=[],
        no_prefix=True,
        width=_WIDTH,
        height=_HEIGHT,
        show_legend=False,
        dots_size=2,
        truncate_label=-1,
        margin=8,
        y_title=unit,
        include_x_axis=True,
        x_labels_major_count=6,
        show_minor_x_labels=False,
        y_labels_major_count=5,
        show_minor_y_labels=False,
        style=pygal.style.Style(label_font_size=12, major_label_font_size=12, font_family="sans-serif"),
        x_value_formatter=lambda value: f"{datetime.fromtimestamp(value, UTC):%m-%d %H:%M}",
        value_formatter=lambda value: f"{value:.4g}",
    )
    chart.add(
        "value",
        [
            {"value": (at.timestamp(), value), "label": f"{at.astimezone(UTC):%Y-%m-%d %H:%M}: {value:.4g} {unit}"}
            for at, value in points
            if value is not None
        ],
    )
    return inline(chart.render_tree(), chart_id, title, description, "curves", ("value",), "dots")
