"""The page of a release is whole in itself and draws the intervals."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree

from llama_mapper.domain.contracts.releases import Metric, SeriesPoint
from llama_mapper.domain.mapping.releases.gates import experiment_effects
from llama_mapper.domain.mapping.releases.tally import Outcome, Tally
from llama_mapper.entrypoints.report.lines import Knot, interval_lines
from llama_mapper.entrypoints.report.releases import render_release
from tests.support.releases import NOON, shadow

SVG = "{http://www.w3.org/2000/svg}"


def test_the_intervals_are_drawn_over_requests_with_their_limit() -> None:
    plan = shadow(metrics=(Metric(name="abstained"), Metric(name="latency_ms", high=100.0)))
    arms, points = {"baseline": Tally(), "treatment-1": Tally()}, []
    for number in range(1, 60):
        for arm in arms:
            arms[arm].add(Outcome(labels=1, abstained=number % 2, latency_ms=5.0), plan.metrics[1:])
        points.append(
            SeriesPoint(
                at=NOON + timedelta(seconds=number), requests=2 * number, effects=experiment_effects(plan, arms)
            )
        )
    page = render_release("Experiment <x>", [("what", "a & b")], (), points[-1].effects, points, NOON)
    assert page.count("<svg") == 2
    assert "Experiment &lt;x&gt;" in page
    assert "a &amp; b" in page
    assert not any(word in page for word in ("<script", "src=", "href=", "@import", "url("))
    chart = page[page.index("<svg") : page.index("</svg>") + 6]
    root = ElementTree.fromstring(chart)
    lines = [path for path in root.iter() if path.tag.endswith("path") and "line" in path.attrib.get("class", "")]
    assert len([path for path in lines if "reactive" in path.attrib["class"]]) == 4


def test_a_single_look_is_no_line() -> None:
    assert interval_lines("x", "t", "d", [Knot(1, None, 0.0, None)], 0.0) == ""
    assert "Too few looks" in render_release("t", [], (), experiment_effects(shadow(), {}), [], NOON)
