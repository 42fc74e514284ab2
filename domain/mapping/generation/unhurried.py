"""A model put to the test: asked without haste, and once for each question."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.ports import Ranking
from llama_mapper.domain.mapping.generation.answers import AnswerJournal
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage
from llama_mapper.domain.mapping.generation.ports import GenerationFault
from llama_mapper.domain.mapping.labels import LabelKey

_OF_THE_LABEL = (GenerationFault.INVALID_ANSWER, GenerationFault.REFUSED)
"""Faults that one label has and the next has not; after any other the test would be of the server, not of the model."""

_LEARNING_S = 30.0

Asked = Callable[[int, int, str], None]
"""Told how many labels are answered, of how many, and by which model."""


class UnhurriedModelStage:
    """Keeps `AskedToLearn` over a model's stage. Nothing is taken for an answer because the model was away or slow:
    raises `ModelServingError` then, and what was answered before is in the journal.

    `hinted` says whether the candidates are those of earlier stages, as in the strategy `cascade`, or all categories,
    as in `model-first`. `label_s` seconds are given for each label, `at_once` labels go into one call.
    """

    takes_hints: Literal[True] = True

    def __init__(
        self,
        stage: LabelModelStage,
        journal: AnswerJournal,
        *,
        hinted: bool = True,
        at_once: int = 8,
        label_s: float = 60.0,
        progress: Asked = lambda done, total, doing: None,
    ) -> None:
        self._stage = stage
        self._journal = journal
        self._hinted = hinted
        self._at_once = at_once
        self._label_s = label_s
        self._progress = progress

    @property
    def stage(self) -> MappingStage:
        """`model`."""
        return self._stage.stage

    @property
    def version(self) -> str:
        """The model's."""
        return self._stage.version

    async def rank(
        self, labels: Sequence[LabelKey], *, within_s: float, hints: Sequence[Ranking] = ()
    ) -> Sequence[Ranking]:
        """One ranking a label, asked now; it takes as long as it takes."""
        asked = hints if self._hinted else ()
        rankings = await self._stage.rank(labels, within_s=max(within_s, self._label_s * len(labels)), hints=asked)
        self._refuse_faults(rankings)
        return rankings

    async def rank_to_learn(self, labels: Sequence[LabelKey], hints: Sequence[Ranking]) -> Sequence[Ranking]:
        """One ranking a label; what the journal has is not asked again."""
        await self._stage.learn_version(_LEARNING_S)
        by_label = dict(zip(labels, hints, strict=True)) if hints and self._hinted else {}
        questions = [
            hashlib.sha256(self._stage.question_of(key, by_label.get(key)).encode()).hexdigest() for key in labels
        ]
        found = [self._journal.known(question) for question in questions]
        missing = [number for number, ranking in enumerate(found) if ranking is None]
        for start in range(0, len(missing), self._at_once):
            self._progress(len(labels) - len(missing) + start, len(labels), self.version)
            chunk = missing[start : start + self._at_once]
            asked = [labels[number] for number in chunk]
            given = [by_label[key] for key in asked] if by_label else []
            for number, ranking in zip(chunk, await self.rank(asked, within_s=0.0, hints=given), strict=True):
                self._journal.keep(questions[number], ranking)
                found[number] = ranking
        self._progress(len(labels), len(labels), self.version)
        return [ranking for ranking in found if ranking is not None]

    def _refuse_faults(self, rankings: Sequence[Ranking]) -> None:
        for fault in {ranking.fault for ranking in rankings if ranking.fault is not None}:
            kind = next((each for each in GenerationFault if fault.endswith(each)), GenerationFault.UNAVAILABLE)
            if kind not in _OF_THE_LABEL:
                raise serving_error(self._stage.version.partition("@")[0], kind)
