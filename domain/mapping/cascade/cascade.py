"""Asking the stages in turn, and remembering what they said."""

from __future__ import annotations

import asyncio
import math
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.tracing import step
from llama_mapper.domain.mapping.cascade.calibration import Calibration
from llama_mapper.domain.mapping.cascade.decision import Decision, Judgement, decide, sureness
from llama_mapper.domain.mapping.cascade.deferred import DeferredStage
from llama_mapper.domain.mapping.cascade.hints import hint_of
from llama_mapper.domain.mapping.cascade.judging import KnownOf, judged_together, not_calibrated, nothing_known
from llama_mapper.domain.mapping.cascade.metrics import MappingMetrics, NoMappingMetrics
from llama_mapper.domain.mapping.cascade.ports import Candidate, CandidateStage, HintedStage, Ranking, SharedStage
from llama_mapper.domain.mapping.cascade.traced import tell_stage
from llama_mapper.domain.mapping.costs.spending import NANO, Amount, nanodollars
from llama_mapper.domain.mapping.labels import LabelKey

DEFAULT_THRESHOLD = 0.6
BUDGET_USED_UP = "budget_used_up"
"""The fault of a stage that is passed over since the tenant's budget permits no model."""
NOT_CALIBRATED = "not_calibrated"
"""Said of a stage whose ranking counted for little, since the calibration does not have it."""

_GRACE_S = 0.25
_FAULT = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class StageSlot:
    """A stage, whether it is asked late (only for what the others leave unsure, since it costs more), and whether it
    leaves the process."""

    stage: CandidateStage
    late: bool = False
    remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeTerms:
    """How the stages are asked where a request says nothing else.

    A call may take `timeout_s` seconds for each turn of stages, and `label_timeout_s` more for each label.
    """

    strategy: MappingStrategy = MappingStrategy.CASCADE
    threshold: float = DEFAULT_THRESHOLD
    timeout_s: float = 1.0
    label_timeout_s: float = 0.02
    remembered: int = 20_000


@dataclass(frozen=True, slots=True)
class CascadeAnswer:
    """What the stages make of a label; `faults` name the stages that could not try, as `stage: reason`, and with
    `not_calibrated` those that nobody has measured."""

    decision: Decision
    faults: tuple[str, ...] = ()
    sureness: float = 0.0
    """The highest threshold at which the label would have been answered, if only by its category."""
    passed_on: float | None = None
    """The same of the stages before the last turn, where the label was left to that."""


@dataclass(frozen=True, slots=True)
class StageUse:
    """A version of a stage that took part in a call: labels that it ranked anew, seconds, tokens that a model counted.

    `remembered` are labels whose ranking was known from an earlier call.
    """

    stage: MappingStage
    version: str
    labels: int
    seconds: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    remembered: int = 0
    spent: tuple[tuple[str, Amount], ...] = ()
    """What each model that answered used and cost."""


@dataclass(frozen=True, slots=True)
class CascadeAnswers:
    """One answer a label, in order, and which stages took part."""

    answers: tuple[CascadeAnswer, ...]
    used: tuple[StageUse, ...]


_Memory = tuple[MappingStage, str, str, LabelKey]
"""Stage, its epoch, the version that answers, and label."""


class Cascade:
    """Answers for labels that the catalogue does not know.

    Rankings are remembered by stage, the version that answered, and label, so that a label costs its model once;
    answers are made of them anew, since they depend on the threshold and on the company of the call. Nothing is raised
    for a stage's fault. What a stage ranks off the taxonomy is dropped.
    """

    def __init__(
        self,
        slots: Sequence[StageSlot],
        calibration: Calibration,
        admissible: Collection[str],
        known_of: KnownOf = nothing_known,
        metrics: MappingMetrics | None = None,
        terms: CascadeTerms | None = None,
    ) -> None:
        self._slots = tuple(slots)
        self._calibration = calibration
        self._admissible = frozenset(admissible)
        self._known_of = known_of
        self._metrics = metrics or NoMappingMetrics()
        self.terms = terms or CascadeTerms()
        self._remembered: OrderedDict[_Memory, Ranking] = OrderedDict()

    @property
    def stages(self) -> tuple[tuple[MappingStage, str], ...]:
        """Each stage and its version, in the order asked."""
        return tuple((slot.stage.stage, slot.stage.version) for slot in self._slots)

    async def answer(
        self,
        labels: Sequence[LabelKey],
        *,
        strategy: MappingStrategy | None = None,
        min_confidence: float | None = None,
        thresholds: Mapping[MappingStage, float] | None = None,
        ask_models: bool = True,
        offline: bool = False,
    ) -> CascadeAnswers:
        """One answer a label, in order; the same label of a call gets the same answer.

        `thresholds` stand over `min_confidence` for their stages; `offline` leaves out stages that leave the process.

        Without `ask_models` stages that ask language models are passed over, and answers that would have needed them
        say `budget_used_up`.
        """
        usual = self.terms.threshold if min_confidence is None else min_confidence
        least = thresholds or {}
        keys = list(dict.fromkeys(labels))
        rows: list[dict[MappingStage, Ranking]] = [{} for _ in keys]
        judgements: list[Judgement] = []
        used: list[StageUse] = []
        unsure = list(range(len(keys)))
        passed_on: dict[int, float] = {}
        for turn in self._turns(strategy or self.terms.strategy, offline=offline):
            if not unsure:
                break
            if judgements:
                passed_on |= {number: sureness(judgements[number]) for number in unsure}
            asked = [keys[number] for number in unsure]
            hints = [hint_of(rows[number].values()) for number in unsure]
            columns = await asyncio.gather(
                *[
                    _passed_over(asked)
                    if slot.stage.stage is MappingStage.MODEL and not ask_models
                    else self._ask(slot.stage, asked, hints)
                    for slot in turn
                ]
            )
            for slot, (rankings, uses) in zip(turn, columns, strict=True):
                used += uses
                for number, ranking in zip(unsure, rankings, strict=True):
                    rows[number][slot.stage.stage] = ranking
            judgements = await judged_together(keys, rows, self._calibration, self._known_of)
            unsure = [
                number
                for number in unsure
                if decide(judgements[number], least.get(judgements[number].stage, usual)).canonical is None
            ]
        answers = {
            key: CascadeAnswer(
                decide(judgements[number], least.get(judgements[number].stage, usual)),
                (
                    *[f"{stage.value}: {one.fault}" for stage, one in rows[number].items() if one.fault is not None],
                    *[f"{stage.value}: {NOT_CALIBRATED}" for stage in not_calibrated(rows[number], self._calibration)],
                ),
                sureness(judgements[number]),
                passed_on.get(number),
            )
            for number, key in enumerate(keys)
            if judgements
        }
        nothing = CascadeAnswer(Decision(None, 0.0, MappingStage.ABSTAINED))
        return CascadeAnswers(tuple(answers.get(key, nothing) for key in labels), tuple(used))

    def _turns(self, strategy: MappingStrategy, *, offline: bool = False) -> list[list[StageSlot]]:
        if strategy is MappingStrategy.CATALOGUE_ONLY:
            return []
        slots = [slot for slot in self._slots if not (offline and slot.remote)]
        early = [slot for slot in slots if not slot.late]
        turns = [early, *[[slot] for slot in slots if slot.late]]
        if strategy is MappingStrategy.MODEL_FIRST:
            turns = [*turns[1:], early]
        return [turn for turn in turns if turn]

    async def _ask(
        self, stage: CandidateStage, keys: Sequence[LabelKey], hints: Sequence[Ranking]
    ) -> tuple[list[Ranking], list[StageUse]]:
        name = stage.stage
        if isinstance(stage, DeferredStage) and not await _is_built(stage):
            return [Ranking(fault="not_built")] * len(keys), []
        shared = stage if isinstance(stage, SharedStage) else None
        epoch = "" if shared is None else shared.epoch
        versions = [stage.version] * len(keys) if shared is None else shared.versions(keys)
        known = [self._remembered.get((name, epoch, at, key)) for at, key in zip(versions, keys, strict=True)]
        missing = [number for number, ranking in enumerate(known) if ranking is None]
        if shared is not None and len(missing) < len(keys):
            recalled = [(key, ranking) for key, ranking in zip(keys, known, strict=True) if ranking is not None]
            shared.recall([key for key, _ in recalled], [ranking for _, ranking in recalled])
        rankings = [Ranking() if ranking is None else ranking for ranking in known]
        seconds = 0.0
        if missing:
            started = perf_counter()
            with step("mapping stage", name.value) as at:
                asked = [keys[number] for number in missing]
                fresh = await self._fresh(stage, asked, [hints[number] for number in missing])
                if at:
                    tell_stage(at, stage, fresh, len(keys) - len(missing))
            seconds = perf_counter() - started
            for number, ranking in zip(missing, fresh, strict=True):
                rankings[number] = ranking
                if ranking.fault is None and ranking.lasting:
                    self._remembered[name, epoch, versions[number], keys[number]] = ranking
            while len(self._remembered) > self.terms.remembered:
                self._remembered.popitem(last=False)
            self._tell(name, fresh, seconds)
        return rankings, _uses(name, versions, rankings, frozenset(missing), seconds)

    def _tell(self, name: MappingStage, fresh: Sequence[Ranking], seconds: float) -> None:
        prompt_tokens = sum(ranking.prompt_tokens for ranking in fresh)
        completion_tokens = sum(ranking.completion_tokens for ranking in fresh)
        self._metrics.on_stage_asked(name.value, len(fresh), seconds, prompt_tokens, completion_tokens)
        if cost := sum(amount.nanodollars for _, amount in _spent(fresh)):
            self._metrics.on_stage_cost(name.value, cost / NANO)
        for fault in {ranking.fault for ranking in fresh if ranking.fault is not None}:
            self._metrics.on_stage_fault(name.value, fault, sum(ranking.fault == fault for ranking in fresh))

    async def _fresh(self, stage: CandidateStage, keys: Sequence[LabelKey], hints: Sequence[Ranking]) -> list[Ranking]:
        within_s = self.terms.timeout_s + self.terms.label_timeout_s * len(keys)
        try:
            async with asyncio.timeout(within_s + _GRACE_S):
                if isinstance(stage, HintedStage):
                    rankings = await stage.rank(keys, within_s=within_s, hints=hints)
                else:
                    rankings = await stage.rank(keys, within_s=within_s)
        except TimeoutError:
            return [Ranking(fault="timeout")] * len(keys)
        except ServiceError as error:
            return [Ranking(fault=error.error_code.value.lower())] * len(keys)
        except Exception as error:
            # Stages may come from plugins: one that breaks its promise costs its own answers, not the request. The
            # message is left out, for it may quote the label.
            return [Ranking(fault=_fault_of(f"failed_{type(error).__name__.lower()}"))] * len(keys)
        if len(rankings) != len(keys):
            return [Ranking(fault="wrong_number_of_rankings")] * len(keys)
        return [self._checked(ranking) for ranking in rankings]

    def _checked(self, ranking: Ranking) -> Ranking:
        candidates = [
            Candidate(one.canonical, one.score, one.support if math.isfinite(one.support) else 0.0)
            for one in ranking.candidates
            if one.canonical in self._admissible and math.isfinite(one.score)
        ]
        fault = None if ranking.fault is None else _fault_of(ranking.fault)
        return replace(
            ranking,
            candidates=tuple(sorted(candidates, key=lambda one: -one.score)),
            fault=fault,
            prompt_tokens=max(0, ranking.prompt_tokens),
            completion_tokens=max(0, ranking.completion_tokens),
        )


async def _passed_over(keys: Sequence[LabelKey]) -> tuple[list[Ranking], list[StageUse]]:
    return [Ranking(fault=BUDGET_USED_UP)] * len(keys), []


def _uses(
    name: MappingStage, versions: Sequence[str], rankings: Sequence[Ranking], fresh: Collection[int], seconds: float
) -> list[StageUse]:
    """What each version had to do with a call; all that were asked anew took the same time."""
    uses = []
    for version in dict.fromkeys(versions):
        own = [number for number, at in enumerate(versions) if at == version]
        ranked = [rankings[number] for number in own if number in fresh]
        uses.append(
            StageUse(
                name,
                version,
                len(ranked),
                seconds if ranked else 0.0,
                sum(ranking.prompt_tokens for ranking in ranked),
                sum(ranking.completion_tokens for ranking in ranked),
                len(own) - len(ranked),
                _spent(ranked),
            )
        )
    return uses


def _spent(rankings: Iterable[Ranking]) -> tuple[tuple[str, Amount], ...]:
    by_model: dict[str, Amount] = {}
    for ranking in rankings:
        if ranking.answered_by:
            amount = Amount(
                calls=1,
                labels=1,
                prompt_tokens=ranking.prompt_tokens,
                completion_tokens=ranking.completion_tokens,
                nanodollars=nanodollars(ranking.microdollars),
            )
            by_model[ranking.answered_by] = by_model.get(ranking.answered_by, Amount()) + amount
    return tuple(by_model.items())


async def _is_built(stage: DeferredStage) -> bool:
    """Wait for a stage that is built when it is first asked: its time limit is for asking, not for building."""
    try:
        await stage.ready()
    except ServiceError:
        return False
    return True


def _fault_of(text: str) -> str:
    """A fault's name if it looks like one: whatever else a stage says could be a label's text."""
    return text if _FAULT.fullmatch(text) else "unnamed_fault"
