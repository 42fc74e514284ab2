"""An evaluation as one HTML page: no script, nothing fetched."""

from __future__ import annotations

from markupsafe import Markup

from llama_mapper.domain.contracts.evaluation import MappingEvaluation
from llama_mapper.domain.mapping.costs.what_if import StrategyOutcome, pareto_front, what_if
from llama_mapper.domain.mapping.evaluation.records import answer_records
from llama_mapper.entrypoints.report.curves import Axes, curves, ticks
from llama_mapper.entrypoints.report.evaluation_tables import sections
from llama_mapper.entrypoints.report.render import page_template

ERRORS = 60
_COLOURS = 8


def evaluation_page(report: MappingEvaluation) -> str:
    """The page. Every text of the report is escaped: labels are the vendors' own words."""
    return page_template("evaluation.html.j2").render(
        title=report.title,
        generated_at=report.made_at,
        report=report,
        sections=sections(report, ERRORS),
        charts={"risk": _risk(report), "reliability": _reliability(report), "front": _front(report)},
        legend_of=[(subject.name, f"line-{place % _COLOURS}") for place, subject in enumerate(report.subjects)],
    )


def _risk(report: MappingEvaluation) -> Markup:
    return curves(
        "risk",
        "Risk by coverage",
        "One curve a method: the share of wrong answers as more and more labels are answered, the surest first.",
        Axes("Coverage: labels answered", "Risk: answers that are wrong"),
        {
            subject.name: [
                (row.coverage, row.risk, f"{subject.name}: {row.risk:.1%} wrong at {row.coverage:.1%} answered, "
                 f"confidence from {row.threshold:.2f}")
                for row in subject.risk_coverage
            ]
            for subject in report.subjects
        },
    )  # fmt: skip


def _reliability(report: MappingEvaluation) -> Markup:
    return curves(
        "reliability",
        "Share right by confidence",
        "One curve a method; the tables below have the numbers. On the diagonal a method is as sure as it is right.",
        Axes("Mean confidence", "Right at level 2"),
        {
            subject.name: [
                (row.confidence, row.accuracy, f"{subject.name}: {row.accuracy:.1%} right at confidence "
                 f"{row.confidence:.2f}, {row.labels} labels")
                for row in subject.reliability
            ]
            for subject in report.subjects
        },
        diagonal=True,
    )  # fmt: skip


def _front(report: MappingEvaluation) -> Markup:
    front = pareto_front(what_if(answer_records(report)))
    paid = any(one.usd_per_1000_labels for one in front)

    def cost(one: StrategyOutcome) -> float:
        return one.usd_per_1000_labels if paid else one.milliseconds_per_label

    unit = "US dollars for 1,000 labels" if paid else "Milliseconds a label"
    return curves(
        "front",
        "Accuracy by cost",
        "The strategies that no other beats; the table below has the numbers.",
        Axes(unit, "Right at level 2, of all labels", ticks(max((cost(one) for one in front), default=0.0))),
        {
            "front": [
                (cost(one), one.accuracy, f"{' then '.join(one.methods)} from {one.threshold:g}: {one.accuracy:.1%} "
                 f"right, {cost(one):.3g} {unit.lower()}")
                for one in front
            ]
        },
    )  # fmt: skip
