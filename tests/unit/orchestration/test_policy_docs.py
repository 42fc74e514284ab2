"""The examples in `docs/policy.md` are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.domain.orchestration.bundle import check_bundle, make_bundle
from llama_mapper.domain.orchestration.plan import parse_plan

TEXT = (Path(__file__).parents[3] / "docs" / "policy.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_documented_plan_is_valid() -> None:
    assert parse_plan(json.loads(blocks("json")[0])).selected == ("presidio", "language")


async def test_the_documented_tenant_entry_is_valid() -> None:
    [default] = [bundle for bundle in load_shipped_bundles() if bundle.name == "default"]
    data = dict(default.data) | json.loads(blocks("json")[1])
    await check_bundle(RegorusPolicyEngine(), make_bundle("own", "1", "", default.modules, data), "acme")


async def test_the_documented_bundle_runs_what_is_ready() -> None:
    own = make_bundle("own", "1", "", {"policy.rego": blocks("rego")[0]}, {})
    await check_bundle(RegorusPolicyEngine(), own, "acme")
    facts = {"detectors": [{"name": "a", "ready": True}, {"name": "b", "ready": False}]}
    assert parse_plan(await RegorusPolicyEngine().evaluate(own, facts)).selected == ("a",)


def test_the_documented_actions_are_the_shipped_ones() -> None:
    bundles = {bundle.name: bundle.data["defaults"]["actions"] for bundle in load_shipped_bundles()}
    table = TEXT.split("Actions by score:")[1].split("The numbers")[0]
    for row in table.strip().splitlines()[2:]:
        names, *told = [cell.strip() for cell in row.strip("|").split("|")]
        for category in re.findall(r"`([^`]+)`", names) or ["default"]:
            for bundle, cell in zip(("default", "strict"), told, strict=True):
                actions = {"default": bundles[bundle]["default"]} | bundles[bundle]["categories"]
                rules = actions.get(category) or actions[category.split(".")[0] + ".*"]
                assert cell == ", ".join(f"{rule['action']} {rule['threshold']}" for rule in rules), category
