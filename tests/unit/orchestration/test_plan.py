"""Reading a policy's plan."""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import pytest

from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy, MappingTerms
from llama_mapper.domain.contracts.orchestration import ConflictMethod, VerdictAction
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.orchestration.model import MAX_DETECTORS
from llama_mapper.domain.orchestration.plan import parse_plan
from tests.unit.orchestration.support import raw_plan


def test_a_documented_plan_is_read_whole() -> None:
    plan = parse_plan(
        raw_plan(
            ["a"],
            ["b"],
            {"a": {"weight": 2.5}},
            conflicts={"default": "majority_vote", "categories": {"pii.*": "weighted_average"}},
        )
    )
    assert plan.selected == ("a", "b")
    assert plan.terms["a"].weight == 2.5
    assert plan.conflicts.of("pii.personal_identifiers") is ConflictMethod.WEIGHTED_AVERAGE
    assert plan.conflicts.of("content.violence") is ConflictMethod.MAJORITY_VOTE


def test_a_categorys_own_entry_stands_before_its_domains() -> None:
    rule = {"threshold": 0.1, "action": "block"}
    actions = {
        "default": [{"threshold": 0.9, "action": "flag"}],
        "categories": {"pii.*": [{"threshold": 0.5, "action": "redact"}], "pii.financial_data": [rule]},
    }
    plan = parse_plan(raw_plan(actions=actions))
    assert plan.actions.of("pii.financial_data")[0].action is VerdictAction.BLOCK
    assert plan.actions.of("pii.location_data")[0].action is VerdictAction.REDACT
    assert plan.flag_threshold("content.violence") == 0.9


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["timeout_ms"], 0, "plan.timeout_ms"),
        (["timeout_ms"], 1.5, "plan.timeout_ms"),
        (["timeout_ms"], True, "plan.timeout_ms"),
        (["timeout_ms"], 10**400, "plan.timeout_ms"),
        (["timeout_ms"], "2000", "plan.timeout_ms"),
        (["routing_reason"], None, "plan.routing_reason"),
        (["routing_reason"], "x" * 513, "plan.routing_reason"),
        (["categories"], "pii.financial_data", "plan.categories"),
        (["categories"], ["PII"], "plan.categories[0]"),
        (["categories"], ["pii.financial_data"] * 2, "plan.categories"),
        (["coverage", "threshold"], 1.01, "plan.coverage.threshold"),
        (["coverage", "threshold"], math.nan, "plan.coverage.threshold"),
        (["coverage", "method"], "most", "plan.coverage.method"),
        (["coverage", "requirements"], {"a": -1}, "plan.coverage.requirements[a]"),
        (["coverage", "on_insufficient"], "FLAG", "plan.coverage.on_insufficient"),
        (["coverage", "language_gaps"], 1, "plan.coverage.language_gaps"),
        (["conflicts", "default"], ["majority_vote"], "plan.conflicts.default"),
        (["conflicts", "categories"], {"*": "majority_vote"}, "plan.conflicts.categories"),
        (["actions", "default"], [], "plan.actions.default"),
        (["actions", "default"], [{"threshold": 0.5}], "plan.actions.default[0].action"),
        (["actions", "default"], [{"threshold": 2, "action": "flag"}], "plan.actions.default[0].threshold"),
        (["detectors", "primary"], ["a b"], "plan.detectors.primary[0]"),
        (["detectors", "secondary"], ["a"], "plan.detectors.secondary"),
        (["detectors", "terms"], {}, "plan.detectors.terms"),
        (["detectors", "terms", "a", "weight"], 1001, "plan.detectors.terms[a].weight"),
        (["detectors", "terms", "a", "failure_mode"], "closed", "plan.detectors.terms[a].failure_mode"),
        (["detectors", "terms", "a", "clean_confidence"], -0.1, "plan.detectors.terms[a].clean_confidence"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(path: list[str], value: Any, named: str) -> None:
    raw = copy.deepcopy(raw_plan(["a"], ["b"]))
    at: Any = raw
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(PolicyEnforcementError) as caught:
        parse_plan(raw)
    assert caught.value.error_code is ErrorCode.POLICY_INVALID
    assert caught.value.message.startswith(f"{named} ")


@pytest.mark.parametrize("key", sorted(raw_plan()))
def test_a_missing_part_is_named(key: str) -> None:
    raw = raw_plan()
    del raw[key]
    with pytest.raises(PolicyEnforcementError, match=rf"plan\.{key} is missing"):
        parse_plan(raw)


def test_an_unknown_part_is_refused_since_it_may_be_a_misspelt_one() -> None:
    with pytest.raises(PolicyEnforcementError, match=r"plan\.time_out is not known"):
        parse_plan(raw_plan() | {"time_out": 1})


def test_taxonomy_coverage_requires_categories_only() -> None:
    with pytest.raises(PolicyEnforcementError, match=r"plan\.coverage\.requirements"):
        parse_plan(raw_plan(coverage={"method": "taxonomy", "requirements": {"presidio": 1}}))


def test_a_plan_selects_no_more_detectors_than_a_record_can_name() -> None:
    parse_plan(raw_plan([f"d{at}" for at in range(MAX_DETECTORS)]))
    with pytest.raises(PolicyEnforcementError, match=r"plan\.detectors selects more"):
        parse_plan(raw_plan([f"d{at}" for at in range(MAX_DETECTORS)], ["one_more"]))


def test_a_plan_may_say_how_its_findings_are_mapped() -> None:
    said = {"strategy": "model-first", "min_confidence": 0.7, "stage_confidence": {"model": 0.9}, "offline": True}
    assert parse_plan({**raw_plan(), "mapping": said}).mapping == MappingTerms(
        strategy=MappingStrategy.MODEL_FIRST,
        min_confidence=0.7,
        stage_confidence={MappingStage.MODEL: 0.9},
        offline=True,
    )
    assert parse_plan({**raw_plan(), "mapping": {}}).mapping is None


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"strategy": "guess"}, "plan.mapping.strategy"),
        ({"min_confidence": 1.5}, "plan.mapping.min_confidence"),
        ({"stage_confidence": {"oracle": 0.5}}, "plan.mapping.stage_confidence"),
        ({"stage_confidence": {"model": "high"}}, "plan.mapping.stage_confidence[model]"),
        ({"offline": "yes"}, "plan.mapping.offline"),
        ({"colour": "red"}, "plan.mapping.colour"),
        ("cascade", "plan.mapping"),
    ],
)
def test_what_is_wrong_about_its_mapping_is_named(said: object, named: str) -> None:
    with pytest.raises(PolicyEnforcementError, match=f"^{re.escape(named)} "):
        parse_plan({**raw_plan(), "mapping": said})
