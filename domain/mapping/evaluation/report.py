"""The report of an evaluation: figures with intervals, differences, tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from llama_mapper.domain.contracts.evaluation import (
    Difference,
    EvaluatedItem,
    EvaluationKind,
    EvaluationProtocol,
    EvaluationSlice,
    MappingEvaluation,
    Measured,
    SliceFigures,
    SubjectReport,
    TokenPrice,
)
from llama_mapper.domain.mapping.evaluation import breakdown
from llama_mapper.domain.mapping.evaluation.ambiguity import upper_bound
from llama_mapper.domain.mapping.evaluation.digests import items_digest
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem, known_elsewhere
from llama_mapper.domain.mapping.evaluation.measures import (
    HEADLINES,
    at,
    judge,
    outcomes_of,
    statistics_of,
)
from llama_mapper.domain.mapping.evaluation.metrics.bootstrap import (
    Draws,
    Replicated,
    difference,
    family_draws,
    interval,
    replicated,
)
from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Statistic
from llama_mapper.domain.mapping.evaluation.metrics.selective import accepted_elsewhere
from llama_mapper.domain.mapping.evaluation.metrics.times import quantile
from llama_mapper.domain.mapping.evaluation.runner import EvaluationPlan, SubjectRun

_DIGITS = 6
_VERSION_LIMIT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTerms:
    """What a report is made under. `prices` is method → price of its tokens; a method that is not named costs nothing.

    `taxonomy` are the ids that exist. `resamples` draws of families make the intervals at `level`.
    """

    title: str
    made_at: datetime
    service_version: str
    taxonomy_version: str
    vocabulary_version: str
    taxonomy: Collection[str]
    kind: EvaluationKind = EvaluationKind.HOLD_OUT
    hold_out: tuple[str, ...] = ()
    prices: Mapping[str, TokenPrice] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    """Method → what exactly was put to the test, of those that ask a model."""
    precision: float = 0.95
    resamples: int = 1000
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class _Ground:
    """What all methods share: each item's family and fold by number, which items are hard, and the draws."""

    plan: EvaluationPlan
    family: tuple[int, ...]
    families: int
    group: tuple[int, ...]
    slices: Mapping[EvaluationSlice, tuple[int, ...]]
    draws: Draws


def build_report(
    plan: EvaluationPlan,
    runs: Sequence[SubjectRun],
    terms: ReportTerms,
    progress: Callable[[int, int, str], None] = lambda done, total, doing: None,
) -> MappingEvaluation:
    """The report of these runs; the same runs and terms give the same report."""
    ground = _ground(plan, terms)
    subjects: list[SubjectReport] = []
    figures: dict[str, dict[EvaluationSlice, dict[str, Replicated]]] = {}
    for run in runs:
        progress(len(subjects), len(runs), f"intervals of {run.name}")
        report, figures[run.name] = _subject(ground, run, terms)
        subjects.append(report)
    progress(len(runs), len(runs), "done")
    hard = set(ground.slices[EvaluationSlice.HARD])
    return MappingEvaluation(
        made_at=terms.made_at,
        service_version=terms.service_version,
        taxonomy_version=terms.taxonomy_version,
        vocabulary_version=terms.vocabulary_version,
        title=terms.title,
        protocol=EvaluationProtocol(
            kind=terms.kind,
            hold_out=terms.hold_out,
            families=dict(sorted(plan.families.items())),
            folds={fold.name: tuple(sorted(fold.families)) for fold in plan.folds},
            seed=plan.seed,
            batch=plan.batch,
            resamples=terms.resamples,
            level=terms.level,
            precision=terms.precision,
            items_digest=items_digest(plan.items),
        ),
        items=tuple(_item(item, place in hard) for place, item in enumerate(plan.items)),
        upper_bound=upper_bound(plan.items),
        subjects=tuple(subjects),
        differences=tuple(_differences(ground, figures, terms)),
    )


def _ground(plan: EvaluationPlan, terms: ReportTerms) -> _Ground:
    numbers = {name: number for number, name in enumerate(sorted({item.family for item in plan.items}))}
    folds = {family: number for number, fold in enumerate(plan.folds) for family in fold.families}
    family = tuple(numbers[item.family] for item in plan.items)
    # A file of own labels is one fold; then the other families stand for the other folds.
    group = family if len(plan.folds) == 1 else tuple(folds[item.family] for item in plan.items)
    known = known_elsewhere(plan.items, plan.known, plan.families)
    return _Ground(
        plan,
        family,
        len(numbers),
        group,
        {
            EvaluationSlice.ALL: tuple(range(len(plan.items))),
            EvaluationSlice.HARD: tuple(place for place, easy in enumerate(known) if not easy),
        },
        family_draws(len(numbers), terms.resamples, plan.seed) if len(numbers) > 1 else (),
    )


def _subject(
    ground: _Ground, run: SubjectRun, terms: ReportTerms
) -> tuple[SubjectReport, dict[EvaluationSlice, dict[str, Replicated]]]:
    judged = [judge(item, answer) for item, answer in zip(ground.plan.items, run.answers, strict=True)]
    level2 = outcomes_of(judged, [one.level2 for one in judged], ground.family, ground.families)
    accepted, _ = accepted_elsewhere(level2, ground.group, terms.precision)
    price = terms.prices.get(run.name, TokenPrice())
    figures: dict[EvaluationSlice, dict[str, Replicated]] = {}
    slices: dict[EvaluationSlice, SliceFigures] = {}
    for name, places in ground.slices.items():
        statistics = statistics_of(
            [judged[place] for place in places],
            [accepted[place] for place in places],
            [ground.family[place] for place in places],
            ground.families,
            terms.precision,
            price,
            terms.taxonomy,
        )
        if name is EvaluationSlice.ALL:
            statistics |= _latencies(ground, run)
        figures[name] = {
            metric: replicated(statistic, ground.families, ground.draws) for metric, statistic in statistics.items()
        }
        present = len({ground.family[place] for place in places})
        slices[name] = SliceFigures(
            labels=len(places),
            families=present,
            metrics={
                metric: _measured(figure, present, terms.level)
                for metric, figure in figures[name].items()
                if not math.isnan(figure.value)
            },
        )
    report = SubjectReport(
        name=run.name,
        version=terms.versions.get(run.name, "")[:_VERSION_LIMIT] or None,
        price=price,
        slices=slices,
        fit_seconds=round(run.fit_s, _DIGITS),
        reliability=breakdown.reliability_rows(level2),
        risk_coverage=breakdown.risk_coverage_rows(level2),
        stages=breakdown.stage_rows(judged),
        vendors=breakdown.vendor_rows(judged, accepted),
        confusions=breakdown.confusion_rows(judged, terms.taxonomy),
        answers=breakdown.answer_columns(judged, terms.taxonomy),
    )
    return report, figures


def _latencies(ground: _Ground, run: SubjectRun) -> dict[str, Statistic]:
    milliseconds = [seconds * 1000 for _, seconds in run.singles]
    family = [ground.family[place] for place, _ in run.singles]
    asked = sum(batch.labels for batch in run.batches)
    each = sum(batch.seconds for batch in run.batches) * 1000 / asked if asked else math.nan
    return {
        "latency_p50_ms": quantile(milliseconds, family, 0.5),
        "latency_p99_ms": quantile(milliseconds, family, 0.99),
        "batch_label_ms": lambda weights: each,
    }


def _differences(
    ground: _Ground, figures: Mapping[str, Mapping[EvaluationSlice, Mapping[str, Replicated]]], terms: ReportTerms
) -> list[Difference]:
    metrics = (*HEADLINES, at("coverage_at", terms.precision), at("oracle_coverage_at", terms.precision))
    return [
        Difference(
            one=one,
            other=other,
            slice=name,
            metric=metric,
            difference=_measured(
                difference(figures[one][name][metric], figures[other][name][metric]),
                len({ground.family[place] for place in ground.slices[name]}),
                terms.level,
            ),
        )
        for one, other in combinations(figures, 2)
        for name in ground.slices
        for metric in metrics
    ]


def _measured(figure: Replicated, families: int, level: float) -> Measured:
    found = interval(figure, families, level)
    return Measured(value=_rounded(found.value), low=_rounded(found.low), high=_rounded(found.high))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _item(item: EvaluationItem, hard: bool) -> EvaluatedItem:
    return EvaluatedItem(
        vendor=item.key.vendor,
        vendor_version=item.key.vendor_version,
        label=item.key.label,
        gold=item.gold,
        also=item.also,
        family=item.family,
        hard=hard,
    )
