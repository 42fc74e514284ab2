"""The report says what the data says, needs nothing from elsewhere, and no text in it becomes markup."""

from __future__ import annotations

import re
import sys
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_mapper.domain.contracts.analysis import ControlApplicability
from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.orchestration import DetectorStatus, VerdictAction
from llama_mapper.entrypoints.report.charts import stacked_bars
from llama_mapper.entrypoints.report.data import RISK_BANDS, ROWS, ReportData, risk_band
from llama_mapper.entrypoints.report.render import percent, render_report
from llama_mapper.entrypoints.report.summary import OTHER, BoundedCounter
from tests.support.records import CREATED_AT, GDPR, SOC2, Found, assessment

EMAIL = Found()
CARD = Found(
    label="CREDIT_CARD",
    category="pii.financial_data",
    canonical="pii.financial_data.payment_card",
    severity=Severity.CRITICAL,
    controls={SOC2: ("CC6.7", "CC6.1"), "pci_dss:4": ("3.4.1",)},
)
HOSTILE = "</td></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Reads a page: its elements, the text of its table cells, and whether every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data

    def table(self, head: str) -> dict[str, list[str]]:
        """The table whose first column is headed `head`: first cell → the other cells."""
        (table,) = [rows for rows in self.tables if rows[0][0] == head]
        return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in table[1:]}

    def svgs(self, page: str) -> list[ElementTree.Element]:
        return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def render(data: ReportData, title: str = "A run") -> str:
    return render_report(data, title, CREATED_AT)


def full() -> ReportData:
    data = ReportData()
    data.add(assessment(EMAIL, CARD, CARD, assessment_id="asm_1"), "a.jsonl:1")
    data.add(assessment(EMAIL, assessment_id="asm_2", created_at=CREATED_AT + timedelta(hours=1)), "a.jsonl:2")
    data.add(
        assessment(
            assessment_id="asm_3",
            failed={"toxicity": DetectorStatus.TIMEOUT},
            gaps=[("toxicity", "did not answer in time")],
            coverage=0.5,
        ),
        "a.jsonl:3",
    )
    data.add(assessment(Found(label="odd", category=None, canonical=None), Found(upheld=False), assessment_id="asm_4"))
    data.summary.add_fault("INVALID_REQUEST")
    return data


@pytest.mark.parametrize("data", [full(), ReportData()], ids=["full", "empty"])
def test_the_page_refers_to_nothing_and_runs_nothing(data: ReportData) -> None:
    text = render(data)
    page = Page(text)
    assert set(re.findall(r"[a-z+.-]+://[^\s\"'<]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text
    assert "javascript:" not in text.lower()
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "image", "use", "a", "base", "form"}
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "href", "xlink:href"}]
    policies = [attributes for tag, attributes in page.tags if attributes.get("http-equiv")]
    assert len(policies) == 1
    assert str(policies[0]["content"]).startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_the_policy_stands_before_anything_that_it_governs() -> None:
    text = render(full())
    assert text.index("Content-Security-Policy") < text.index("<style")
    assert text.startswith("<!doctype html>")


def test_the_numbers_on_the_page_are_those_of_the_data() -> None:
    page = Page(render(full()))
    verdicts = page.table("Verdict")
    assert {name: cells[0] for name, cells in verdicts.items()} == {
        "block": "1",
        "redact": "2",
        "flag": "0",
        "allow": "1",
    }
    categories = page.table("Risk category")
    assert categories["pii.financial_data"] == ["2", "", "", "", "", "", "2"]
    assert categories["pii.personal_identifiers"] == ["", "2", "", "", "", "", "2"]
    assert categories["no category"] == ["", "", "", "", "", "1", "1"]
    editions = page.table("Edition")
    assert {name: cells[2:] for name, cells in editions.items()} == {
        SOC2: ["2", "4"],
        GDPR: ["1", "4"],
        "pci_dss:4": ["1", "1"],
    }
    assert page.table("Detector")["toxicity 2.2.366"] == ["", "", "1", "", ""]
    assert page.table("What, and why") == {"toxicity: did not answer in time": ["1"]}
    assert page.table("Reason") == {"INVALID_REQUEST": ["1"]}
    assert page.table("Part")["crosswalk"] == ["1.0.0", "4"]
    dimensions = page.table("Dimension")
    assert all(sum(int(cell or 0) for cell in cells[:5]) == 4 for cells in dimensions.values())
    assert dimensions["regulatory"][-1] == "0.950"
    assert "2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z" in page.text


def test_a_controls_row_has_its_rationale_labels_and_evidence() -> None:
    page = Page(render(full()))
    (soc2,) = [table for table in page.tables if table[0][0] == "Control" and "CC6.7" in table[-1][0]]
    first, second = soc2[1:]
    assert first[0].startswith("CC6.1")
    assert "CRITICAL" in second[1]
    assert second[2] == "2"
    assert "Why CC6.7 is touched" in second[3]
    assert "pii.financial_data.payment_card" in second[3]
    assert "A record for CC6.7 (in the evidence documents)" in second[4]


def test_the_page_says_that_evidence_proves_no_violation_and_how_to_verify_it() -> None:
    text = Page(render(full())).text
    assert "never by itself proof" in text
    assert "llama-mapper evidence verify FILE" in text


def test_every_chart_has_a_title_and_a_description_and_unique_ids() -> None:
    text = render(full())
    page = Page(text)
    charts = page.svgs(text)
    assert len(charts) == 4
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for chart in charts:
        assert chart.attrib["role"] == "img"
        named = chart.attrib["aria-labelledby"].split()
        assert [child.attrib["id"] for child in chart[:2]] == named
        assert all(child.text for child in chart[:2])


def test_the_bars_of_a_chart_are_as_long_as_their_counts() -> None:
    text = str(stacked_bars("c", "t", "d", ["a", "b"], {"HIGH": [4, 0], "LOW": [2, 6]}, "severity"))
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    bars = [group for group in root.iter(f"{space}g") if group.attrib.get("class") == "bar"]
    widths = {}
    for bar in bars:
        (title,), rects = bar.findall(f"{space}title"), bar.findall(f"{space}rect")
        assert title.text
        widths[title.text] = float(rects[0].attrib["width"]) if rects else 0.0
    unit = widths["a, HIGH: 4"] / 4
    assert widths == pytest.approx(
        {"a, HIGH: 4": 4 * unit, "b, HIGH: 0": 0, "a, LOW: 2": 2 * unit, "b, LOW: 6": 6 * unit}
    )
    labels = [element.text for element in root.iter(f"{space}text")]
    assert labels[:2] == ["b", "a"]


def test_a_chart_without_counts_is_left_out() -> None:
    assert stacked_bars("c", "t", "d", [], {"a": []}, "severity") == ""
    assert stacked_bars("c", "t", "d", ["row"], {"a": [0]}, "severity") == ""


def test_an_empty_run_is_a_page_without_charts() -> None:
    text = render(ReportData())
    assert "<svg" not in text
    assert "nothing was assessed" in Page(text).text


def test_a_run_without_findings_has_no_findings_chart_and_says_so() -> None:
    data = ReportData()
    data.add(assessment())
    text = render(data)
    assert text.count("<svg") == 2
    assert "No findings stand." in Page(text).text
    assert f"No finding is relevant to a control of {GDPR}, {SOC2}." in Page(text).text


def test_hostile_text_is_shown_and_never_interpreted() -> None:
    data = ReportData()
    record = assessment(Found(label=HOSTILE), gaps=[("toxicity", HOSTILE)])
    compliance = record.analysis.compliance_mappings[0]
    control = compliance.controls[0].model_copy(
        update={
            "title": HOSTILE,
            "rationale": HOSTILE,
            "condition": HOSTILE,
            "applicability": ControlApplicability.CONDITIONAL,
        }
    )
    hostile = compliance.model_copy(update={"title": HOSTILE, "controls": (control,)})
    analysis = record.analysis.model_copy(update={"compliance_mappings": (hostile,)})
    data.add(record.model_copy(update={"analysis": analysis}), HOSTILE)
    data.summary.add_fault(HOSTILE)
    text = render(data, HOSTILE)
    assert "<script" not in text
    assert "<img" not in text
    page = Page(text)
    assert page.text.count(HOSTILE) >= 8


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    label=st.text(
        st.characters(codec="utf-8", min_codepoint=0x20).filter(lambda c: c != "\x7f"), min_size=1, max_size=60
    )
)
def test_any_label_keeps_the_page_well_formed(label: str) -> None:
    data = ReportData()
    data.add(assessment(Found(label=label)), label)
    text = render(data, label)
    page = Page(text)
    assert page.svgs(text)
    assert not [tag for tag, _ in page.tags if tag == "script"]


def test_ten_thousand_assessments_keep_the_riskiest_rows_only_and_count_them_all() -> None:
    records = [assessment(EMAIL), assessment(CARD), assessment()]
    data = ReportData()
    tracemalloc.start()
    try:
        for number in range(2_000):
            data.add(records[number % 3])
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000, 10_000):
            data.add(records[number % 3])
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert data.summary.assessments == 10_000
    assert data.summary.verdicts.total() == 10_000
    assert len(data.rows) == ROWS
    assert {row.level for row in data.rows} == {"CRITICAL"}
    assert after - before < 50_000
    assert len(render(data)) < 400_000


def test_rows_are_ordered_by_risk_then_findings_then_arrival() -> None:
    data = ReportData(rows=3)
    for name, found in (("low", []), ("one", [CARD]), ("two", [CARD, CARD]), ("high", [EMAIL]), ("late", [CARD])):
        data.add(assessment(*found, assessment_id=name))
    assert [row.id for row in data.rows] == ["two", "one", "late"]


def test_a_report_may_have_no_rows() -> None:
    data = ReportData(rows=0)
    data.add(assessment(CARD))
    assert data.rows == []


def test_findings_set_aside_count_for_nothing_but_are_told() -> None:
    data = ReportData()
    data.add(assessment(Found(upheld=False), EMAIL))
    assert (data.summary.findings, data.summary.set_aside, data.summary.upheld) == (2, 1, 1)
    assert "1 more were set aside" in Page(render(data)).text


def test_names_from_outside_stop_growing_at_the_bound() -> None:
    counts = BoundedCounter()
    for number in range(2_000):
        counts.note(f"name {number}")
    assert len(counts) == 501
    assert counts[OTHER] == 1_500
    assert counts.total() == 2_000


@pytest.mark.parametrize(
    ("score", "band"), [(0.0, 0), (1e-9, 1), (0.2499, 1), (0.25, 2), (0.5, 3), (0.7499, 3), (0.75, 4), (1.0, 4)]
)
def test_each_risk_score_falls_into_its_band(score: float, band: int) -> None:
    assert risk_band(score) == RISK_BANDS[band]


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    assert [percent(share) for share in (0.0, 0.0001, 0.258, 0.9999, 1.0)] == [
        "0.0 %",
        "< 0.1 %",
        "25.8 %",
        "> 99.9 %",
        "100.0 %",
    ]


def test_every_verdict_has_its_count() -> None:
    data = ReportData()
    for action in VerdictAction:
        data.add(assessment(action=action))
    assert {cells[0] for cells in Page(render(data)).table("Verdict").values()} == {"1"}


def test_a_control_gathers_the_reasons_of_all_its_assessments() -> None:
    """A control that applied as it stands once is no longer conditional."""
    record = assessment(EMAIL)
    (gdpr, _) = record.analysis.compliance_mappings

    def given(rationale: str, applicability: ControlApplicability, condition: str) -> Assessment:
        control = gdpr.controls[0].model_copy(
            update={"rationale": rationale, "applicability": applicability, "condition": condition}
        )
        mapping = gdpr.model_copy(update={"controls": (control,)})
        return record.model_copy(
            update={"analysis": record.analysis.model_copy(update={"compliance_mappings": (mapping,)})}
        )

    data = ReportData()
    data.add(given("One.; Two.", ControlApplicability.CONDITIONAL, "in scope"))
    assert "Only if: in scope" in Page(render(data)).text
    data.add(given("Two.; Three.", ControlApplicability.APPLICABLE, ""))
    data.add(given("One.", ControlApplicability.CONDITIONAL, "in scope"))
    text = Page(render(data)).text
    assert "One. Two. Three." in text
    assert "Only if" not in text


def test_a_report_leaves_no_import_hook_behind() -> None:
    data = ReportData()
    data.add(assessment(EMAIL))
    render(data)
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
