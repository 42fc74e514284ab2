"""The shipped bundles, evaluated by the engine that ships with them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest
import yaml

from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.domain.contracts.orchestration import (
    ConflictMethod,
    ContentType,
    FailureMode,
    ProcessingMode,
    VerdictAction,
)
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import bundle_digest, check_bundle, make_bundle
from llama_mapper.domain.orchestration.model import LanguageGaps, Plan
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from tests.unit.orchestration.support import (
    ATTACK,
    EMAIL,
    SECRET,
    TOXIC,
    HmacDigests,
    NoBundles,
    ScriptedDetector,
    SmallCatalogue,
    request,
    says,
)

BUNDLES = {bundle.name: bundle for bundle in load_shipped_bundles()}
DECLARED: Mapping[str, tuple[str, ...]] = {
    "abuse": (TOXIC, "content.hate_speech", "content.harassment"),
    "betterleaks": (SECRET, "security.tokens"),
    "detect_secrets": (SECRET, "security.tokens"),
    "health": ("pii.health_records",),
    "financial_context": ("pii.financial_data",),
    "language": (),
    "personal_context": (EMAIL,),
    "picket": (ATTACK,),
    "presidio": (EMAIL, "pii.financial_data", "pii.online_identifiers"),
    "presidio_ner": ("pii.location_data",),
    "prompt_attack": (ATTACK,),
    "secret_phrases": (SECRET,),
    "toxicity": (TOXIC,),
    "violence": ("content.violence", "content.self_harm"),
}


async def planned(
    bundle: PolicyBundle | str = "default",
    declared: Mapping[str, tuple[str, ...]] = DECLARED,
    *,
    not_ready: frozenset[str] = frozenset(),
    **facts: Any,
) -> Plan:
    given = {
        "tenant_id": "t1",
        "content_type": "text",
        "processing_mode": "normal",
        "categories": [],
        "metadata": {},
        "detectors": [
            {"name": name, "categories": list(judged), "languages": [], "ready": name not in not_ready}
            for name, judged in declared.items()
        ],
    } | facts
    chosen = BUNDLES[bundle] if isinstance(bundle, str) else bundle
    return parse_plan(await RegorusPolicyEngine().evaluate(chosen, given))


def changed(**changes: Any) -> PolicyBundle:
    data = copy.deepcopy(dict(BUNDLES["default"].data)) | changes
    return make_bundle("changed", "1", "", BUNDLES["default"].modules, data)


def test_two_bundles_ship_and_their_digests_are_those_of_their_content() -> None:
    assert list(BUNDLES) == ["default", "strict"]
    for bundle in BUNDLES.values():
        assert bundle.digest == bundle_digest(bundle.modules, bundle.data)
        assert bundle.description


@pytest.mark.parametrize("bundle", ["default", "strict"])
@pytest.mark.parametrize("content_type", list(ContentType))
@pytest.mark.parametrize("declared", [DECLARED, {}], ids=["all", "none"])
async def test_every_content_type_has_a_valid_plan_whatever_is_registered(
    bundle: str, content_type: ContentType, declared: Mapping[str, tuple[str, ...]]
) -> None:
    plan = await planned(bundle, declared, content_type=content_type.value)
    assert set(plan.selected) <= set(declared)
    assert plan.categories


@pytest.mark.parametrize("content_type", ["text", "chat", "email", "document"])
async def test_prose_is_judged_by_every_registered_detector(content_type: str) -> None:
    assert set((await planned(content_type=content_type)).selected) == set(DECLARED)


async def test_code_is_not_judged_for_toxicity_unless_asked_for() -> None:
    plan = await planned(content_type="code")
    assert not {"toxicity", "abuse", "violence"} & set(plan.selected)
    assert {"detect_secrets", "betterleaks", "secret_phrases"} <= set(plan.primary)
    asked = await planned(content_type="code", categories=[TOXIC])
    assert set(asked.selected) == {"toxicity", "abuse", "language"}


async def test_clinical_text_has_the_health_detector_among_the_primary_ones() -> None:
    assert "health" in (await planned(content_type="clinical")).primary
    assert "health" in (await planned(content_type="text")).secondary


async def test_named_categories_choose_exactly_the_detectors_that_judge_them() -> None:
    plan = await planned(categories=[ATTACK])
    assert (plan.categories, plan.primary, plan.secondary) == ((ATTACK,), ("picket", "prompt_attack"), ("language",))


async def test_a_new_detector_takes_part_by_what_it_declares() -> None:
    plan = await planned(declared=dict(DECLARED) | {"noop_1": ("content.sexual",), "noop_2": ("quality.form",)})
    assert {"noop_1", "noop_2"} <= set(plan.secondary)
    assert "content.sexual" in plan.categories
    code = await planned(declared={"noop_1": (SECRET,), "noop_2": (TOXIC,)}, content_type="code")
    assert code.selected == ("noop_1",)


async def test_a_required_category_that_nobody_judges_is_still_required() -> None:
    plan = await planned(declared={"noop_1": (EMAIL,)})
    assert {EMAIL, SECRET, ATTACK, TOXIC} <= set(plan.coverage.requirements)
    asked = await planned(declared={"noop_1": (EMAIL,)}, categories=["content.sexual"])
    assert (dict(asked.coverage.requirements), asked.selected) == ({"content.sexual": 1.0}, ())


async def test_a_detector_that_is_not_ready_is_still_selected_so_that_its_gap_shows() -> None:
    assert "presidio" in (await planned(not_ready=frozenset({"presidio"}))).primary


@pytest.mark.parametrize(("mode", "milliseconds"), [("normal", 2000), ("critical", 1000), ("low", 5000)])
async def test_the_processing_mode_sets_the_deadline(mode: str, milliseconds: int) -> None:
    assert ProcessingMode(mode)
    assert (await planned(processing_mode=mode)).timeout_ms == milliseconds


@pytest.mark.parametrize(
    ("category", "score", "action"),
    [
        (EMAIL, 0.5, VerdictAction.REDACT),
        (SECRET, 0.6, VerdictAction.BLOCK),
        (SECRET, 0.5, VerdictAction.FLAG),
        ("security.tokens", 0.9, VerdictAction.BLOCK),
        (ATTACK, 0.5, VerdictAction.FLAG),
        (ATTACK, 0.7, VerdictAction.BLOCK),
        ("content.violence", 0.6, VerdictAction.FLAG),
        ("content.violence", 0.9, VerdictAction.BLOCK),
        ("quality.form", 0.9, VerdictAction.FLAG),
    ],
)
async def test_the_default_actions_are_the_documented_ones(category: str, score: float, action: VerdictAction) -> None:
    rules = (await planned()).actions.of(category)
    order = list(VerdictAction)
    assert max((rule.action for rule in rules if rule.threshold <= score), key=order.index) is action


async def test_the_strict_bundle_refuses_what_it_did_not_see() -> None:
    plan = await planned("strict")
    assert {plan.terms[name].failure_mode for name in plan.primary} == {FailureMode.CLOSED}
    assert {plan.terms[name].failure_mode for name in plan.secondary} == {FailureMode.OPEN}
    assert (plan.coverage.threshold, plan.coverage.on_insufficient) == (1.0, VerdictAction.BLOCK)
    assert plan.coverage.language_gaps is LanguageGaps.LOWER_COVERAGE
    assert plan.conflicts.of("content.sexual") is ConflictMethod.MOST_RESTRICTIVE


async def test_the_strict_bundle_never_acts_later_or_milder_than_the_default() -> None:
    default, strict = await planned("default"), await planned("strict")
    order = list(VerdictAction)
    for category in (*DECLARED["presidio"], *DECLARED["violence"], SECRET, ATTACK, TOXIC, "illicit.drugs", "x.y"):
        for rule in default.actions.of(category):
            assert any(
                other.threshold <= rule.threshold and order.index(other.action) >= order.index(rule.action)
                for other in strict.actions.of(category)
            ), category


async def test_a_tenants_entry_replaces_what_it_names_and_nothing_else() -> None:
    own = {
        "coverage": {"threshold": 0.95},
        "required_detectors": ["vendor_x"],
        "excluded_detectors": ["abuse"],
        "detectors": {"presidio": {"failure_mode": "fail_closed"}},
        "actions": {"categories": {TOXIC: [{"threshold": 0.2, "action": "block"}]}},
    }
    bundle = changed(tenants={"t1": own})
    plan, other = await planned(bundle), await planned(bundle, tenant_id="t2")
    assert plan.coverage.threshold == 0.95
    assert "vendor_x" in plan.primary
    assert "abuse" not in plan.selected
    assert plan.terms["presidio"].failure_mode is FailureMode.CLOSED
    assert plan.terms["presidio"].weight == 2.0
    assert plan.actions.of(TOXIC)[0].action is VerdictAction.BLOCK
    assert plan.actions.of(EMAIL)[0].action is VerdictAction.REDACT
    assert other == await planned()


@pytest.mark.parametrize("name", ["default", "strict"])
async def test_the_shipped_bundles_pass_the_check_that_uploads_must_pass(name: str) -> None:
    await check_bundle(RegorusPolicyEngine(), BUNDLES[name], "t1")


async def test_a_bundle_that_fails_for_one_content_type_does_not_pass_the_check() -> None:
    bundle = changed(tenants={"t1": {"content_types": {"code": {"required_categories": ["Not a category"]}}}})
    with pytest.raises(PolicyEnforcementError, match=r"for code content in mode normal: plan\.categories"):
        await check_bundle(RegorusPolicyEngine(), bundle, "t1")


async def test_the_whole_service_runs_on_the_shipped_policy() -> None:
    detectors = {
        "noop_1": ScriptedDetector("noop_1", (EMAIL, TOXIC)),
        "noop_2": ScriptedDetector("noop_2", (SECRET,), says((SECRET, 0.9))),
        "noop_3": ScriptedDetector("noop_3", (ATTACK,)),
    }
    subject = OrchestrationService(
        DetectorRoster(SmallCatalogue(), detectors),
        RegorusPolicyEngine(),
        NoBundles(),
        load_shipped_bundles(),
        SmallCatalogue(),
        HmacDigests(),
        "0.0.1",
        1000,
    )
    response = await subject.orchestrate(request())
    assert response.coverage_achieved == 1.0
    assert response.verdict.action is VerdictAction.BLOCK
    assert [info.bundle for info in await subject.policies("t1")] == ["default", "strict"]


@pytest.mark.parametrize("name", ["default", "strict"])
async def test_every_category_that_a_shipped_bundle_names_is_in_the_shipped_taxonomy(name: str) -> None:
    text = (files("llama_mapper.domain.mapping") / "catalogue" / "data" / "taxonomy.yaml").read_text("utf-8")
    domains = yaml.safe_load(text)["domains"]
    known = {category["id"] for domain in domains for category in domain["categories"]}
    known |= {f"{domain['id']}.*" for domain in domains} | {"*"}
    defaults = BUNDLES[name].data["defaults"]
    named = {*defaults["actions"]["categories"], *defaults["conflicts"]["categories"]}
    for profile in defaults["content_types"].values():
        named.update(profile["categories"], profile["required_categories"])
    assert named <= known
