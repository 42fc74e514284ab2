"""What the optimiser forecasts is what would have happened, where that follows; and it says where it does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.cost_optimisation import Basis, Forecast
from llama_mapper.domain.contracts.mapping_settings import MappingSettings
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.money import TokenPrice
from llama_mapper.domain.mapping.costs.advice import advice, changed_settings
from llama_mapper.domain.mapping.costs.optimiser import THRESHOLDS, ModelPrice, Window, forecasts
from llama_mapper.domain.mapping.costs.spending import NANO, OWN_WORK, Amount
from llama_mapper.domain.mapping.costs.uses import Use, UseKind, bucket_of, confidence_of

CASCADE, MODEL_FIRST = MappingStrategy.CASCADE, MappingStrategy.MODEL_FIRST
EXACT, LEXICAL, MODEL, ABSTAINED = (
    MappingStage.CATALOGUE_EXACT,
    MappingStage.LEXICAL,
    MappingStage.MODEL,
    MappingStage.ABSTAINED,
)
PRICE = 0.001


@dataclass(frozen=True)
class Label:
    """A label as the world has it: how sure the catalogue, the neighbours and the model would be, if asked."""

    known: float | None
    early: float
    late: float


SURENESS = st.integers(1, 99).map(lambda hundredths: confidence_of(hundredths))
LABELS = st.lists(st.builds(Label, st.none() | SURENESS, SURENESS, SURENESS), min_size=1, max_size=12)


def mapped(labels: list[Label], threshold: float, *, model: bool) -> tuple[Counter[Use], int, int, float]:
    """The cascade's uses, labels answered, labels the model was asked for, and right answers to expect."""
    uses: Counter[Use] = Counter()
    answered = asked = 0
    right = 0.0

    def count(kind: UseKind, stage: MappingStage, confidence: float) -> None:
        uses[Use(CASCADE, kind, stage, bucket_of(confidence))] += 1

    for label in labels:
        if label.known is not None:
            stage, confidence = EXACT, label.known
        else:
            uses[Use(CASCADE, UseKind.ASKED, LEXICAL)] += 1
            stage, confidence = LEXICAL, label.early
            if label.early < threshold and model:
                asked += 1
                uses[Use(CASCADE, UseKind.ASKED, MODEL)] += 1
                stage, confidence = MODEL, label.late
        if confidence >= threshold:
            answered, right = answered + 1, right + confidence
            count(UseKind.ANSWERED, stage, confidence)
        else:
            count(UseKind.ANSWERED, ABSTAINED, confidence)
        if stage is MODEL:
            count(UseKind.PASSED_ON, MODEL if confidence >= threshold else ABSTAINED, label.early)
    return uses, answered, asked, right


def spending(asked: int) -> dict[str, Amount]:
    dollars = round(asked * PRICE * NANO)
    return {
        OWN_WORK: Amount(calls=1, labels=99),
        "vllm/dear": Amount(
            calls=asked, labels=asked, prompt_tokens=asked * 100, completion_tokens=asked * 10, nanodollars=dollars
        ),
    }


def by_name(uses: Counter[Use], asked: int = 0, models: tuple[ModelPrice, ...] = ()) -> dict[str, Forecast]:
    return {each.name: each for each in forecasts(Window(uses, spending(asked)), models)}


@given(LABELS, st.sampled_from(THRESHOLDS), st.sampled_from(THRESHOLDS))
def test_without_a_model_every_threshold_is_forecast_as_it_would_have_been(
    labels: list[Label], then: int, asked_for: int
) -> None:
    # The installation's threshold leaves the catalogue alone; the one that is forecast does not.
    uses, *_ = mapped(labels, then / 100, model=False)
    _, answered, _, right = mapped(labels, asked_for / 100, model=False)
    found = by_name(uses)[f"cascade@{asked_for / 100:.2f}"]
    assert (found.answered, found.abstained) == (answered, len(labels) - answered)
    assert found.right == pytest.approx(right / len(labels), abs=1e-6)
    assert (found.cost, found.saving) == (0.0, 0.0)
    assert asked_for < then or found.basis is Basis.DERIVED


@given(LABELS, st.sampled_from(THRESHOLDS), st.data())
def test_a_lower_threshold_is_forecast_to_ask_the_model_as_often_as_it_would_have(
    labels: list[Label], then: int, data: st.DataObject
) -> None:
    lower = data.draw(st.sampled_from([each for each in THRESHOLDS if each <= then]))
    uses, _, asked, _ = mapped(labels, then / 100, model=True)
    *_, would, _ = mapped(labels, lower / 100, model=True)
    found = by_name(uses, asked)[f"cascade@{lower / 100:.2f}"]
    assert found.model_asked == would
    assert found.cost == pytest.approx(would * PRICE, abs=1e-6)


@given(LABELS, st.sampled_from(THRESHOLDS))
def test_catalogue_only_costs_nothing_and_keeps_exactly_what_the_catalogue_knows(
    labels: list[Label], then: int
) -> None:
    uses, _, asked, _ = mapped(labels, then / 100, model=True)
    found = by_name(uses, asked)["catalogue-only"]
    known = [label.known for label in labels if label.known is not None and label.known >= then / 100]
    assert (found.answered, found.cost, found.basis) == (len(known), 0.0, Basis.DERIVED)
    assert found.right == pytest.approx(sum(known) / len(labels), abs=1e-6)


@given(LABELS, st.sampled_from(THRESHOLDS))
def test_no_forecast_is_impossible_and_none_is_better_than_itself(labels: list[Label], then: int) -> None:
    uses, answered, asked, right = mapped(labels, then / 100, model=True)
    found = by_name(uses, asked, (ModelPrice("vllm/cheap", TokenPrice()),))
    was = found["as_it_was"]
    assert (was.answered, was.loss, was.saving, was.moved) == (answered, 0.0, 0.0, 0)
    assert was.right == pytest.approx(right / len(labels), abs=1e-6)
    for one in found.values():
        assert one.answered + one.abstained == len(labels)
        assert one.right is None or one.right + (one.wrong or 0.0) <= 1.0 + 1e-5
        assert one.cost is None or one.cost >= 0.0


def world() -> tuple[Counter[Use], int]:
    """900 labels of the catalogue's; 100 unknown, of which the model was asked for 40 and answered 30."""
    uses: Counter[Use] = Counter()
    uses[Use(CASCADE, UseKind.ANSWERED, EXACT, 97)] = 900
    uses[Use(CASCADE, UseKind.ANSWERED, LEXICAL, 80)] = 60
    uses[Use(CASCADE, UseKind.ANSWERED, MODEL, 90)] = 30
    uses[Use(CASCADE, UseKind.ANSWERED, ABSTAINED, 30)] = 10
    uses[Use(CASCADE, UseKind.ASKED, LEXICAL)] = 50
    uses[Use(CASCADE, UseKind.REMEMBERED, LEXICAL)] = 50
    uses[Use(CASCADE, UseKind.ASKED, MODEL)] = 20
    uses[Use(CASCADE, UseKind.REMEMBERED, MODEL)] = 20
    uses[Use(CASCADE, UseKind.PASSED_ON, MODEL, 55)] = 30
    uses[Use(CASCADE, UseKind.PASSED_ON, ABSTAINED, 20)] = 10
    return uses, 20


def test_models_first_pays_for_every_unknown_label_that_would_not_be_remembered() -> None:
    found = by_name(*world())["model-first"]
    assert (found.model_asked, found.basis) == (50, Basis.ESTIMATED)
    assert found.cost == pytest.approx(50 * PRICE)
    assert found.saving is not None
    assert found.saving < 0


def test_the_cascade_offline_loses_what_only_the_model_answered() -> None:
    found = by_name(*world())["cascade-offline"]
    assert (found.answered, found.moved, found.cost, found.offline) == (960, 30, 0.0, True)
    assert found.loss == pytest.approx(30 * 0.905 / 1000)


def test_another_models_price_is_told_and_its_accuracy_is_not() -> None:
    cheap = ModelPrice("vllm/cheap", TokenPrice(Decimal("0.001"), Decimal("0.002")))
    found = by_name(*world(), (cheap,))["price:vllm/cheap"]
    assert found.cost == pytest.approx(20 * (100 * 0.001 + 10 * 0.002) / 1000)
    assert (found.right, found.wrong, found.loss) == (None, None, None)


def test_what_no_count_tells_is_left_out() -> None:
    uses: Counter[Use] = Counter(
        {Use(MODEL_FIRST, UseKind.ANSWERED, MODEL, 90): 5, Use(MODEL_FIRST, UseKind.ASKED, MODEL): 5}
    )
    names = set(by_name(uses, 5))
    assert names == {"as_it_was", "catalogue-only", "model-first"}
    blind: Counter[Use] = Counter({Use(MappingStrategy.CATALOGUE_ONLY, UseKind.ANSWERED, ABSTAINED): 5})
    assert set(by_name(blind)) == {"as_it_was", "catalogue-only"}


def test_the_most_saving_within_the_loss_is_recommended_with_its_reason() -> None:
    uses, asked = world()
    found = forecasts(Window(uses, spending(asked)))
    terms = {"labels": 1000, "cost": asked * PRICE, "min_labels": 1000}
    best = advice(found, max_loss=0.02, **terms)  # type: ignore[arg-type]  # numbers of two kinds
    assert (best.forecast, best.change, best.min_confidence) == ("cascade@0.55", True, 0.55)
    assert "USD" in best.reason
    everything = advice(found, max_loss=1.0, **terms)  # type: ignore[arg-type]  # numbers of two kinds
    assert everything.saving == pytest.approx(asked * PRICE)
    nothing = advice(found, max_loss=0.0, **terms)  # type: ignore[arg-type]  # numbers of two kinds
    assert (nothing.change, nothing.forecast) == (False, "as_it_was")


@pytest.mark.parametrize(("labels", "cost", "said"), [(999, 1.0, "fewer than"), (1000, 0.0, "nothing was paid")])
def test_nothing_is_recommended_where_there_is_too_little_to_judge_or_to_save(
    labels: int, cost: float, said: str
) -> None:
    uses, asked = world()
    found = advice(forecasts(Window(uses, spending(asked))), labels=labels, cost=cost, max_loss=1.0, min_labels=1000)
    assert not found.change
    assert said in found.reason


def test_what_is_applied_leaves_the_rest_of_the_settings() -> None:
    settings = MappingSettings(offline=False, stage_confidence={MODEL: 0.9})
    uses, asked = world()
    found = advice(forecasts(Window(uses, spending(asked))), labels=1000, cost=1.0, max_loss=0.02, min_labels=1)
    changed = changed_settings(settings, found)
    assert changed.min_confidence == found.min_confidence
    assert (changed.stage_confidence, changed.offline, changed.optimisation) == ({}, False, settings.optimisation)
