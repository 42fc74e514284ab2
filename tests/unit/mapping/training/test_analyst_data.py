"""The analyst's data set: explanations that follow from the facts."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from llama_mapper.domain.contracts.analysis import PatternKind, RiskDimension, Trend
from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.training.analyst_data import (
    Advice,
    AnalysisFacts,
    analyst_prompt,
    build_analyst_data,
    explanation_of,
)
from llama_mapper.domain.mapping.training.dataset import DataSet, Recipe, Split
from llama_mapper.domain.mapping.training.knowledge import Knowledge


@pytest.fixture(scope="module")
def advice(catalogue: Catalogue) -> dict[str, Advice]:
    return {
        category: Advice(catalogue.name(category), severity, f"Look after {category}; then rest. And more.")
        for category, severity in catalogue.categories.items()
    }


@pytest.fixture(scope="module")
def made(knowledge: Knowledge, advice: dict[str, Advice]) -> DataSet:
    return build_analyst_data(knowledge, advice, Recipe(examples=400))


def facts(**changes: Any) -> AnalysisFacts:
    values: dict[str, Any] = {
        "level": Severity.HIGH,
        "findings": {"pii.financial_data": 1, "content.toxic_language": 9},
        "dimensions": {RiskDimension.TECHNICAL: 0.2, RiskDimension.REGULATORY: 0.9},
        "pattern": PatternKind.TEMPORAL,
        "pattern_category": "content.toxic_language",
        "trend": Trend.RISING,
        "enough_history": True,
    }
    return AnalysisFacts(**{**values, **changes})


def test_the_worst_category_is_spoken_of_first_however_rare(advice: dict[str, Advice]) -> None:
    said = explanation_of(facts(), advice)
    assert said["category"] == "pii.financial_data"
    assert said["driver"] == "regulatory"
    assert said["explanation"] == (
        "Financial data: 1 finding, besides 1 other category. Toxic language has been rising over the window."
    )
    assert said["action"] == "Look after pii.financial_data."


def test_too_little_history_is_said_and_no_pattern_made_up(advice: dict[str, Advice]) -> None:
    said = explanation_of(facts(pattern=None, pattern_category=None, trend=Trend.UNKNOWN, enough_history=False), advice)
    assert said["pattern"] == "none"
    assert "too little history" in said["explanation"]


def test_every_explanation_keeps_the_schema_that_binds_the_decoder(made: DataSet) -> None:
    schema = analyst_prompt(facts()).schema
    assert schema is not None
    check = jsonschema.Draft202012Validator(dict(schema))
    for example in made.examples:
        check.validate(json.loads(example.answer))


def test_every_word_of_an_explanation_is_in_the_facts_or_the_advice(made: DataSet, advice: dict[str, Advice]) -> None:
    for example in made.examples:
        shown = json.loads(example.user.removeprefix("Facts:\n"))
        said = json.loads(example.answer)
        assert said["level"] == shown["level"]
        assert said["category"] in shown["findings"]
        assert shown["risk"][said["driver"]] == max(shown["risk"].values())
        assert said["pattern"] == (shown["pattern"] or {"kind": "none"})["kind"]
        assert str(shown["findings"][said["category"]]) in said["explanation"]


def test_a_category_is_explained_in_one_split_alone(made: DataSet) -> None:
    where: dict[str, set[Split]] = {}
    for example in made.examples:
        where.setdefault(example.subject, set()).add(example.split)
    assert all(len(splits) == 1 for splits in where.values())
    assert {split for splits in where.values() for split in splits} == set(Split)


def test_the_same_seed_makes_the_same_data(knowledge: Knowledge, advice: dict[str, Advice], made: DataSet) -> None:
    assert build_analyst_data(knowledge, advice, Recipe(examples=400)).digest == made.digest
    assert build_analyst_data(knowledge, advice, Recipe(examples=400, seed=1)).digest != made.digest
    assert made.card["splits"] == {split.value: len(made.of(split)) for split in Split}
