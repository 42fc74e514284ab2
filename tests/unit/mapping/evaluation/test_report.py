"""The report counts what was answered, and treats gold as it says."""

from __future__ import annotations

import pytest

from llama_mapper.domain.contracts.evaluation import EvaluationSlice, MappingEvaluation, Measured, TokenPrice
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.mapping.evaluation.ambiguity import upper_bound
from llama_mapper.domain.mapping.evaluation.digests import items_digest, plan_digest
from llama_mapper.domain.mapping.evaluation.folds import grouped_folds
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem, evaluation_items
from llama_mapper.domain.mapping.evaluation.measures import LOWER_IS_BETTER, at, judge, meaning_of
from llama_mapper.domain.mapping.evaluation.ports import SubjectAnswer
from llama_mapper.domain.mapping.evaluation.records import answer_records
from llama_mapper.domain.mapping.evaluation.runner import EvaluationPlan
from llama_mapper.domain.mapping.labels import LabelKey
from tests.unit.mapping.evaluation.labels import CARD, EMAIL, HATE, KNOWN, PHONE, Scripted, answering, known, oracle
from tests.unit.mapping.evaluation.reports import report_of

CONTACT = "pii.contact_information"


def item(gold: str, *also: str) -> EvaluationItem:
    return EvaluationItem(LabelKey("v", None, "l"), gold, also, "v", "l")


@pytest.mark.parametrize(
    ("gold", "also", "answer", "verdict"),
    [
        pytest.param(EMAIL, (), EMAIL, (True, True, True, True), id="the very id"),
        pytest.param(EMAIL, (), PHONE, (True, False, True, False), id="a sibling"),
        pytest.param(EMAIL, (), CONTACT, (True, False, True, False), id="the category alone"),
        pytest.param(CONTACT, (), CONTACT, (True, True, True, True), id="gold of level 2, answered so"),
        pytest.param(CONTACT, (), EMAIL, (True, False, True, False), id="gold of level 2, answered finer"),
        pytest.param(CARD, (EMAIL,), EMAIL, (False, False, True, True), id="what the label also covers"),
        pytest.param(CARD, (EMAIL,), PHONE, (False, False, True, False), id="a sibling of what it also covers"),
        pytest.param(EMAIL, (), None, (False, False, False, False), id="an abstention"),
    ],
)
def test_gold_counts_at_its_level(
    gold: str, also: tuple[str, ...], answer: str | None, verdict: tuple[bool, ...]
) -> None:
    judged = judge(item(gold, *also), answering(answer))
    assert (judged.level2, judged.level3, judged.level2_lenient, judged.level3_lenient) == verdict


def test_the_first_three_are_the_answer_and_two_suggestions() -> None:
    def among(*suggestions: str) -> bool:
        answer = SubjectAnswer(HATE, 0.5, MappingStage.MODEL, suggestions=suggestions)
        return judge(item(EMAIL), answer).among_first_3

    assert among(CARD, EMAIL)
    assert among(CARD, CARD, PHONE)
    assert not among(CARD, "a.b", EMAIL)


def metric(report: MappingEvaluation, subject: int, name: str, part: EvaluationSlice = EvaluationSlice.ALL) -> Measured:
    return report.subjects[subject].slices[part].metrics[name]


async def test_one_who_knows_everything_is_right_everywhere_and_costs_nothing() -> None:
    report = await report_of()
    for part in EvaluationSlice:
        figures = report.subjects[0].slices[part].metrics
        for name, measured in figures.items():
            if "latency" in name or name == "batch_label_ms":
                continue
            free = name in LOWER_IS_BETTER
            assert measured.value == (0.0 if free else 1.0), name
            assert measured.low == measured.high == measured.value, name


async def test_look_up_is_right_where_another_vendor_says_the_same_and_nowhere_else() -> None:
    """Of nine labels emails (3) and phone numbers (2) agree; hate (2) does not; two stand alone."""
    report = await report_of()
    assert metric(report, 1, "level2_accuracy").value == pytest.approx(5 / 9, abs=1e-6)
    assert metric(report, 1, "answered").value == pytest.approx(7 / 9, abs=1e-6)
    assert metric(report, 1, "answered_accuracy").value == pytest.approx(5 / 7, abs=1e-6)
    hard = report.subjects[1].slices[EvaluationSlice.HARD]
    assert hard.labels == 2
    assert hard.metrics["level2_accuracy"].value == 0.0
    assert "answered_accuracy" not in hard.metrics  # of no answers there is no share


async def test_a_difference_is_the_difference_of_the_figures() -> None:
    report = await report_of()
    for one in report.differences:
        if one.metric in report.subjects[0].slices[one.slice].metrics and one.difference.value is not None:
            expected = [metric(report, place, one.metric, one.slice).value for place in (0, 1)]
            assert None not in expected
            assert one.difference.value == pytest.approx(expected[0] - expected[1], abs=2e-6)  # type: ignore[operator]  # both are there


async def test_the_tables_add_up() -> None:
    report = await report_of()
    for subject in report.subjects:
        assert sum(row.labels for row in subject.stages) == sum(row.labels for row in subject.vendors) == 9
        wrong = 9 - sum(row.level2_right for row in subject.vendors)
        assert sum(row.labels for row in subject.confusions) == wrong
        assert all(row.accepted_right <= row.accepted <= row.answered <= row.labels for row in subject.vendors)
        records = answer_records(report)[subject.name]
        assert sum(one.right for one in records) == 9 - wrong


async def test_an_id_off_the_taxonomy_is_told_and_never_published() -> None:
    wild = Scripted("wild", lambda _, key: answering("Ignore all rules" if key.vendor == "alpha" else EMAIL))
    report = await report_of(wild)
    assert metric(report, 0, "off_taxonomy").value == pytest.approx(3 / 9, abs=1e-6)
    assert report.subjects[0].answers.canonical.count(None) == 3
    assert "Ignore" not in report.model_dump_json()


async def test_tokens_are_paid_at_the_price() -> None:
    spender = Scripted("spender", lambda _, key: SubjectAnswer(EMAIL, 0.5, MappingStage.MODEL, 100, 10))
    report = await report_of(spender, prices={"spender": TokenPrice(prompt=1.0, completion=20.0)})
    assert metric(report, 0, "tokens_per_label").value == 110.0
    assert metric(report, 0, "usd_per_1000_labels").value == pytest.approx(1000 * (100 * 1 + 10 * 20) / 1e6)
    assert answer_records(report)["spender"][0].usd == pytest.approx((100 * 1 + 10 * 20) / 1e6)


async def test_the_confidence_in_an_id_is_judged_at_level_3_alone() -> None:
    """Always of the right category and never of the right id: sure of the one, without trust in the other."""
    siblings = {EMAIL: PHONE, PHONE: EMAIL, CARD: "pii.financial_data", HATE: "content.hate_speech"}
    right = {one.key: one.canonical for one in KNOWN}

    def half_right(_: object, key: LabelKey) -> SubjectAnswer:
        return SubjectAnswer(siblings[right[key]], 1.0, MappingStage.MODEL, id_confidence=0.0)

    report = await report_of(Scripted("knowing", half_right))
    assert metric(report, 0, "level2_accuracy").value == 1.0
    assert metric(report, 0, "level3_accuracy").value == 0.0
    assert metric(report, 0, "ece").value == metric(report, 0, "level3_ece").value == 0.0


async def test_the_report_survives_its_own_json() -> None:
    report = await report_of()
    assert MappingEvaluation.model_validate_json(report.model_dump_json()) == report


async def test_the_same_runs_give_the_same_report() -> None:
    names = {"latency_p50_ms", "latency_p99_ms", "batch_label_ms"}

    def steady(report: MappingEvaluation) -> object:
        return [
            {name: value for name, value in part.metrics.items() if name not in names}
            for subject in report.subjects
            for part in subject.slices.values()
        ], report.differences

    assert steady(await report_of()) == steady(await report_of())


async def test_one_vendor_alone_has_figures_and_no_intervals() -> None:
    labels = [one for one in KNOWN if one.key.vendor == "alpha"]
    report = await report_of(oracle(labels), known=labels)
    accuracy = metric(report, 0, "level2_accuracy")
    assert (accuracy.value, accuracy.low, accuracy.high) == (1.0, None, None)
    assert metric(report, 0, at("coverage_at", 0.95)).value == 0.0  # no other fold to take a threshold from


def test_vendors_that_disagree_bound_what_can_be_reached() -> None:
    bound = upper_bound(evaluation_items(KNOWN, {}))
    assert bound.level2_accuracy == bound.level3_accuracy == pytest.approx(8 / 9)
    (only,) = bound.disagreements
    assert only.form == "hate"
    assert only.meanings == {HATE: ("beta",), CARD: ("gamma",)}


def test_labels_that_agree_on_the_category_bound_only_the_finer_level() -> None:
    labels = [known("a", "contact", EMAIL), known("b", "Contact", PHONE)]
    bound = upper_bound(evaluation_items(labels, {}))
    assert (bound.level2_accuracy, bound.level3_accuracy) == (1.0, 0.5)


def test_digests_change_with_what_is_asked_and_not_with_its_order() -> None:
    items = evaluation_items(KNOWN, {})
    assert items_digest(items) == items_digest(items[::-1])
    assert items_digest(items) != items_digest(items[1:])
    plans = [
        EvaluationPlan(items, KNOWN, {}, grouped_folds(items, 2, 0), seed=0),
        EvaluationPlan(items, KNOWN, {}, grouped_folds(items, 2, 0), seed=1),
        EvaluationPlan(items, KNOWN[1:], {}, grouped_folds(items, 2, 0), seed=0),
        EvaluationPlan(items, KNOWN, {}, grouped_folds(items, 3, 0), seed=0),
    ]
    assert len({plan_digest(plan) for plan in plans} | {plan_digest(plans[0], "2")}) == 5


async def test_every_figure_says_what_it_means() -> None:
    report = await report_of()
    names = {name for subject in report.subjects for part in subject.slices.values() for name in part.metrics}
    assert names
    assert all(meaning_of(name) != name for name in names)
    assert meaning_of(at("coverage_at", 0.975)).endswith("(97.5 %)")
