"""An evaluation reads alike on the page, in Markdown and in a terminal, and no label becomes markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from llama_mapper.domain.contracts.evaluation import MappingEvaluation, Measured
from llama_mapper.entrypoints.report.curves import Axes, curves, ticks
from llama_mapper.entrypoints.report.evaluation_markdown import evaluation_markdown
from llama_mapper.entrypoints.report.evaluation_page import evaluation_page
from llama_mapper.entrypoints.report.evaluation_tables import headline_tables, sections, written
from tests.unit.mapping.evaluation.labels import CARD, EMAIL, KNOWN, Scripted, answering, known, oracle
from tests.unit.mapping.evaluation.reports import lookup, report_of
from tests.unit.report.test_report import HOSTILE, Page


@pytest.fixture
async def report() -> MappingEvaluation:
    return await report_of()


async def hostile() -> MappingEvaluation:
    labels = (*KNOWN, known("alpha", HOSTILE, EMAIL), known("beta", f"{HOSTILE}|`*_ [x](y)", CARD))
    return await report_of(
        oracle(labels), Scripted("wrong", lambda _, key: answering(CARD, 0.75)), lookup(), known=labels, title=HOSTILE
    )


async def test_the_page_refers_to_nothing_and_runs_nothing() -> None:
    text = evaluation_page(await hostile())
    page = Page(text)
    assert set(re.findall(r"[a-z+.-]+://[^\s\"'<]*", text)) <= {"http://www.w3.org/2000/svg"}
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "image", "use", "a", "base", "form"}
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "href", "xlink:href"}]
    (policy,) = [attributes for tag, attributes in page.tags if attributes.get("http-equiv")]
    assert str(policy["content"]).startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert HOSTILE in page.text


async def test_the_page_and_the_tables_say_the_same(report: MappingEvaluation) -> None:
    page = Page(evaluation_page(report))
    shown = [[[cell.strip() for cell in row] for row in table] for table in page.tables]
    expected = [
        [list(table.columns), *([" ".join(cell.split()) for cell in row] for row in table.rows)]
        for section in sections(report, 60)
        for table in section.tables
    ]
    assert [[[" ".join(cell.split()) for cell in row] for row in table] for table in shown] == expected


async def test_every_method_has_its_curve_and_every_point_says_what_it_is(report: MappingEvaluation) -> None:
    text = evaluation_page(report)
    risk, reliability, front = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    for drawing, rows in ((risk, "risk_coverage"), (reliability, "reliability")):
        titles = [title.text or "" for title in drawing.iter("{http://www.w3.org/2000/svg}title")][1:]
        for subject in report.subjects:
            own = [title for title in titles if title.startswith(f"{subject.name}:")]
            assert len(own) == len(getattr(subject, rows))
        assert all("%" in title for title in titles)
    assert front.attrib["aria-labelledby"] == "front-title front-desc"


async def test_points_lie_where_their_numbers_say() -> None:
    drawing = ElementTree.fromstring(
        curves("c", "t", "d", Axes("x", "y"), {"s": [(0.0, 0.0, "a"), (0.5, 0.25, "b"), (1.0, 1.0, "c")]})
    )
    dots = [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in drawing.iter("{http://www.w3.org/2000/svg}circle")
    ]
    (left, bottom), (middle, quarter), (right, top) = dots
    assert (middle - left) / (right - left) == pytest.approx(0.5)
    assert (bottom - quarter) / (bottom - top) == pytest.approx(0.25)
    assert curves("c", "t", "d", Axes("x", "y"), {"s": []}) == ""


async def test_hostile_labels_stay_text_in_markdown() -> None:
    text = evaluation_markdown(await hostile())
    assert not re.search(r"(?<!\\)<(?:script|img|/td)", text)
    assert not re.search(r"(?<!\\)\[x", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1, table[:200]


async def test_markdown_has_every_table(report: MappingEvaluation) -> None:
    text = evaluation_markdown(report)
    for section in sections(report, 25):
        if section.tables:
            assert f"\n## {section.heading}\n" in text
    assert text.count("\n| --- |") == sum(len(section.tables) for section in sections(report, 25))


async def test_a_wrong_answer_is_listed_the_surest_first_and_no_more_than_asked() -> None:
    report = await hostile()
    (wrong,) = [
        table
        for section in sections(report, 2)
        if section.heading == "Wrong answers"
        for table in section.tables
        if table.caption.startswith("wrong:")
    ]
    assert wrong.caption == "wrong: 7 wrong answers"
    assert [row[-1] for row in wrong.rows] == ["0.75", "0.75"]


async def test_the_headline_has_a_column_a_method(report: MappingEvaluation) -> None:
    everything, hard = headline_tables(report)
    assert everything.columns == ("Figure", "oracle", "look-up", "What it says")
    assert everything.caption == "All labels: 9 of 3 families"
    assert hard.caption == "Hard labels: 2 of 2 families"
    rows = {row[0]: row[1:] for row in everything.rows}
    assert rows["level2_accuracy"][0] == "100.0 %"
    assert rows["level2_accuracy"][1].startswith("55.6 % (")


@pytest.mark.parametrize(
    ("metric", "measured", "text"),
    [
        ("level2_accuracy", Measured(value=0.7165, low=0.5951, high=0.7768), "71.7 % (59.5 to 77.7)"),
        ("level2_accuracy", Measured(value=1.0, low=1.0, high=1.0), "100.0 %"),
        ("level2_accuracy", Measured(value=0.5), "50.0 %"),
        ("ece", Measured(value=0.1, low=0.05, high=0.2), "0.100 (0.050 to 0.200)"),
        ("latency_p50_ms", Measured(value=1.5, low=1.0, high=2.0), "1.50 ms (1.00 to 2.00)"),
        ("usd_per_1000_labels", Measured(value=0.25, low=0.2, high=0.3), "$0.2500 (0.2000 to 0.3000)"),
        ("ece", Measured(value=None), "-"),
        ("ece", None, "-"),
    ],
)
def test_a_figure_is_written_with_its_unit_and_its_interval(metric: str, measured: Measured | None, text: str) -> None:
    assert written(metric, measured) == text


@pytest.mark.parametrize("highest", [0.0, 1e-6, 0.07, 1.0, 3.3, 12_345.0])
def test_ticks_reach_the_highest_value(highest: float) -> None:
    made = ticks(highest)
    assert made[0] == 0
    assert made[-1] >= highest
    assert made == sorted(set(made))
