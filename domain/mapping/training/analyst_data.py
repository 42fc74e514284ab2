"""The data set that teaches a model to explain an analysis: facts in, a short structured explanation out.

Facts and explanations are made from the analysis' own vocabulary (levels, dimensions, kinds of patterns, trends) and
the advice that the product gives for a category. They hold no content, and an explanation says nothing beyond the facts
and that advice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from llama_mapper.domain.contracts.analysis import PatternKind, RiskDimension, Trend
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.mapping.generation.ports import Prompt
from llama_mapper.domain.mapping.training.card import card_of
from llama_mapper.domain.mapping.training.dataset import DataSet, Recipe, Source, Split, TrainingExample, leaks
from llama_mapper.domain.mapping.training.knowledge import Knowledge
from llama_mapper.domain.mapping.training.spec import TrainingTask, digest_of

_SYSTEM = (
    "You explain an analysis of findings to an engineer on duty. You get its facts as JSON. Answer with one JSON "
    "object of the keys level, category, driver, pattern, explanation and action, and say nothing that is not in the "
    "facts."
)
_MAX_TOKENS = 200
_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_NO_PATTERN = "none"


@dataclass(frozen=True, slots=True)
class Advice:
    """What the product knows about a category: its name, its severity, and the step that lowers the risk."""

    name: str
    severity: Severity
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisFacts:
    """What an analysis says, in numbers. `findings` is category → upheld findings; `dimensions` are scores 0 to 1."""

    level: Severity
    findings: Mapping[str, int]
    dimensions: Mapping[RiskDimension, float]
    pattern: PatternKind | None
    pattern_category: str | None
    trend: Trend
    enough_history: bool

    def plain(self) -> dict[str, Any]:
        """As the model sees them; keys in one order."""
        return {
            "level": self.level.value,
            "findings": dict(self.findings),
            "risk": {dimension.value: round(score, 2) for dimension, score in self.dimensions.items()},
            "pattern": None
            if self.pattern is None
            else {"kind": self.pattern.value, "category": self.pattern_category, "trend": self.trend.value},
            "enough_history": self.enough_history,
        }


def analyst_prompt(facts: AnalysisFacts) -> Prompt:
    """The question for an explanation, in training and in service."""
    listed = {"type": "string", "maxLength": 400}
    keys = ("level", "category", "driver", "pattern", "explanation", "action")
    schema = {
        "type": "object",
        "properties": dict.fromkeys(keys, listed)
        | {
            "level": {"type": "string", "enum": [severity.value for severity in Severity]},
            "driver": {"type": "string", "enum": [dimension.value for dimension in RiskDimension]},
            "pattern": {"type": "string", "enum": [*(kind.value for kind in PatternKind), _NO_PATTERN]},
        },
        "required": list(keys),
        "additionalProperties": False,
    }
    user = "Facts:\n" + json.dumps(facts.plain(), separators=(", ", ": "))
    return Prompt(system=_SYSTEM, user=user, schema=schema, max_tokens=_MAX_TOKENS, temperature=0.0)


def main_category(findings: Mapping[str, int], advice: Mapping[str, Advice]) -> str:
    """The category to speak of first: the most severe, then the most frequent, then by name."""
    return min(findings, key=lambda category: (_RANK[advice[category].severity], -findings[category], category))


def explanation_of(facts: AnalysisFacts, advice: Mapping[str, Advice]) -> dict[str, str]:
    """The explanation that these facts call for."""
    category = main_category(facts.findings, advice)
    driver = max(facts.dimensions, key=lambda dimension: (facts.dimensions[dimension], dimension.value))
    count = facts.findings[category]
    others = len(facts.findings) - 1
    sentence = f"{advice[category].name}: {count} finding{'s' if count != 1 else ''}"
    if others:
        sentence += f", besides {others} other categor{'ies' if others > 1 else 'y'}"
    return {
        "level": facts.level.value,
        "category": category,
        "driver": driver.value,
        "pattern": _NO_PATTERN if facts.pattern is None else facts.pattern.value,
        "explanation": f"{sentence}. {_pattern_sentence(facts, advice)}",
        "action": advice[category].action.partition(";")[0].partition(". ")[0].rstrip(".") + ".",
    }


def build_analyst_data(
    knowledge: Knowledge, advice: Mapping[str, Advice], recipe: Recipe, *, code_version: str = "unknown"
) -> DataSet:
    """Facts and their explanations in three splits. A category is the main one in a single split only."""
    splits = _split_categories(sorted(advice), recipe)
    seen: set[str] = set()
    examples: list[TrainingExample] = []
    random = Random(f"{recipe.seed}:facts")  # noqa: S311  # not a secret
    for _ in range(recipe.examples):
        facts = _facts(advice, random)
        category = main_category(facts.findings, advice)
        form = digest_of(facts.plain())
        if form not in seen:
            seen.add(form)
            examples.append(_example(facts, category, form, splits[category], advice))
    ordered = tuple(example for split in Split for example in examples if example.split is split)
    if leaks(ordered, {}):
        raise AssertionError("the same facts are in two splits")
    card = card_of(
        TrainingTask.ANALYST,
        ordered,
        recipe,
        knowledge=knowledge,
        families={},
        template=digest_of(_SYSTEM)[7:19],
        code_version=code_version,
        left_out=recipe.examples - len(examples),
    )
    return DataSet(ordered, card)


def _example(
    facts: AnalysisFacts, category: str, form: str, split: Split, advice: Mapping[str, Advice]
) -> TrainingExample:
    prompt = analyst_prompt(facts)
    return TrainingExample(
        split=split,
        source=Source.FACTS,
        vendor="analysis",
        subject=category,
        form=form,
        system=prompt.system,
        user=prompt.user,
        answer=json.dumps(explanation_of(facts, advice)),
    )


def _facts(advice: Mapping[str, Advice], random: Random) -> AnalysisFacts:
    categories = random.sample(sorted(advice), random.choice((1, 1, 2, 2, 3)))
    findings = {category: min(40, 1 + int(random.expovariate(0.4))) for category in sorted(categories)}
    enough = random.random() < 0.75
    pattern = random.choice(tuple(PatternKind)) if enough and random.random() < 0.7 else None
    trend = Trend.UNKNOWN
    if pattern is PatternKind.TEMPORAL:
        trend = random.choice((Trend.RISING, Trend.FALLING))
    scores = random.sample(range(1, 100), len(RiskDimension))
    return AnalysisFacts(
        level=random.choice(tuple(Severity)),
        findings=findings,
        dimensions={dimension: score / 100 for dimension, score in zip(RiskDimension, scores, strict=True)},
        pattern=pattern,
        pattern_category=None if pattern is None else random.choice(sorted(categories)),
        trend=trend,
        enough_history=enough,
    )


def _pattern_sentence(facts: AnalysisFacts, advice: Mapping[str, Advice]) -> str:
    if not facts.enough_history:
        return "There is too little history to tell a pattern."
    if facts.pattern is None or facts.pattern_category is None:
        return "Nothing in the history stands out."
    name = advice[facts.pattern_category].name
    match facts.pattern:
        case PatternKind.TEMPORAL:
            return f"{name} has been {facts.trend.value} over the window."
        case PatternKind.FREQUENCY:
            return f"{name} is found unusually often."
        case PatternKind.CORRELATION:
            return f"{name} appears together with another category more often than chance."
        case PatternKind.ANOMALY:
            return f"{name} is far above its usual count today."


def _split_categories(categories: Sequence[str], recipe: Recipe) -> dict[str, Split]:
    order = list(categories)
    Random(f"{recipe.seed}:categories").shuffle(order)  # noqa: S311  # not a secret
    return dict(_assigned(order, recipe))


def _assigned(order: Sequence[str], recipe: Recipe) -> Iterator[tuple[str, Split]]:
    asked = max(1, round(recipe.test_share * len(order))) if recipe.test_share else 0
    validated = max(1, round(recipe.validation_share * len(order))) if recipe.validation_share else 0
    for place, category in enumerate(order):
        split = Split.TEST if place < asked else Split.VALIDATION if place < asked + validated else Split.TRAIN
        yield category, split
