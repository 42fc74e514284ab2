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
from llama_mapper.domain.mapping.generation.ports import (
    Generated,
    Generation,
    GenerationFault,
    Prompt,
    SeveralModels,
)
from llama_mapper.domain.mapping.labels import LabelKey

HINTS = "hints"
"""Candidates that earlier stages ranked first."""

ALL = "all"
"""Every category is a candidate."""

_LIKELY_TOKENS = 20
_TRIES = 2
_VERSION_HOLDS_S = 60.0


def _random_boundary() -> str:
    return secrets.token_hex(8)


def told_to_nobody(_: str) -> None:
    """Where nobody counts."""


@dataclass(slots=True)
class _Question:
    """One label, and what asking about it came to so far."""

    key: LabelKey
    candidates: tuple[str, ...]
    choices: Mapping[str, str]
    among: str
    """Who chose the candidates."""
    ranking: Ranking = field(default_factory=Ranking)
    open: bool = True


class LabelModelStage:
    """Keeps `HintedStage` with a model that may choose among canonical labels, or none.

    A label's candidates are the first `candidates` of its hint; without hints, of what `shortlist` ranks; where neither
    has any, all `categories`. Whatever `definitions` does not define is never a candidate. One call asks about all
    distinct labels. An answer off the choices is counted in `wrong_answers`, told to `on_wrong_answer` with the model's
    name, and asked once more, while there is time.

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
        on_wrong_answer: Callable[[str], None] = told_to_nobody,
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
        self._on_wrong_answer = on_wrong_answer
        self._versions: Mapping[str, str] = {}
        self._ask_version_at = -math.inf
        self.wrong_answers = 0

    @property
    def stage(self) -> MappingStage:
        """`model`."""
        return MappingStage.MODEL

    @property
    def version(self) -> str:
        """Release, models and versions as last told, adapter, the question's wording, how candidates are chosen."""
        release = f"{self._release}:" if self._release else ""
        listed = "" if self._shortlist is None else f"/{self._shortlist.version}"
        told = ",".join(self._versions.values()) or "unasked"
        return f"{release}{self._generation.name}@{told}{self._question_version}{listed}"

    @property
    def _question_version(self) -> str:
        adapter = f"+{self._adapter}" if self._adapter else ""
        return f"{adapter}/{self._form}{self._candidates}-{template_version(self._form)}"

    def identity_of(self, model: str, among: str) -> str:
        """What a ranking by this model must be calibrated for: its release, name and version, adapter, the question's
        wording, and who chose the candidates: `HINTS`, `ALL` or the shortlist's version."""
        is_released = self._release is not None and model == next(iter(self._versions), None)
        release = f"{self._release}:" if is_released else ""
        return f"{release}{model}@{self._versions.get(model, 'unasked')}{self._question_version}/{among}"

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
        chosen_by = HINTS if hints or self._shortlist is None else self._shortlist.version
        questions = [self._question(key, hinted.get(key), chosen_by) for key in distinct]
        for attempt in range(_TRIES):
            open_ones = [question for question in questions if question.open]
            left = until - monotonic()
            if not open_ones or (attempt and left <= 0):
                break
            await self._ask(open_ones, attempt, left)
        if any(question.ranking.answered_by for question in questions):
            await self.learn_version(until - monotonic())
        ranked = {question.key: self._identified(question) for question in questions}
        return [ranked[key] for key in labels]

    async def learn_version(self, within_s: float) -> None:
        """Ask the model for its version, unless it told within the last minute; too slow, and it stays as it was."""
        now = monotonic()
        if now < self._ask_version_at:
            return
        generation = self._generation
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within_s)):
                if isinstance(generation, SeveralModels):
                    self._versions = await generation.model_versions()
                else:
                    self._versions = {generation.name: await generation.model_version()}
                self._ask_version_at = now + _VERSION_HOLDS_S

    def question_of(self, key: LabelKey, hint: Ranking | None) -> str:
        """Everything that the answer about a label depends on, but chance: the same text, the same question."""
        question = self._question(key, hint)
        prompt = label_prompt(key, question.candidates, self._definitions, "", form=self._form)
        return "\x00".join((self.version, question.among, prompt.system, prompt.user))

    def _identified(self, question: _Question) -> Ranking:
        ranking = question.ranking
        if not ranking.answered_by:
            return ranking
        return replace(ranking, identity=self.identity_of(ranking.answered_by, question.among))

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
            if wrong:
                self._count_wrong(next(iter(self._versions), self._generation.name))
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
            self._count_wrong(after.answered_by)
            question.ranking = replace(after, fault=self._fault(GenerationFault.INVALID_ANSWER))
            return
        question.open = False
        question.ranking = replace(after, candidates=() if chosen == NONE else _candidates(chosen, answer, question))

    def _count_wrong(self, model: str) -> None:
        self.wrong_answers += 1
        self._on_wrong_answer(model)

    def _question(self, key: LabelKey, hint: Ranking | None, chosen_by: str = HINTS) -> _Question:
        listed = () if hint is None else [each.canonical for each in hint.candidates]
        known = [canonical for canonical in dict.fromkeys(listed) if canonical in self._definitions]
        candidates = tuple(known[: self._candidates]) or self._categories
        return _Question(key, candidates, choices_of(candidates, self._form), chosen_by if known else ALL)

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
