"""Baselines answer as they are described, from what they were fitted with alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels
from llama_mapper.domain.mapping.evaluation.baselines.catalogue_normalised import NormalisedScorer
from llama_mapper.domain.mapping.evaluation.baselines.majority import MajorityScorer
from llama_mapper.domain.mapping.evaluation.baselines.nearest_spelling import SpellingScorer
from llama_mapper.domain.mapping.evaluation.baselines.scorer import CalibratedBaseline, Scored, Scorer
from llama_mapper.domain.mapping.evaluation.baselines.shipped_catalogue import ShippedCatalogue
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from tests.unit.mapping.evaluation.labels import CARD, EMAIL, HATE, KNOWN, PHONE, known


def asked(label: str, vendor: str = "new") -> LabelKey:
    return LabelKey(vendor, None, label)


def test_the_majority_is_the_commonest_meaning_for_whatever_is_asked() -> None:
    scorer = MajorityScorer([*KNOWN, known("delta", "mail", EMAIL)])
    assert scorer.score(asked("hate")) == scorer.score(asked("anything")) == Scored(EMAIL, 1.0, (CARD, PHONE))
    assert MajorityScorer([]).score(asked("hate")) is None


def test_a_normalised_form_has_the_meaning_that_most_vendors_give_it() -> None:
    scorer = NormalisedScorer(
        [*KNOWN, known("delta", "HATE", HATE), known("delta", "Hate!", CARD), known("delta", "hate", HATE, version="2")]
    )
    assert scorer.score(asked("ha-te")) == Scored(HATE, 3 / 5, (CARD,))
    assert scorer.score(asked("B-EMAIL")) == Scored(EMAIL, 4 / 5)
    assert scorer.score(asked("unheard of")) is None


def test_the_nearest_spelling_is_found_and_an_equal_one_is_certain() -> None:
    scorer = SpellingScorer(KNOWN)
    exact, near = scorer.score(asked("phone-number")), scorer.score(asked("TelephoneNumbers"))
    assert exact is not None
    assert near is not None
    assert exact.canonical == near.canonical == PHONE
    assert exact.score == 1.0
    assert 0 < near.score < 1
    assert scorer.score(asked("xyzzy")) is None


def baseline(scorer: type[Scorer] | object = SpellingScorer) -> CalibratedBaseline:
    return CalibratedBaseline("b", scorer, MappingStage.LEXICAL, {})  # type: ignore[arg-type]  # any scorer's class


async def test_a_confidence_is_how_often_such_a_score_was_right_for_families_left_out() -> None:
    """A scorer that is right for labels that begin with r, and sure of all: its confidence is what it was worth."""

    class Boaster:
        def __init__(self, known: object) -> None:
            pass

        def score(self, label: LabelKey) -> Scored | None:
            return Scored(EMAIL, 1.0)

    labels = [
        known(f"v{vendor}", f"{vendor} {place}", EMAIL if place < 3 else CARD)
        for vendor in range(8)
        for place in range(4)
    ]
    subject = baseline(Boaster)
    await subject.fit(labels, 0)
    (answer,) = await subject.answer([asked("x")])
    assert answer.confidence == (24 + 1) / (32 + 2)
    assert (answer.canonical, answer.stage) == (EMAIL, MappingStage.LEXICAL)


async def test_calibration_asks_no_scorer_about_a_family_that_it_knows() -> None:
    pairs: list[tuple[frozenset[str], str]] = []

    class Watched:
        def __init__(self, known: list[KnownLabel]) -> None:
            self.vendors = frozenset(one.key.vendor for one in known)

        def score(self, label: LabelKey) -> Scored | None:
            pairs.append((self.vendors, label.vendor))
            return None

    subject = baseline(Watched)
    await subject.fit(KNOWN, 0)
    assert {vendor for _, vendor in pairs} == {"alpha", "beta", "gamma"}
    assert all(vendor not in vendors for vendors, vendor in pairs)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 5), texts=st.lists(st.text(max_size=12), min_size=1, max_size=5))
async def test_the_same_labels_and_seed_give_the_same_answers(seed: int, texts: list[str]) -> None:
    one, other = baseline(), baseline()
    await one.fit(KNOWN, seed)
    await other.fit(KNOWN[:3], seed)
    await other.fit(KNOWN, seed)
    labels = [asked(text) for text in texts]
    assert await one.answer(labels) == await other.answer(labels)


async def test_what_was_never_fitted_abstains() -> None:
    subject = baseline()
    (answer,) = await subject.answer([asked("email")])
    assert (answer.canonical, answer.confidence, answer.stage) == (None, 0.0, MappingStage.ABSTAINED)
    await subject.fit([], 0)
    assert (await subject.answer([asked("email")]))[0].canonical is None


async def test_the_shipped_catalogue_answers_as_it_matches(catalogue: Catalogue, shipped: RawCatalogue) -> None:
    subject = ShippedCatalogue(catalogue)
    labels = known_labels(shipped.vocabularies)
    answers = await subject.answer([one.key for one in labels])
    assert [answer.canonical for answer in answers] == [one.canonical for one in labels]
    assert {answer.stage for answer in answers} == {MappingStage.CATALOGUE_EXACT}
    (unknown,) = await subject.answer([asked("unheard of", "presidio")])
    assert unknown.canonical is None
