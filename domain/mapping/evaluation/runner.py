"""The run: each method fitted and asked fold by fold; what is finished is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.evaluation.folds import Fold
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem
from llama_mapper.domain.mapping.evaluation.ports import (
    BatchTime,
    FoldJournal,
    FoldResult,
    Progress,
    Subject,
    SubjectAnswer,
)
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is asked of whom. `families` is vendor → family; `known` is everything that is not left out.

    `batch` labels are asked in one call. `singles` of each fold are asked once more, one a call, for their time alone.
    """

    items: tuple[EvaluationItem, ...]
    known: tuple[KnownLabel, ...]
    families: Mapping[str, str]
    folds: tuple[Fold, ...]
    seed: int = 0
    batch: int = 64
    singles: int = 8


@dataclass(frozen=True, slots=True)
class SubjectRun:
    """One method's answers, in the order of the plan's items, with what it took."""

    name: str
    answers: tuple[SubjectAnswer, ...]
    fit_s: float
    """Seconds of all fits."""
    batches: tuple[BatchTime, ...]
    singles: tuple[tuple[int, float], ...]
    """Item and seconds of each call with one label."""


async def run_folds(
    plan: EvaluationPlan,
    subjects: Sequence[Subject],
    journal: FoldJournal,
    progress: Progress = lambda done, total, doing: None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[SubjectRun, ...]:
    """Ask every method in every fold that the journal does not have yet; the answers of all folds.

    An item belongs to exactly one fold. `clock` gives seconds. What a method raises ends the run; finished folds are
    kept.
    """
    results = {(result.subject, result.fold): result for result in journal.finished()}
    total = len(subjects) * len(plan.folds)
    done = 0
    for subject in subjects:
        for fold in plan.folds:
            progress(done, total, f"{subject.name} without {fold.name}" if fold.held_out else subject.name)
            if (subject.name, fold.name) not in results:
                result = await _run_fold(plan, subject, fold, clock)
                journal.keep(result)
                results[subject.name, fold.name] = result
            done += 1
    progress(done, total, "done")
    return tuple(_joined(plan, subject.name, results) for subject in subjects)


async def _run_fold(plan: EvaluationPlan, subject: Subject, fold: Fold, clock: Callable[[], float]) -> FoldResult:
    started = clock()
    await subject.fit(fold.known(plan.known, plan.families), plan.seed)
    fit_s = clock() - started
    keys = [item.key for item in fold.items(plan.items)]
    answers: list[SubjectAnswer] = []
    batches = []
    for start in range(0, len(keys), plan.batch):
        asked = keys[start : start + plan.batch]
        started = clock()
        answered = await _answers(subject, asked)
        batches.append(BatchTime(len(asked), clock() - started))
        answers += answered
    singles = []
    for place in _spread(len(keys), plan.singles):
        started = clock()
        await _answers(subject, [keys[place]])
        singles.append((place, clock() - started))
    return FoldResult(subject.name, fold.name, tuple(answers), fit_s, tuple(batches), tuple(singles))


async def _answers(subject: Subject, keys: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
    answers = await subject.answer(keys)
    if len(answers) != len(keys):
        raise MappingError(
            f"'{subject.name}' gave {len(answers)} answers for {len(keys)} labels", ErrorCode.INTERNAL_ERROR
        )
    return answers


def _joined(plan: EvaluationPlan, name: str, results: Mapping[tuple[str, str], FoldResult]) -> SubjectRun:
    position = {item: number for number, item in enumerate(plan.items)}
    answers: list[SubjectAnswer | None] = [None] * len(plan.items)
    batches: list[BatchTime] = []
    singles: list[tuple[int, float]] = []
    fit_s = 0.0
    for fold in plan.folds:
        result = results[name, fold.name]
        places = [position[item] for item in fold.items(plan.items)]
        for place, answer in zip(places, result.answers, strict=True):
            answers[place] = answer
        batches += result.batches
        singles += [(places[place], seconds) for place, seconds in result.singles]
        fit_s += result.fit_s
    whole = tuple(answer for answer in answers if answer is not None)
    if len(whole) != len(answers):
        raise MappingError("the folds do not cover every item", ErrorCode.INTERNAL_ERROR)
    return SubjectRun(name, whole, fit_s, tuple(batches), tuple(singles))


def _spread(size: int, wanted: int) -> range:
    """At most `wanted` places, spread evenly over `size`."""
    return range(0, size, -(-size // wanted)) if size and wanted else range(0)
