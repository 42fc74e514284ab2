"""The records of a report, for asking what else could have been done."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

from llama_mapper.domain.contracts.evaluation import EvaluationSlice, MappingEvaluation, SubjectReport, TokenPrice
from llama_mapper.domain.mapping.costs.what_if import AnswerRecord
from llama_mapper.domain.mapping.evaluation.items import category_of


def answer_records(
    report: MappingEvaluation, prices: Mapping[str, TokenPrice] | None = None
) -> dict[str, tuple[AnswerRecord, ...]]:
    """Method → one record a label, right at level 2; each takes the method's mean time a label in batches.

    `prices` stand in for those of the report.
    """
    return {
        subject.name: _records(report, subject, (prices or {}).get(subject.name, subject.price))
        for subject in report.subjects
    }


def _records(report: MappingEvaluation, subject: SubjectReport, price: TokenPrice) -> tuple[AnswerRecord, ...]:
    answers = subject.answers
    time = subject.slices[EvaluationSlice.ALL].metrics.get("batch_label_ms")
    milliseconds = (time.value if time else None) or 0.0
    return tuple(
        AnswerRecord(
            answered=canonical is not None,
            right=canonical is not None and category_of(canonical) == category_of(item.gold),
            confidence=confidence,
            usd=(read * price.prompt + written * price.completion) / 1e6,
            milliseconds=milliseconds,
        )
        for item, canonical, confidence, read, written in zip(
            report.items,
            answers.canonical,
            answers.confidence,
            answers.prompt_tokens or repeat(0, len(report.items)),
            answers.completion_tokens or repeat(0, len(report.items)),
            strict=True,
        )
    )
