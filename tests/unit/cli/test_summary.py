"""What the terminal shows is what was counted, fits its width, and is plain where it is piped."""

from __future__ import annotations

import io
from typing import Literal

import pytest
from rich.console import Console

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.orchestration import DetectorStatus
from llama_mapper.entrypoints.cli.summary import print_assessment, print_summary
from llama_mapper.entrypoints.report.summary import RunSummary
from tests.support.records import Found, assessment

CARD = Found(label="CREDIT_CARD", category="pii.financial_data", severity=Severity.CRITICAL, span=(3, 19))


def run_of(*records: Assessment, width: int = 80, elapsed_s: float | None = None) -> str:
    summary = RunSummary()
    for record in records:
        summary.add(record)
    summary.add_fault("INVALID_REQUEST")
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=width), elapsed_s)
    return out.getvalue()


def one(record: Assessment, width: int = 80, *, colour: bool = False) -> str:
    out = io.StringIO()
    colours: Literal["truecolor"] | None = "truecolor" if colour else None
    print_assessment(record, Console(file=out, width=width, force_terminal=colour, color_system=colours))
    return out.getvalue()


def lines_with(text: str, word: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if word in line]


def test_a_run_shows_verdicts_categories_controls_and_what_went_wrong() -> None:
    late = assessment(
        failed={"toxicity": DetectorStatus.TIMEOUT}, gaps=[("toxicity", "did not answer in time")], coverage=0.5
    )
    text = run_of(assessment(Found(), CARD), assessment(Found(), Found(upheld=False)), late, elapsed_s=2.0)
    assert "3 assessed in 2.0 s (2 a second), 3 findings, 1 not assessed" in text
    assert "1 findings set aside" in text
    assert lines_with(text, "block")[0][:2] == ["block", "1"]
    assert lines_with(text, "redact")[0][:2] == ["redact", "1"]
    assert lines_with(text, "pii.personal_identifiers") == [["pii.personal_identifiers", "2", "2"]]
    assert lines_with(text, "soc2:2017")[0][:2] == ["soc2:2017", "1"]
    assert "detector toxicity 2.2.366: timeout 1 of 1 runs" in text
    assert "not judged: toxicity: did not answer in time (1 times)" in text
    assert "not assessed: INVALID_REQUEST (1)" in text


def test_a_run_of_nothing_is_one_line_and_its_faults() -> None:
    assert run_of().splitlines() == [
        "0 assessed, 0 findings, 1 not assessed",
        "not assessed: INVALID_REQUEST (1)",
    ]


def test_an_assessment_shows_verdict_findings_risk_controls_coverage_and_versions() -> None:
    text = one(assessment(CARD, gaps=[("toxicity", "not installed")], coverage=0.5))
    assert text.startswith("BLOCK  asm_01")
    assert ["pii.financial_data", "CREDIT_CARD", "presidio", "0.90", "3-19"] in lines_with(text, "CREDIT_CARD")
    assert lines_with(text, "regulatory") == [["regulatory", "0.95", "#" * 19 + "."]]
    assert lines_with(text, "temporal") == [["temporal", "0.00", "." * 20]]
    assert lines_with(text, "gdpr:2016") == [["gdpr:2016", "1", "Article.6"]]
    assert "coverage 50% of what the policy requires, INSUFFICIENT" in text
    assert "not judged: toxicity, not installed" in text
    assert "crosswalk 1.0.0" in text
    assert "ed25519:" in text


def test_an_assessment_that_found_nothing_says_so() -> None:
    text = one(assessment())
    assert text.startswith("ALLOW")
    assert "no findings" in text
    assert "no control is touched" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    wide = [Found(label="L" * 256, category="domain_with_a_long_name.category_with_a_long_name"), CARD]
    for text in (one(assessment(*wide), width), run_of(assessment(*wide), width=width)):
        assert max(len(line) for line in text.splitlines()) <= width


def test_what_is_piped_has_no_colour_and_a_terminal_has() -> None:
    assert "\x1b[" not in one(assessment(CARD))
    assert "\x1b[" in one(assessment(CARD), colour=True)


def test_brackets_in_a_label_stay_text() -> None:
    label = "[bold red]x[/] [/nope] :warning:"
    text = one(assessment(Found(label=label), gaps=[("toxicity", "[red]why[/red]")]), width=200)
    assert label in text
    assert "[red]why[/red]" in text


def test_many_findings_are_counted_beyond_the_first_hundred() -> None:
    assert "50 more" in one(assessment(*[CARD] * 150))


def test_a_label_cannot_command_the_terminal() -> None:
    record = assessment(Found(label="a\x9b31mb\u202ec"), gaps=[("toxicity", "\x1b]0;title\x07")])
    text = one(record, width=200)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "a\N{REPLACEMENT CHARACTER}31mb\N{REPLACEMENT CHARACTER}c" in text


def test_without_a_console_standard_output_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    print_assessment(assessment())
    print_summary(RunSummary())
    out = capsys.readouterr().out
    assert "ALLOW" in out
    assert "0 assessed" in out
