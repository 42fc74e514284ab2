"""An evaluation as headings, paragraphs and tables of text: what the terminal, Markdown and the page have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.evaluation import (
    EvaluationKind,
    EvaluationSlice,
    MappingEvaluation,
    Measured,
    SubjectReport,
)
from llama_mapper.domain.mapping.costs.what_if import StrategyOutcome, pareto_front, what_if
from llama_mapper.domain.mapping.evaluation.items import category_of
from llama_mapper.domain.mapping.evaluation.measures import at, meaning_of
from llama_mapper.domain.mapping.evaluation.records import answer_records

_NONE = "-"
CONFUSIONS = 15
FRONT = 12

_UNITS = {
    "aurc": "{:.3f}", "ece": "{:.3f}", "adaptive_ece": "{:.3f}", "level3_ece": "{:.3f}", "brier": "{:.3f}",
    "latency_p50_ms": "{:.2f} ms", "latency_p99_ms": "{:.2f} ms", "batch_label_ms": "{:.2f} ms",
    "tokens_per_label": "{:.1f}", "usd_per_1000_labels": "${:.4f}",
}  # fmt: skip
"""How figures that are no shares are written."""


@dataclass(frozen=True, slots=True)
class TableView:
    """A table of text. The cells of the first column head their rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report; `chart` names a drawing that the page puts before the tables."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[TableView, ...] = ()
    chart: str | None = None


def written(metric: str, measured: Measured | None) -> str:
    """A figure with its interval: `71.7 % (59.5 to 77.7)`; a dash where there is none."""
    if measured is None or measured.value is None:
        return _NONE
    form = _UNITS.get(metric)
    if form is None:
        value, bounds = f"{measured.value * 100:.1f} %", "{:.1f}"
        low, high = (None if bound is None else bound * 100 for bound in (measured.low, measured.high))
    else:
        value, bounds = form.format(measured.value), form.removeprefix("$").removesuffix(" ms")
        low, high = measured.low, measured.high
    if low is None or high is None or measured.low == measured.high == measured.value:
        return value
    return f"{value} ({bounds.format(low)} to {bounds.format(high)})"


def headline_tables(report: MappingEvaluation) -> Iterator[TableView]:
    """For all labels and for the hard ones: the figures as rows, the methods as columns."""
    precision = report.protocol.precision
    metrics = (
        "level2_accuracy", "level3_accuracy", "level2_accuracy_lenient", "level3_accuracy_lenient",
        "level2_accuracy_by_family", "level3_accuracy_by_family", "level2_macro_f1", "level2_macro_f1_by_vendor",
        "level2_among_first_3", "answered", "answered_accuracy", at("coverage_at", precision),
        at("precision_at", precision), at("oracle_coverage_at", precision), "aurc", "ece", "adaptive_ece",
        "level3_ece", "brier", "off_taxonomy", "latency_p50_ms", "latency_p99_ms", "batch_label_ms",
        "tokens_per_label", "usd_per_1000_labels",
    )  # fmt: skip
    for name, words in ((EvaluationSlice.ALL, "All labels"), (EvaluationSlice.HARD, "Hard labels")):
        slices = [subject.slices[name] for subject in report.subjects]
        yield TableView(
            f"{words}: {slices[0].labels} of {slices[0].families} families",
            ("Figure", *(subject.name for subject in report.subjects), "What it says"),
            tuple(
                (metric, *(written(metric, one.metrics.get(metric)) for one in slices), meaning_of(metric))
                for metric in metrics
                if any(metric in one.metrics for one in slices)
            ),
        )


def sections(report: MappingEvaluation, errors: int) -> list[Section]:
    """The whole report; at most `errors` wrong answers of each method, the surest first."""
    return [
        _protocol(report),
        Section(
            "Figures",
            (
                f"In brackets: {report.protocol.level * 100:g} % intervals, from {report.protocol.resamples} draws of "
                "whole families with replacement (percentiles). Hard labels are those whose normalised form no vendor "
                "outside the family has. Coverage is honest where it says *other folds*: there the threshold for a "
                "fold comes from the other folds' answers, and the precision that was really attained stands in the "
                "next row. The oracle's coverage takes the threshold from the very answers it is measured on.",
            ),
            tuple(headline_tables(report)),
        ),
        *_differences(report),
        Section(
            "Risk and coverage",
            ("The share of answers that is wrong (risk), by the share of labels answered when the surest come first.",),
            chart="risk",
        ),
        Section(
            "Reliability",
            ("The share that is right at level 2, by confidence, in bins of equal width. On the diagonal it is as sure "
             "as it is right.",),
            tuple(_reliability(subject) for subject in report.subjects if subject.reliability),
            chart="reliability",
        ),
        Section("By vendor", ("Labels right at level 2, of each vendor's labels.",), (_vendors(report),)),
        Section("By stage", (), (_stages(report),)),
        Section(
            "Confused categories",
            (),
            tuple(_confusions(subject) for subject in report.subjects if subject.confusions),
        ),
        Section(
            "Wrong answers",
            (f"The surest first, at most {errors} of each method; the JSON report has every answer.",),
            tuple(_errors(report, subject, errors) for subject in report.subjects),
        ),
        _bound(report),
        _front(report),
    ]  # fmt: skip


def front_rows(front: Sequence[StrategyOutcome]) -> TableView:
    """Strategies, cheapest first."""
    return TableView(
        "Strategies that no other beats, cheapest first",
        ("Strategy", "Threshold", "Accuracy", "Coverage", "Precision", "ms a label", "$ for 1,000", "Second asked"),
        tuple(
            (
                " then ".join(one.methods),
                " then ".join(f"{t:g}" for t in (one.threshold, one.last_threshold)[: len(one.methods)]),
                _percent(one.accuracy),
                _percent(one.coverage),
                _NONE if one.precision is None else _percent(one.precision),
                f"{one.milliseconds_per_label:.3f}",
                f"{one.usd_per_1000_labels:.4f}",
                _percent(one.asked_second),
            )
            for one in front
        ),
    )


def _protocol(report: MappingEvaluation) -> Section:
    protocol = report.protocol
    if protocol.kind is EvaluationKind.LABELS:
        how = "An own labelled file was asked; the methods knew the whole catalogue."
    else:
        how = (
            f"In each of {len(protocol.folds)} folds whole families of vendors were left out of everything that the "
            "methods know, and then asked. Vendors whose lists are nearly the same are one family."
        )
    together: dict[str, list[str]] = {}
    for vendor, family in sorted(protocol.families.items()):
        together.setdefault(family, []).append(vendor)
    rows = [
        ("Labels asked", f"{len(report.items)}, each of a family once"),
        ("Asked about", ", ".join(protocol.hold_out) or "every vendor"),
        ("Left out together", "; ".join(", ".join(vendors) for vendors in together.values()) or "none"),
        ("Versions", f"llama-mapper {report.service_version}, taxonomy {report.taxonomy_version}, vocabularies "
         f"{report.vocabulary_version}"),
        *[(f"Asked by {one.name}", one.version) for one in report.subjects if one.version],
        ("Labels in one call", f"at most {protocol.batch}"),
        ("Seed", str(protocol.seed)),
        ("Digest of labels and right answers", protocol.items_digest),
    ]  # fmt: skip
    return Section("What was evaluated", (how,), (TableView("Terms", ("Term", "Value"), tuple(rows)),))


def _differences(report: MappingEvaluation) -> Iterator[Section]:
    rows = [
        (
            f"{one.one} - {one.other}",
            one.metric,
            one.slice.value,
            _signed(one.metric, one.difference),
            "yes" if _clear(one.difference) else "no",
        )
        for one in report.differences
    ]
    if rows:
        yield Section(
            "Differences between methods",
            ("Both methods in the same draws of families. A difference is clear where its interval leaves out 0; that "
             "is not corrected for the number of differences looked at.",),
            (TableView("Differences", ("Methods", "Figure", "Labels", "Difference", "Clear"), tuple(rows)),),
        )  # fmt: skip


def _reliability(subject: SubjectReport) -> TableView:
    return TableView(
        f"{subject.name}: answers by confidence",
        ("Confidence", "Labels", "Mean confidence", "Right"),
        tuple(
            (f"{row.low:.2f} to {row.high:.2f}", str(row.labels), _percent(row.confidence), _percent(row.accuracy))
            for row in subject.reliability
        ),
    )


def _vendors(report: MappingEvaluation) -> TableView:
    rows = [
        (
            first.vendor,
            first.family,
            str(first.labels),
            *(_percent(s.vendors[place].level2_right / first.labels) for s in report.subjects),
        )
        for place, first in enumerate(report.subjects[0].vendors)
    ]
    return TableView(
        "Vendors", ("Vendor", "Family", "Labels", *(subject.name for subject in report.subjects)), tuple(rows)
    )


def _stages(report: MappingEvaluation) -> TableView:
    return TableView(
        "Which stage answered",
        ("Method", "Stage", "Labels", "Right at level 2", "Right at level 3"),
        tuple(
            (
                subject.name,
                row.stage.value,
                f"{row.labels} ({_percent(row.labels / len(report.items))})",
                _percent(row.level2_right / row.labels),
                _percent(row.level3_right / row.labels),
            )
            for subject in report.subjects
            for row in subject.stages
        ),
    )


def _confusions(subject: SubjectReport) -> TableView:
    return TableView(
        f"{subject.name}: the {CONFUSIONS} commonest",
        ("Right", "Answered", "Labels"),
        tuple((row.gold, row.answered or "no answer", str(row.labels)) for row in subject.confusions[:CONFUSIONS]),
    )


def _errors(report: MappingEvaluation, subject: SubjectReport, limit: int) -> TableView:
    answers = subject.answers
    wrong = [
        (confidence, item, canonical)
        for item, canonical, confidence in zip(report.items, answers.canonical, answers.confidence, strict=True)
        if canonical is not None and category_of(canonical) != category_of(item.gold)
    ]
    wrong.sort(key=lambda one: (-one[0], one[1].vendor, one[1].label))
    return TableView(
        f"{subject.name}: {len(wrong)} wrong answers",
        ("Label", "Vendor", "Right", "Answered", "Confidence"),
        tuple(
            (item.label, item.vendor, item.gold, canonical, f"{confidence:.2f}")
            for confidence, item, canonical in wrong[:limit]
        ),
    )


def _bound(report: MappingEvaluation) -> Section:
    bound = report.upper_bound
    return Section(
        "Where vendors disagree",
        (
            f"Who sees a label's form alone, and gives each form the meaning that most families give it, is right at "
            f"most in {_percent(bound.level2_accuracy)} at level 2 and {_percent(bound.level3_accuracy)} at level 3. "
            f"{len(bound.disagreements)} forms have several meanings.",
        ),
        (
            TableView(
                "Disagreements",
                ("Form", "Meanings"),
                tuple(
                    (one.form, "; ".join(f"{gold}: {', '.join(owners)}" for gold, owners in one.meanings.items()))
                    for one in bound.disagreements
                ),
            ),
        )
        if bound.disagreements
        else (),
    )


def _front(report: MappingEvaluation) -> Section:
    front = pareto_front(what_if(answer_records(report)))
    return Section(
        "What cheaper strategies would have cost and lost",
        (
            "Each method alone, and each one followed by another where its confidence is below a threshold, at many "
            "thresholds, replayed on these answers. Thresholds were chosen on these very answers, so the figures "
            "flatter.",
        ),
        (front_rows(front[:FRONT]),),
        chart="front",
    )


def _signed(metric: str, measured: Measured) -> str:
    text = written(metric, measured)
    return text if measured.value is None or measured.value < 0 or text == _NONE else f"+{text}"


def _clear(measured: Measured) -> bool:
    return measured.low is not None and measured.high is not None and (measured.low > 0 or measured.high < 0)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
