"""The gate, the stages and the retention rules: pure decisions."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.models import ModelDoor, ModelStage, ModelStep
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.models.events import Event, Log
from llama_mapper.domain.mapping.models.gate import Bound, failures
from llama_mapper.domain.mapping.models.retention import PRUNABLE, superfluous
from llama_mapper.domain.mapping.models.states import (
    TRANSITIONS,
    in_production,
    require_transition,
    standing_of,
    standings,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
_STEPS = {
    ModelStage.CANDIDATE: ModelStep.REGISTERED,
    ModelStage.STAGING: ModelStep.PROMOTED,
    ModelStage.PRODUCTION: ModelStep.PROMOTED,
    ModelStage.DEPRECATED: ModelStep.DEPRECATED,
    ModelStage.ARCHIVED: ModelStep.ARCHIVED,
}


def log_of(*steps: tuple[str, ModelStage]) -> Log:
    return tuple(
        Event(
            number,
            _STEPS[stage],
            version,
            stage,
            "anna",
            ModelDoor.HTTP,
            False,
            NOON + timedelta(minutes=number),
            deprecated_on=NOON if stage is ModelStage.DEPRECATED else None,
        )
        for number, (version, stage) in enumerate(steps, 1)
    )


def lives() -> st.SearchStrategy[Log]:
    """Logs in which every step is permitted."""

    def grown(choices: list[tuple[int, int]]) -> Log:
        steps: list[tuple[str, ModelStage]] = []
        stages: dict[str, ModelStage] = {}
        for which, where in choices:
            version = f"{which}.0.0"
            stage = stages.get(version)
            options = [ModelStage.CANDIDATE] if stage is None else sorted(TRANSITIONS[stage])
            if options:
                stages[version] = options[where % len(options)]
                steps.append((version, stages[version]))
        return log_of(*steps)

    return st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40).map(grown)


@given(
    st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=True)),
    st.dictionaries(st.sampled_from("abc"), st.floats(-10, 10)),
    st.dictionaries(st.sampled_from("abc"), st.floats(-10, 10)),
)
def test_the_gate_passes_exactly_figures_within_their_bounds(
    metrics: dict[str, float], low: dict[str, float], high: dict[str, float]
) -> None:
    gate = {name: Bound(low.get(name), high.get(name)) for name in {*low, *high}}
    passes = all(
        name in metrics
        and not math.isnan(metrics[name])
        and metrics[name] >= low.get(name, -math.inf)
        and metrics[name] <= high.get(name, math.inf)
        for name in gate
    )
    assert (failures(metrics, gate) == ()) is passes


def test_a_missing_figure_fails_and_is_named() -> None:
    assert failures({}, {"accuracy": Bound(0.5)}) == ("accuracy is missing",)
    assert failures({"accuracy": 0.49}, {"accuracy": Bound(0.5)}) == ("accuracy is 0.49, at least 0.5 is needed",)
    assert failures({"accuracy": 0.5}, {"accuracy": Bound(0.5, 0.5)}) == ()


@pytest.mark.parametrize("to", ModelStage)
@pytest.mark.parametrize("stage", ModelStage)
def test_only_permitted_transitions_pass(stage: ModelStage, to: ModelStage) -> None:
    path = {
        ModelStage.CANDIDATE: [],
        ModelStage.STAGING: [ModelStage.STAGING],
        ModelStage.PRODUCTION: [ModelStage.STAGING, ModelStage.PRODUCTION],
        ModelStage.DEPRECATED: [ModelStage.STAGING, ModelStage.PRODUCTION, ModelStage.DEPRECATED],
        ModelStage.ARCHIVED: [ModelStage.ARCHIVED],
    }[stage]
    log = log_of(*(("1.0.0", each) for each in (ModelStage.CANDIDATE, *path)))
    permitted = {
        "candidate": {"staging", "archived"},
        "staging": {"production", "archived"},
        "production": {"staging", "deprecated"},
        "deprecated": {"production", "archived"},
        "archived": set(),
    }
    standing = standing_of(log, "m", "1.0.0")
    if to.value in permitted[stage.value]:
        require_transition(standing, to)
    else:
        with pytest.raises(ServiceError) as raised:
            require_transition(standing, to)
        assert raised.value.error_code is ErrorCode.MODEL_STATE


@given(lives())
def test_what_is_in_production_is_ordered_by_promotion(log: Log) -> None:
    found = standings(log)
    there = [version for version, each in found.items() if each.stage is ModelStage.PRODUCTION]
    serving = in_production(log)
    if there:
        assert set(serving) == set(there)
        promoted = [found[version].promoted or 0 for version in serving]
        assert promoted == sorted(promoted, reverse=True)
    else:
        assert all(found[version].stage is ModelStage.DEPRECATED for version in serving)


def test_a_version_back_in_production_is_not_deprecated_any_more() -> None:
    steps = [ModelStage.CANDIDATE, ModelStage.STAGING, ModelStage.PRODUCTION, ModelStage.DEPRECATED]
    assert standing_of(log_of(*(("1.0.0", each) for each in steps)), "m", "1.0.0").deprecated_on == NOON
    again = log_of(*(("1.0.0", each) for each in [*steps, ModelStage.PRODUCTION]))
    assert standing_of(again, "m", "1.0.0").deprecated_on is None


@given(lives(), st.dictionaries(st.sampled_from(ModelStage), st.integers(0, 3)), st.sets(st.sampled_from("012345")))
def test_retention_never_takes_what_serves_or_is_used_and_keeps_the_newest(
    log: Log, named: dict[ModelStage, int], used: set[str]
) -> None:
    keep = {stage: named.get(stage, 1) for stage in ModelStage}
    in_use = {f"{each}.0.0" for each in used}
    found = standings(log)
    gone = {each.version for each in superfluous(log, keep, in_use)}
    assert not gone & in_use
    assert not gone & {version for version, each in found.items() if each.stage is ModelStage.PRODUCTION}
    assert not gone & set(in_production(log)[:1])
    for stage in PRUNABLE:
        of_stage = [version for version, each in found.items() if each.stage is stage]
        newest = of_stage[max(0, len(of_stage) - keep[stage]) :]
        assert not gone & set(newest)
        spared = {*newest, *in_use, *in_production(log)[:1]}
        assert set(of_stage) - spared <= gone
