"""A model is trusted as far as that very model was measured, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest

from llama_mapper.adapters.mapping.neighbour_files import load_lexicon, load_shipped
from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.errors import CatalogueError
from llama_mapper.domain.mapping.cascade.calibration import Calibration, calibration_document, calibration_from
from llama_mapper.domain.mapping.cascade.cascade import Cascade, StageSlot
from llama_mapper.domain.mapping.cascade.families import NO_FAMILIES
from llama_mapper.domain.mapping.cascade.fitting import fit_calibration
from llama_mapper.domain.mapping.cascade.ports import Candidate, CandidateStage, Ranking
from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial, ModelTerms
from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.neighbours.lexical import LexicalStage
from llama_mapper.domain.mapping.neighbours.references import references_of

RAW = load_shipped()
LEXICON = load_lexicon(RAW)
VENDORS = ("openai_moderation", "perspective", "llm_guard", "qwen3guard", "presidio", "aws_comprehend_pii")
EVERY = known_labels(RAW.vocabularies)
KNOWN = [one for vendor in VENDORS for one in [label for label in EVERY if label.key.vendor == vendor][:14]]
ANSWERS = {one.key.label: one.canonical for one in KNOWN}
LEXICAL, MODEL = MappingStage.LEXICAL, MappingStage.MODEL
NEW = LabelKey("nobody", None, "X7")
"""Says nothing to who compares words."""
EMAIL = "pii.personal_identifiers.email"


class KnowingModel:
    """Knows every label; what it does not know, it takes for an e-mail address. `asked` has the labels of each call."""

    stage = MODEL
    takes_hints: Literal[True] = True

    def __init__(self, identity: str = "llama@1/q/hints", right: float = 1.0) -> None:
        self.version = identity
        self.asked: list[list[str]] = []
        self.hints: list[Ranking] = []
        self._right = right

    async def rank(
        self, labels: Sequence[LabelKey], *, within_s: float, hints: Sequence[Ranking] = ()
    ) -> Sequence[Ranking]:
        self.asked.append([key.label for key in labels])
        self.hints += hints
        answers = [ANSWERS.get(key.label, EMAIL) if number % 10 < 10 * self._right else "meta.outcome.safe"
                   for number, key in enumerate(labels)]  # fmt: skip
        return [Ranking((Candidate(one, 0.9),), None, 10, 1, "llama", identity=self.version) for one in answers]

    async def rank_to_learn(self, labels: Sequence[LabelKey], hints: Sequence[Ranking]) -> Sequence[Ranking]:
        return await self.rank(labels, within_s=0.0, hints=hints)


def lexical(known: Sequence[KnownLabel] = KNOWN) -> LexicalStage:
    return LexicalStage(references_of(known, RAW.taxonomy, LEXICON), LEXICON)


async def fitted(*stages: CandidateStage, models_asked: int | None = None) -> Calibration:
    return await fit_calibration(
        stages, KNOWN, NO_FAMILIES, 39, seed=0, version="t", fitted_on={}, models_asked=models_asked
    )


@pytest.fixture(scope="module")
async def calibration() -> Calibration:
    return await fitted(lexical(), KnowingModel())


def cascade(calibration: Calibration, model: KnowingModel) -> Cascade:
    slots = [StageSlot(lexical()), StageSlot(model, late=True)]
    return Cascade(slots, calibration, set(ANSWERS.values()) | {EMAIL})


async def test_a_measured_model_decides_at_the_default_threshold(calibration: Calibration) -> None:
    (answer,) = (await cascade(calibration, KnowingModel()).answer([NEW])).answers
    assert answer.decision.canonical == EMAIL
    assert answer.decision.stage is MODEL
    assert answer.faults == ()


async def test_another_model_is_not_trusted_and_the_answer_says_so(calibration: Calibration) -> None:
    (answer,) = (await cascade(calibration, KnowingModel("llama@2/q/hints")).answer([NEW])).answers
    assert answer.decision.canonical is None
    assert answer.faults == ("model: not_calibrated",)


async def test_the_same_model_asked_otherwise_is_another(calibration: Calibration) -> None:
    asked = cascade(calibration, KnowingModel("llama@1/q/all"))
    (answer,) = (await asked.answer([NEW], strategy=MappingStrategy.MODEL_FIRST)).answers
    assert answer.faults == ("model: not_calibrated",)


async def test_a_model_that_guesses_is_trusted_less(calibration: Calibration) -> None:
    guessing = await fitted(lexical(), KnowingModel(right=0.3))
    (sure,) = (await cascade(calibration, KnowingModel()).answer([NEW])).answers
    (unsure,) = (await cascade(guessing, KnowingModel()).answer([NEW])).answers
    assert (sure.decision.canonical, unsure.decision.canonical) == (EMAIL, None)
    assert unsure.faults == (), "it was measured, and found wanting"


async def test_each_model_has_its_own_measure_beside_the_same_neighbours() -> None:
    both = await fitted(lexical(), KnowingModel(), KnowingModel("phi@1/q/hints", right=0.3))
    found = {name: both.measured({LEXICAL, MODEL}, {MODEL: name}) for name in ("llama@1/q/hints", "phi@1/q/hints")}
    assert all(one is not None and one.identities == {MODEL: name} for name, one in found.items())
    assert found["llama@1/q/hints"] != found["phi@1/q/hints"]
    assert [one.stages for one in both.combinations if not one.identities] == [(LEXICAL,)]


async def test_models_change_nothing_of_what_is_measured_without_them(calibration: Calibration) -> None:
    alone = await fitted(lexical())
    assert alone.combinations[0] == calibration.combinations[0]


async def test_a_model_is_asked_about_no_more_than_allowed_and_among_what_others_rank() -> None:
    model = KnowingModel()
    await fitted(lexical(), model, models_asked=40)
    assert sum(map(len, model.asked)) == len(model.hints) == 40
    assert sum(bool(hint.candidates) for hint in model.hints) > 20


async def test_a_calibration_with_a_model_reads_back_as_written(calibration: Calibration) -> None:
    document = calibration_document(calibration)
    assert calibration_document(calibration_from(document)) == document
    (both,) = [one for one in document["combinations"] if len(one["stages"]) == 2]
    assert both["identities"] == {"model": "llama@1/q/hints"}
    del both["identities"]
    with pytest.raises(CatalogueError, match="identifies the model"):
        calibration_from(document)


def test_a_combination_identifies_none_but_its_own_stages(calibration: Calibration) -> None:
    with pytest.raises(ValueError, match="no stage but its own"):
        replace(calibration.combinations[0], identities={MODEL: "llama"})


async def test_a_model_that_never_answers_is_not_measured() -> None:
    class Silent(KnowingModel):
        async def rank_to_learn(self, labels: Sequence[LabelKey], hints: Sequence[Ranking]) -> Sequence[Ranking]:
            return [Ranking(fault="llama_invalid_answer")] * len(labels)

    assert [one.stages for one in (await fitted(lexical(), Silent())).combinations] == [(LEXICAL,)]


async def test_a_trial_asks_the_model_for_what_the_others_leave_unsure_and_counts_its_tokens() -> None:
    model = KnowingModel()

    async def make(known: Sequence[KnownLabel]) -> Sequence[CandidateStage]:
        return [lexical(known), model]

    trial = CascadeTrial("cascade-model", make, NO_FAMILIES, 39, models=ModelTerms(labels=50, below=0.6))
    await trial.fit([one for one in KNOWN if one.key.vendor != "presidio"], 0)
    del model.asked[:]
    sure, unsure = await trial.answer([LabelKey("presidio", None, "EMAIL_ADDRESS"), NEW])
    assert model.asked == [["X7"]]
    assert (sure.prompt_tokens, unsure.prompt_tokens) == (0, 10)
    assert (sure.canonical, unsure.canonical) == (EMAIL, EMAIL)
    assert trial.version == "llama@1/q/hints"


async def test_a_stage_that_only_hints_is_not_weighed() -> None:
    model = KnowingModel()

    async def make(known: Sequence[KnownLabel]) -> Sequence[CandidateStage]:
        return [lexical(known), model]

    terms = ModelTerms(labels=50, weighed=frozenset({MODEL}))
    trial = CascadeTrial("model-shortlist", make, NO_FAMILIES, 39, company=False, models=terms)
    await trial.fit([one for one in KNOWN if one.key.vendor != "presidio"], 0)
    (answer,) = await trial.answer([LabelKey("presidio", None, "EMAIL_ADDRESS")])
    assert answer.judgement.stage is MODEL
    assert model.hints[-1].candidates[0].canonical == EMAIL
