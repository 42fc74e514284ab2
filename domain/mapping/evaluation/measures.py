"""Which figures a report has, what each means, and which way is better."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from llama_mapper.domain.contracts.evaluation import TokenPrice
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem, category_of
from llama_mapper.domain.mapping.evaluation.metrics.calibration import (
    adaptive_calibration_error,
    brier_score,
    calibration_error,
)
from llama_mapper.domain.mapping.evaluation.metrics.f_measure import macro_f1
from llama_mapper.domain.mapping.evaluation.metrics.outcomes import Outcomes, Statistic, mean_of_groups, ratio, share
from llama_mapper.domain.mapping.evaluation.metrics.selective import area_under_risk_coverage, coverage_at_precision
from llama_mapper.domain.mapping.evaluation.ports import SubjectAnswer

LOWER_IS_BETTER = frozenset(
    {
        "ece", "adaptive_ece", "brier", "level3_ece", "aurc", "off_taxonomy", "latency_p50_ms", "latency_p99_ms",
        "batch_label_ms", "tokens_per_label", "usd_per_1000_labels",
    }
)  # fmt: skip
"""Every other figure is better the higher it is."""

MEANINGS: Mapping[str, str] = {
    "level2_accuracy": "right category, of all labels; an abstention is wrong",
    "level3_accuracy": "the very id that is right, of all labels",
    "level2_accuracy_lenient": "the category of the right id or of one that the label also covers",
    "level3_accuracy_lenient": "the right id or one that the label also covers",
    "level2_accuracy_by_family": "mean over families of their level-2 accuracy: every family counts alike",
    "level3_accuracy_by_family": "mean over families of their level-3 accuracy",
    "level2_macro_f1": "mean F1 over the categories",
    "level2_macro_f1_by_vendor": "mean over vendors of the mean F1 over their categories",
    "level2_among_first_3": "right category in the answer or the next two suggestions",
    "answered": "labels that were answered at all",
    "answered_accuracy": "right category, of the labels answered",
    "coverage_at": "labels answered with a confidence that reached this precision on the other folds",
    "precision_at": "right category among those labels: the precision attained",
    "oracle_coverage_at": "labels answerable at this precision with the threshold chosen on the same answers",
    "aurc": "area under the risk-coverage curve",
    "ece": "expected calibration error at level 2, 15 bins of equal width",
    "adaptive_ece": "the same in bins of equally many answers",
    "level3_ece": "expected calibration error at level 3, of the confidence in the id",
    "brier": "mean square of confidence minus outcome at level 2",
    "off_taxonomy": "answers that are no id of the taxonomy, of the labels answered",
    "latency_p50_ms": "milliseconds of a call with one label, median",
    "latency_p99_ms": "milliseconds of a call with one label, 99th percentile",
    "batch_label_ms": "milliseconds a label when asked in batches, mean",
    "tokens_per_label": "tokens read and written, a label",
    "usd_per_1000_labels": "US dollars for the tokens of 1,000 labels",
}
"""What each figure says; `coverage_at` and its like carry the precision at the end of their names."""

HEADLINES = ("level2_accuracy", "level3_accuracy", "level2_accuracy_by_family", "level2_macro_f1", "ece", "brier")
"""The figures whose differences between methods are reported, beside coverage at the precision asked for."""


def at(name: str, precision: float) -> str:
    """The name of a figure at a precision: `coverage_at_95`, `coverage_at_97_5`."""
    return f"{name}_{precision * 100:g}".replace(".", "_")


def meaning_of(metric: str) -> str:
    """What a figure says; its own name where that is not known."""
    if metric in MEANINGS:
        return MEANINGS[metric]
    stem, _, percent = metric.partition("_at_")
    text = MEANINGS.get(f"{stem}_at")
    return f"{text} ({percent.replace('_', '.')} %)" if text else metric


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer held against what is right."""

    item: EvaluationItem
    answer: SubjectAnswer
    level2: bool
    level3: bool
    level2_lenient: bool
    level3_lenient: bool
    among_first_3: bool


def judge(item: EvaluationItem, answer: SubjectAnswer) -> Judged:
    """At level 2 the category counts; at level 3 the very id, so an answer of level 2 to a gold of level 3 is wrong.

    Lenient: the ids that the label also covers count as well.
    """
    gold = category_of(item.gold)
    acceptable = {item.gold, *item.also}
    claimed = None if answer.canonical is None else category_of(answer.canonical)
    first = [one for one in (answer.canonical, *answer.suggestions) if one is not None]
    return Judged(
        item,
        answer,
        level2=claimed == gold,
        level3=answer.canonical == item.gold,
        level2_lenient=claimed in {category_of(one) for one in acceptable},
        level3_lenient=answer.canonical in acceptable,
        among_first_3=gold in [category_of(one) for one in dict.fromkeys(first)][:3],
    )


def outcomes_of(judged: Sequence[Judged], right: Sequence[bool], family: Sequence[int], families: int) -> Outcomes:
    """The columns of one notion of right."""
    answered = tuple(one.answer.canonical is not None for one in judged)
    return Outcomes(tuple(family), tuple(right), answered, tuple(one.answer.confidence for one in judged), families)


def statistics_of(
    judged: Sequence[Judged],
    accepted: Sequence[bool],
    family: Sequence[int],
    families: int,
    precision: float,
    price: TokenPrice,
    taxonomy: Collection[str],
) -> dict[str, Statistic]:
    """Every figure but latency of these answers, by name. `family` gives each answer's family by number."""
    level2 = outcomes_of(judged, [one.level2 for one in judged], family, families)
    level3 = replace(
        outcomes_of(judged, [one.level3 for one in judged], family, families),
        confidence=tuple(
            a.confidence if (a := one.answer).id_confidence is None else a.id_confidence for one in judged
        ),
    )
    names = [one.item.family for one in judged]
    gold = [category_of(one.item.gold) for one in judged]
    claims = [None if (c := one.answer.canonical) is None else category_of(c) for one in judged]
    tokens = [(one.answer.prompt_tokens, one.answer.completion_tokens) for one in judged]
    every, answered = [1.0] * len(judged), [float(flag) for flag in level2.answered]

    def part(flags: Sequence[bool]) -> Statistic:
        return share(flags, family, families)

    def mean(values: Sequence[float]) -> Statistic:
        return ratio(values, every, family, families)

    return {
        "level2_accuracy": part(level2.right),
        "level3_accuracy": part(level3.right),
        "level2_accuracy_lenient": part([one.level2_lenient for one in judged]),
        "level3_accuracy_lenient": part([one.level3_lenient for one in judged]),
        "level2_accuracy_by_family": mean_of_groups([float(r) for r in level2.right], names, family, families),
        "level3_accuracy_by_family": mean_of_groups([float(r) for r in level3.right], names, family, families),
        "level2_macro_f1": macro_f1(gold, claims, family, families),
        "level2_macro_f1_by_vendor": _f1_by_vendor(judged, gold, claims, family, families),
        "level2_among_first_3": part([one.among_first_3 for one in judged]),
        "answered": part(level2.answered),
        "answered_accuracy": ratio([float(r) for r in level2.right], answered, family, families),
        at("coverage_at", precision): part(accepted),
        at("precision_at", precision): ratio(
            [float(a and r) for a, r in zip(accepted, level2.right, strict=True)],
            [float(a) for a in accepted],
            family,
            families,
        ),
        at("oracle_coverage_at", precision): coverage_at_precision(level2, precision),
        "aurc": area_under_risk_coverage(level2),
        "ece": calibration_error(level2),
        "adaptive_ece": adaptive_calibration_error(level2),
        "level3_ece": calibration_error(level3),
        "brier": brier_score(level2),
        "off_taxonomy": ratio(
            [float(one.answer.canonical is not None and one.answer.canonical not in taxonomy) for one in judged],
            answered,
            family,
            families,
        ),
        "tokens_per_label": mean([float(read + written) for read, written in tokens]),
        "usd_per_1000_labels": mean(
            [(read * price.prompt + written * price.completion) / 1000 for read, written in tokens]
        ),
    }


def _f1_by_vendor(
    judged: Sequence[Judged],
    gold: Sequence[str],
    claims: Sequence[str | None],
    family: Sequence[int],
    families: int,
) -> Statistic:
    places: dict[str, list[int]] = {}
    for place, one in enumerate(judged):
        places.setdefault(one.item.key.vendor, []).append(place)
    means = [
        macro_f1([gold[p] for p in own], [claims[p] for p in own], [0] * len(own), 1)([1]) for own in places.values()
    ]
    return ratio(means, [1.0] * len(means), [family[own[0]] for own in places.values()], families)
