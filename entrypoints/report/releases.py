"""A release or an experiment as one HTML page: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from llama_mapper.domain.contracts.releases import ArmFigures, Estimate, GateFigure, SeriesPoint
from llama_mapper.entrypoints.report.lines import Knot, interval_lines
from llama_mapper.entrypoints.report.render import count, moment


def render_release(
    title: str,
    summary: Sequence[tuple[str, str]],
    arms: Sequence[ArmFigures],
    gates: Sequence[GateFigure],
    points: Sequence[SeriesPoint],
    generated_at: datetime,
) -> str:
    """The page; `summary` is what stands on top, `points` how the intervals went. Every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "count": count, "figure": figure, "interval": interval}
    charts = [
        (
            gate,
            interval_lines(
                f"gate-{number}",
                f"{gate.name} of {gate.arm}",
                "The effect, the ends of its interval, and the limit as a broken line, by requests of all versions.",
                _knots(gate, points),
                gate.limit,
            ),
        )
        for number, gate in enumerate(gates)
    ]
    return environment.get_template("releases.html.j2").render(
        title=title, summary=summary, arms=arms, gates=gates, charts=charts, generated_at=generated_at
    )


def figure(value: float | None) -> str:
    """Four digits; a dash for none."""
    return "-" if value is None else f"{value:.4g}"


def interval(estimate: Estimate) -> str:
    """The two ends; a question mark where there is no bound."""
    low, high = ("?" if end is None else f"{end:.4g}" for end in (estimate.low, estimate.high))
    return f"{low} to {high}"


def _knots(gate: GateFigure, points: Sequence[SeriesPoint]) -> list[Knot]:
    knots = []
    for point in points:
        same = next((each for each in point.effects if (each.name, each.arm) == (gate.name, gate.arm)), None)
        if same is not None:
            knots.append(Knot(point.requests, same.effect.low, same.effect.value, same.effect.high))
    return knots
