"""Reports of small evaluations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from llama_mapper.domain.contracts.evaluation import MappingEvaluation
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.evaluation.baselines.catalogue_normalised import NormalisedScorer
from llama_mapper.domain.mapping.evaluation.baselines.scorer import CalibratedBaseline
from llama_mapper.domain.mapping.evaluation.folds import leave_one_family_out
from llama_mapper.domain.mapping.evaluation.items import evaluation_items
from llama_mapper.domain.mapping.evaluation.journal import MemoryJournal
from llama_mapper.domain.mapping.evaluation.ports import Subject
from llama_mapper.domain.mapping.evaluation.report import ReportTerms, build_report
from llama_mapper.domain.mapping.evaluation.runner import EvaluationPlan, run_folds
from tests.unit.mapping.evaluation.labels import CARD, EMAIL, HATE, KNOWN, PHONE, oracle

TAXONOMY = (EMAIL, PHONE, CARD, HATE)
MADE_AT = datetime(2026, 1, 2, tzinfo=UTC)


def lookup() -> CalibratedBaseline:
    return CalibratedBaseline("look-up", NormalisedScorer, MappingStage.CATALOGUE_NORMALISED, {})


async def report_of(*subjects: Subject, known: Any = KNOWN, **terms: Any) -> MappingEvaluation:
    """The report of these methods over labels of three vendors."""
    items = evaluation_items(known, {})
    plan = EvaluationPlan(items, known, {}, leave_one_family_out(items), singles=2)
    runs = await run_folds(plan, subjects or [oracle(known), lookup()], MemoryJournal())
    settled = {
        "title": "A run",
        "made_at": MADE_AT,
        "service_version": "0",
        "taxonomy_version": "0",
        "vocabulary_version": "0",
        "taxonomy": TAXONOMY,
        "resamples": 100,
        **terms,
    }
    return build_report(plan, runs, ReportTerms(**settled))
