"""Every label is asked once by a method that does not know its family; a run that is broken off goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llama_mapper.domain.kernel.errors import MappingError, ValidationError
from llama_mapper.domain.mapping.evaluation.folds import Fold, leave_one_family_out
from llama_mapper.domain.mapping.evaluation.items import evaluation_items
from llama_mapper.domain.mapping.evaluation.journal import MemoryJournal
from llama_mapper.domain.mapping.evaluation.ports import FoldResult, SubjectAnswer
from llama_mapper.domain.mapping.evaluation.runner import EvaluationPlan, run_folds
from llama_mapper.domain.mapping.labels import LabelKey
from tests.unit.mapping.evaluation.labels import EMAIL, KNOWN, Scripted, answering, oracle

FAMILIES = {"alpha": "ab", "beta": "ab"}


def plan(singles: int = 0, batch: int = 64) -> EvaluationPlan:
    items = evaluation_items(KNOWN, FAMILIES)
    return EvaluationPlan(items, KNOWN, FAMILIES, leave_one_family_out(items), seed=7, batch=batch, singles=singles)


async def test_a_method_never_knows_the_family_that_it_is_asked_about() -> None:
    subject = oracle()
    await run_folds(plan(), [subject], MemoryJournal())
    assert [{one.key.vendor for one in fit} for fit in subject.fits] == [{"gamma"}, {"alpha", "beta"}]


async def test_answers_stand_in_the_order_of_the_items_whatever_the_folds() -> None:
    made = plan()
    (run,) = await run_folds(made, [oracle()], MemoryJournal())
    assert [answer.canonical for answer in run.answers] == [item.gold for item in made.items]


async def test_times_are_those_of_the_clock_and_single_calls_are_not_answers() -> None:
    ticks = iter(range(1000))
    made = plan(singles=2, batch=2)
    subject = oracle()
    (run,) = await run_folds(made, [subject], MemoryJournal(), clock=lambda: float(next(ticks)))
    assert run.fit_s == 2.0
    assert sum(batch.labels for batch in run.batches) == len(made.items) == len(run.answers)
    assert [batch.seconds for batch in run.batches] == [1.0] * len(run.batches)
    assert max(batch.labels for batch in run.batches) == 2
    assert len(run.singles) == 4
    assert len({place for place, _ in run.singles}) == 4
    assert len(subject.asked) == len(made.items) + 4


async def test_a_file_of_own_labels_leaves_nothing_out() -> None:
    items = evaluation_items(KNOWN, {})
    fold = Fold("labels", frozenset({"alpha", "beta", "gamma"}), held_out=False)
    subject = oracle()
    await run_folds(EvaluationPlan(items, KNOWN, {}, (fold,)), [subject], MemoryJournal())
    assert subject.fits == [KNOWN]


class Breaking(Scripted):
    """Breaks at the second fold."""

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
        if len(self.fits) == 2:
            raise MappingError("broken")
        return await super().answer(labels)


async def test_a_run_that_broke_goes_on_with_the_folds_that_are_missing() -> None:
    journal = MemoryJournal()
    with pytest.raises(MappingError, match="broken"):
        await run_folds(plan(), [Breaking("oracle", lambda _, key: answering(EMAIL))], journal)
    assert [result.fold for result in journal.finished()] == ["ab"]
    again = oracle()
    told: list[tuple[int, int]] = []
    (run,) = await run_folds(plan(), [again], journal, lambda done, total, doing: told.append((done, total)))
    assert len(again.fits) == 1
    assert len(run.answers) == len(plan().items)
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert len(journal.finished()) == 2


async def test_a_method_that_leaves_labels_unanswered_is_refused() -> None:
    class Short(Scripted):
        async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
            return (await super().answer(labels))[1:]

    with pytest.raises(MappingError, match="answers for"):
        await run_folds(plan(), [Short("short", lambda _, key: answering(None))], MemoryJournal())


def test_a_fold_is_kept_once() -> None:
    journal = MemoryJournal()
    journal.keep(FoldResult("s", "f", (), 0.0))
    with pytest.raises(ValidationError, match="finished already"):
        journal.keep(FoldResult("s", "f", (), 0.0))


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValidationError, match="between 0 and 1"):
        answering(EMAIL, confidence)
