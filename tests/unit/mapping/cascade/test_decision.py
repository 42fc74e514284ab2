"""From rankings to an answer: the finest that is sure enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.cascade.decision import UNMEASURED, Judgement, decide, judge
from llama_mapper.domain.mapping.cascade.evidence import Context
from llama_mapper.domain.mapping.cascade.judging import judged_together
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from tests.unit.mapping.cascade.stages import key, plain_calibration

LEXICAL, EMBEDDING, MODEL = MappingStage.LEXICAL, MappingStage.EMBEDDING, MappingStage.MODEL
EMAIL, PHONE, INSULT = (
    "pii.personal_identifiers.email",
    "pii.personal_identifiers.phone",
    "content.toxic_language.insult",
)
CALIBRATION = plain_calibration((LEXICAL,), (EMBEDDING,), (LEXICAL, EMBEDDING))


def judged(category: float, subcategory: float) -> Judgement:
    return Judgement("pii.personal_identifiers", category, EMAIL, subcategory, LEXICAL)


def test_a_sure_label_is_the_answer() -> None:
    assert decide(judged(0.9, 0.8), 0.6).canonical == EMAIL


def test_an_unsure_label_of_a_sure_category_backs_off_to_the_category() -> None:
    decision = decide(judged(0.9, 0.5), 0.6)
    assert (decision.canonical, decision.confidence) == ("pii.personal_identifiers", 0.9)


def test_an_unsure_category_abstains_and_suggests() -> None:
    decision = decide(judged(0.5, 0.4), 0.6)
    assert decision.canonical is None
    assert decision.confidence == 0.0
    assert decision.suggestions[0].canonical == EMAIL


def test_no_idea_abstains_without_a_suggestion_at_any_threshold() -> None:
    nothing = judge({LEXICAL: ()}, CALIBRATION)
    assert decide(nothing, 0.0).canonical is None
    assert decide(nothing, 0.0).suggestions == ()


def test_agreement_is_evidence() -> None:
    one = judge({LEXICAL: (Candidate(EMAIL, 0.7),), EMBEDDING: (Candidate(EMAIL, 0.7),)}, CALIBRATION)
    apart = judge({LEXICAL: (Candidate(EMAIL, 0.7),), EMBEDDING: (Candidate(INSULT, 0.7),)}, CALIBRATION)
    assert one.category_confidence > apart.category_confidence


def test_a_stage_that_nobody_measured_confirms_and_never_decides_alone() -> None:
    alone = judge({MODEL: (Candidate(EMAIL, 1.0),)}, CALIBRATION)
    assert alone.category_confidence == pytest.approx(UNMEASURED)
    unsure = judge({LEXICAL: (Candidate(EMAIL, 0.5),)}, CALIBRATION)
    confirmed = judge({LEXICAL: (Candidate(EMAIL, 0.5),), MODEL: (Candidate(EMAIL, 1.0),)}, CALIBRATION)
    assert unsure.category_confidence < 0.6 < confirmed.category_confidence


def test_a_stage_with_a_fault_is_weighed_as_if_it_were_not_there() -> None:
    both = judge({LEXICAL: (Candidate(EMAIL, 0.9),)}, CALIBRATION)
    assert both.category_confidence == pytest.approx(0.9608, abs=1e-3)


@given(
    st.lists(st.tuples(st.sampled_from([EMAIL, PHONE, INSULT, "content.toxic_language"]), st.floats(0, 1)), max_size=6),
    st.lists(st.tuples(st.sampled_from([EMAIL, PHONE, INSULT]), st.floats(0, 1)), max_size=6),
    st.floats(0, 1),
)
def test_a_label_is_never_surer_than_its_category_and_a_higher_threshold_never_answers_more(
    one: list[tuple[str, float]], other: list[tuple[str, float]], threshold: float
) -> None:
    rankings = {LEXICAL: tuple(Candidate(*pair) for pair in one), EMBEDDING: tuple(Candidate(*pair) for pair in other)}
    judgement = judge(rankings, CALIBRATION)
    assert 0.0 <= judgement.subcategory_confidence <= judgement.category_confidence <= 1.0
    if judgement.subcategory is not None:
        assert judgement.subcategory.startswith(str(judgement.category))
    if decide(judgement, threshold).canonical is None:
        assert decide(judgement, min(1.0, threshold + 0.1)).canonical is None


def test_a_context_speaks_for_its_categories_and_their_domain() -> None:
    context = Context({"pii.personal_identifiers": 5.0})
    own, domain = context.features("pii.personal_identifiers", 39)
    sibling, same_domain = context.features("pii.financial_data", 39)
    other, other_domain = context.features("content.violence", 39)
    assert own > sibling == other
    assert domain == same_domain > other_domain


async def test_the_order_of_a_calls_labels_changes_no_answer() -> None:
    labels = [key(name) for name in ("a", "b", "c", "d")]
    rows = [
        {LEXICAL: Ranking((Candidate(canonical, score),))}
        for canonical, score in ((EMAIL, 0.9), (PHONE, 0.7), (INSULT, 0.5), (EMAIL, 0.3))
    ]
    forwards = await judged_together(labels, rows, CALIBRATION)
    backwards = await judged_together(labels[::-1], rows[::-1], CALIBRATION)
    assert forwards == backwards[::-1]
