"""The losses of a run as a drawing, by pygal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_POINTS = 400


def draw_losses(metrics: Path) -> bytes:
    """An SVG document with training and validation loss by step, without scripts; an empty chart without figures."""
    trained: list[tuple[int, float]] = []
    validated: list[tuple[int, float]] = []
    for line in metrics.read_text("utf-8").splitlines() if metrics.is_file() else []:
        row = json.loads(line)
        if "loss" in row:
            trained.append((row["step"], row["loss"]))
        elif "validation_loss" in row:
            validated.append((row["step"], row["validation_loss"]))
    pygal = _pygal()
    chart = pygal.XY(
        js=[],
        title="Loss by step",
        x_title="step",
        y_title="mean cross entropy of the answers' tokens",
        dots_size=2,
        width=860,
        height=420,
        show_minor_x_labels=False,
        include_x_axis=True,
        style=pygal.style.CleanStyle(),
    )
    chart.add("training", _thinned(trained), show_dots=False)
    chart.add("validation", validated)
    root = chart.render_tree()
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag == "script"]:
            parent.remove(child)
    from pygal.etree import etree

    drawn = etree.tostring(root)
    return drawn if isinstance(drawn, bytes) else str(drawn).encode()


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most some hundred points, each the mean of its share of the steps."""
    size = -(-len(points) // _POINTS) if points else 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]


def _pygal() -> Any:
    import pygal

    # It leaves an import hook for its map plugins, of a kind that warns at every later failing import of the host.
    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return pygal
