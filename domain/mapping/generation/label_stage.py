"""The cascade's last stage: a language model, bound to a short list of canonical labels."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Literal

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.ports import Candidate, CandidateStage, Ranking
from llama_mapper.domain.mapping.generation.label_prompt import (
    MOST_CANDIDATES,
    NONE,
    AnswerForm,
    choices_of,
    label_prompt,
    read_answer,
    template_version,
)
from llama_mapper.domain.mapping.generation.option_scores import option_shares
from llama_mapper.domain.mapping.generation.ports import Generated, Generation, GenerationFault, Prompt
from llama_mapper.domain.mapping.labels import LabelKey

_LIKELY_TOKENS = 20
_TRIES = 2
_VERSION_HOLDS_S = 60.0


def _random_boundary() -> str:
    return secrets.token_hex(8)


@dataclass(slots=True)
class _Question:
    """One label, and what asking about it came to so far."""

    key: LabelKey
    candidates: tuple[str, ...]
    choices: Mapping[str, str]
    ranking: Ranking = field(default_factory=Ranking)
    open: bool = True


class LabelModelStage:
    """Keeps `HintedStage` with a model that may choose among canonical labels, or none.

    A label's candidates are the first `candidates` of its hint; without hints, of what `shortlist` ranks; where neither
    has any, all `categories`. Whatever `definitions` does not define is never a candidate. One call asks about all
    distinct labels. An answer off the choices is counted in `wrong_answers` and asked once more, while there is time.

    `release` is the version that releases know the model by: two may have the same name on different servers.

    Scores: the answer's share of the probability of all options where the server tells it, else the probability of the
    whole text, else 1. The answered label comes first; where the model says that none fits, the ranking is empty.
    """

    takes_hints: Literal[True] = True

    def __init__(
        self,
        generation: Generation,
        definitions: Mapping[str, str],
        categories: Sequence[str],
        *,
        shortlist: CandidateStage | None = None,
        candidates: int = 8,
        form: AnswerForm = AnswerForm.OPTION,
        adapter: str | None = None,
        release: str | None = None,
        boundary: Callable[[], str] = _random_boundary,
    ) -> None:
        if not 1 <= candidates <= MOST_CANDIDATES or not 1 <= len(categories) <= MOST_CANDIDATES:
            raise ValueError(f"a question has 1 to {MOST_CANDIDATES} candidates")
        self._generation = generation
        self._definitions = definitions
        self._categories = tuple(categories)
        self._shortlist = shortlist
        self._candidates = candidates
        self._form = form
        self._adapter = adapter
        self._release = release
        self._boundary = boundary
        self._model_version = "unasked"
        self._ask_version_at = -math.inf
        self.wrong_answers = 0

    @property
    def stage(self) -> MappingStage:
        """`model`."""
        return MappingStage.MODEL

    @property
    def version(self) -> str:
        """Release, model and its version as last told, adapter, the question's wording, how candidates are chosen."""
        release = f"{self._release}:" if self._release else ""
        adapter = f"+{self._adapter}" if self._adapter else ""
        listed = "" if self._shortlist is None else f"/{self._shortlist.version}"
        asked = f"{self._form}{self._candidates}-{template_version(self._form)}"
        return f"{release}{self._generation.name}@{self._model_version}{adapter}/{asked}{listed}"

    async def rank(
        self, labels: Sequence[LabelKey], *, within_s: float, hints: Sequence[Ranking] = ()
    ) -> Sequence[Ranking]:
        """One ranking a label, in order; a fault names the kind of model and what was wrong with it."""
        until = monotonic() + within_s
        distinct = list(dict.fromkeys(labels))
        if hints:
            hinted = dict(zip(labels, hints, strict=True))
        elif self._shortlist is not None:
            hinted = dict(zip(distinct, await self._shortlist.rank(distinct, within_s=within_s), strict=True))
        else:
            hinted = {}
        questions = [self._question(key, hinted.get(key)) for key in distinct]
        for attempt in range(_TRIES):
            open_ones = [question for question in questions if question.open]
            left = until - monotonic()
            if not open_ones or (attempt and left <= 0):
                break
            await self._ask(open_ones, attempt, left)
        if any(question.ranking.answered_by for question in questions):
            await self._learn_version(until)
        ranked = {question.key: question.ranking for question in questions}
        return [ranked[key] for key in labels]

    async def _learn_version(self, until: float) -> None:
        now = monotonic()
        if now < self._ask_version_at:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - now)):
                self._model_version = await self._generation.model_version()
                self._ask_version_at = now + _VERSION_HOLDS_S

    async def _ask(self, questions: Sequence[_Question], attempt: int, within_s: float) -> None:
        boundary = self._boundary()
        prompts = [self._prompt(question, boundary, attempt) for question in questions]
        answers = await self._generation.generate(prompts, within_s=within_s)
        for question, answer in zip(questions, answers, strict=True):
            self._take(question, answer)

    def _prompt(self, question: _Question, boundary: str, attempt: int) -> Prompt:
        asked = label_prompt(question.key, question.candidates, self._definitions, boundary, form=self._form)
        return replace(asked, adapter=self._adapter, seed=attempt, likely_tokens=_LIKELY_TOKENS)

    def _take(self, question: _Question, answer: Generated | GenerationFault) -> None:
        before = question.ranking
        if isinstance(answer, GenerationFault):
            wrong = answer is GenerationFault.INVALID_ANSWER
            self.wrong_answers += wrong
            question.open = wrong
            question.ranking = replace(before, fault=self._fault(answer))
            return
        after = Ranking(
            prompt_tokens=before.prompt_tokens + answer.prompt_tokens,
            completion_tokens=before.completion_tokens + answer.completion_tokens,
            answered_by=answer.answered_by or self._generation.name,
            microdollars=before.microdollars + answer.microdollars,
        )
        try:
            chosen = read_answer(answer.text, question.choices)
        except ValueError:
            self.wrong_answers += 1
            question.ranking = replace(after, fault=self._fault(GenerationFault.INVALID_ANSWER))
            return
        question.open = False
        question.ranking = replace(after, candidates=() if chosen == NONE else _candidates(chosen, answer, question))

    def _question(self, key: LabelKey, hint: Ranking | None) -> _Question:
        listed = () if hint is None else [each.canonical for each in hint.candidates]
        known = [canonical for canonical in dict.fromkeys(listed) if canonical in self._definitions]
        candidates = tuple(known[: self._candidates]) or self._categories
        return _Question(key, candidates, choices_of(candidates, self._form))

    def _fault(self, fault: GenerationFault) -> str:
        return f"{self._generation.name.partition('/')[0]}_{fault}"


def _candidates(chosen: str, answer: Generated, question: _Question) -> tuple[Candidate, ...]:
    shares = option_shares(answer.places, question.choices)
    if chosen not in shares:
        whole = answer.log_probability
        return (Candidate(chosen, 1.0 if whole is None else math.exp(min(0.0, whole))),)
    top = shares.pop(chosen)
    # One that is spelled with several tokens may sum to more than the answer; the answer stays the answer.
    others = sorted(shares.items(), key=lambda each: (-each[1], each[0]))
    return (Candidate(chosen, top), *(Candidate(canonical, min(share, top)) for canonical, share in others))
