"""The committed evaluation is one of this schema, with the baselines as rows, and its forms agree."""

from __future__ import annotations

from pathlib import Path

from llama_mapper.domain.contracts.evaluation import EvaluationSlice, MappingEvaluation
from llama_mapper.entrypoints.report.evaluation_markdown import evaluation_markdown

FOLDER = Path(__file__).parents[4] / "docs" / "evaluation"


def test_the_committed_report_leaves_every_vendor_out_once_and_has_the_baselines() -> None:
    report = MappingEvaluation.model_validate_json((FOLDER / "leave-one-vendor-out.json").read_bytes())
    asked = [family for families in report.protocol.folds.values() for family in families]
    assert sorted(asked) == sorted({item.family for item in report.items})
    assert not report.protocol.hold_out
    figures = {subject.name: subject.slices[EvaluationSlice.ALL].metrics for subject in report.subjects}
    assert {"majority", "catalogue-normalised", "nearest-spelling"} <= figures.keys()
    assert all(one["level2_accuracy"].low is not None for one in figures.values())


def test_the_committed_markdown_is_that_of_the_committed_json() -> None:
    report = MappingEvaluation.model_validate_json((FOLDER / "leave-one-vendor-out.json").read_bytes())
    assert (FOLDER / "leave-one-vendor-out.md").read_text("utf-8") == evaluation_markdown(report)


def test_in_the_committed_report_the_cascade_is_better_than_each_of_its_stages() -> None:
    report = MappingEvaluation.model_validate_json((FOLDER / "leave-one-vendor-out.json").read_bytes())
    figures = {subject.name: subject.slices[EvaluationSlice.ALL].metrics for subject in report.subjects}
    for words in ("", "-without-synonyms"):
        for figure in ("level2_accuracy", "coverage_at_95"):
            cascade = figures[f"cascade{words}"][figure].value
            single = [figures[f"{stage}{words}"][figure].value for stage in ("lexical", "embedding")]
            assert cascade is not None
            assert all(one is not None and cascade > one for one in single), (words, figure)
