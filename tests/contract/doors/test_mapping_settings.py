"""A tenant's mapping settings through the HTTP door: they hold, are versioned, and stand below request and policy."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.support.apis import word_detectors
from tests.support.doors import Door, open_door

PATH = "/v1/mapping-settings"
PATIENCE_S = 10.0
BUNDLES = Path(__file__).parents[3] / "domain/orchestration/bundles"


class Person:
    """Somebody with a key of one tenant."""

    def __init__(self, client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def told(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = await self.client.request(method, path, headers=self.headers, **options)
        assert answer.status_code == status, answer.text[:500]
        return answer.json()

    async def mapped(self, label: str, **more: Any) -> Any:
        """The answer for one label, with the terms of the call."""
        asked = {"labels": [{"vendor": "nobody", "label": label}], **more}
        return await self.told("POST", "/v1/map:batch", json=asked)

    async def terms_by(self, version: int | None) -> Any:
        """The terms of an answer once this version of the settings stands."""
        until = time.monotonic() + PATIENCE_S
        while True:
            terms = (await self.mapped("email_address"))["terms"]
            if (terms or {}).get("settings_version") == version:
                return terms
            assert time.monotonic() < until
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    options = {"rate_limit_key": 0, "policy_four_eyes": False}
    async with open_door(tmp_path_factory.mktemp("house"), word_detectors(), **options) as door:
        yield door


async def person(door: Door, *scopes: Scope) -> Person:
    chosen = scopes or (Scope.ADMIN, Scope.ASSESS, Scope.READ)
    return Person(door.client, await door.new_key(f"t{uuid4().hex}", *chosen))


async def test_settings_hold_for_their_tenant_alone_and_every_version_can_stand_again(door: Door) -> None:
    anna, stranger = await person(door), await person(door)
    assert await anna.told("GET", PATH) == {"version": None, "settings": None}
    assert not (await anna.mapped("email_address"))["mappings"][0]["abstained"]
    first = {"strategy": "catalogue-only", "optimisation": {"every_days": 7}}
    put = await anna.told("PUT", PATH, json=first, params={"if_version": 0, "note": "save money"})
    assert (put["version"]["number"], put["version"]["note"], put["version"]["role"]) == (1, "save money", "admin")
    terms = await anna.terms_by(1)
    assert (terms["strategy"], terms["strategy_from"]) == ("catalogue-only", "tenant")
    assert (await anna.mapped("email_address"))["mappings"][0]["abstained"]
    own = await stranger.mapped("email_address")
    assert (own["terms"], own["mappings"][0]["abstained"]) == (None, False)
    assert await stranger.told("GET", PATH) == {"version": None, "settings": None}
    for method, hidden in (("GET", f"{PATH}/versions"), ("DELETE", PATH), ("GET", f"{PATH}?version=1")):
        await stranger.told(method, hidden, 404)
    await anna.told("PUT", PATH, 409, json={"min_confidence": 0.5}, params={"if_version": 0})
    await anna.told("PUT", PATH, json={"stage_confidence": {"lexical": 1.0}})
    assert (await anna.terms_by(2))["thresholds"] == {"lexical": 1.0}
    assert (await anna.mapped("email_address"))["mappings"][0]["abstained"]
    assert (await anna.told("POST", f"{PATH}:rollback", params={"to": 1}))["settings"]["strategy"] == "catalogue-only"
    difference = await anna.told("GET", f"{PATH}/diff", params={"from": 2, "to": 3})
    assert {each["where"] for each in difference["entries"]} == {
        "strategy",
        "stage_confidence/lexical",
        "optimisation/every_days",
    }
    assert (await anna.told("DELETE", PATH))["settings"] is None
    assert await anna.terms_by(None) is None
    history = await anna.told("GET", f"{PATH}/versions")
    assert [each["step"] for each in history["items"]] == ["removed", "rolled_back", "uploaded", "uploaded"]


async def test_a_requests_own_terms_stand_over_the_tenants(door: Door) -> None:
    anna = await person(door)
    await anna.told("PUT", PATH, json={"strategy": "catalogue-only", "min_confidence": 0.99})
    await anna.terms_by(1)
    answer = await anna.mapped("email_address", strategy="cascade", min_confidence=0.1)
    assert not answer["mappings"][0]["abstained"]
    assert (answer["terms"]["strategy_from"], set(answer["terms"]["thresholds_from"].values())) == (
        "request",
        {"request"},
    )


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"min_confidence": 2}, 400),
        ({"strategy": "guess"}, 400),
        ({"stage_confidence": {"oracle": 0.5}}, 400),
        ({"stage_confidence": {"abstained": 0.5}}, 422),
        ({"colour": "red"}, 400),
        ({"optimisation": {"every_days": 0}}, 400),
    ],
)
async def test_settings_that_are_none_are_refused(door: Door, settings: dict[str, Any], status: int) -> None:
    anna = await person(door)
    await anna.told("PUT", PATH, status, json=settings)
    assert await anna.told("GET", PATH) == {"version": None, "settings": None}


async def test_only_administrators_change_them(door: Door) -> None:
    reader = await person(door, Scope.READ, Scope.ASSESS)
    await reader.told("PUT", PATH, 403, json={"min_confidence": 0.5})
    await reader.told("POST", f"{PATH}:rollback", 403, params={"to": 1})
    await reader.told("DELETE", PATH, 403)


async def test_a_policy_says_how_an_assessment_is_mapped_over_the_tenant_and_under_the_request(door: Door) -> None:
    anna = await person(door)
    data = json.loads((BUNDLES / "default/data.json").read_text())
    data["defaults"]["mapping"] = {"min_confidence": 0.999, "strategy": "catalogue-only"}
    draft = {"bundle": "sure", "version": "1", "data": data}
    modules = {"policy.rego": (BUNDLES / "policy.rego").read_text()}
    await anna.told("POST", "/v1/policies:draft", json={**draft, "modules": modules})
    at = "/v1/policies/sure/versions/1"
    await anna.told("POST", f"{at}:validate", json={})
    await anna.told("POST", f"{at}:approve", json={"single_operator": True})
    await anna.told("POST", f"{at}:activate", json={})
    await anna.told("PUT", PATH, json={"min_confidence": 0.0})
    await anna.terms_by(1)
    asked = {"content": "anna@example.com"}
    assert not (await anna.told("POST", "/v1/assessments", 206, json=asked))["mapping"]["labels"][0]["abstained"]
    sure = await anna.told("POST", "/v1/assessments", 206, json=asked | {"policy_bundle": "sure"})
    assert sure["orchestration"]["policy"]["plan"]["mapping"]["min_confidence"] == 0.999
    assert sure["mapping"]["terms"]["strategy_from"] == "policy"
    assert sure["mapping"]["labels"][0]["abstained"]
    own = await anna.told("POST", "/v1/assessments", 206, json=asked | {"policy_bundle": "sure", "min_confidence": 0.3})
    assert set(own["mapping"]["terms"]["thresholds_from"].values()) == {"request"}
    assert not own["mapping"]["labels"][0]["abstained"]


async def test_documents_are_checked_with_the_tenants_own_catalogue(door: Door) -> None:
    anna, stranger = await person(door), await person(door)
    framework = {
        "title": "Acme",
        "applies_when": "Always.",
        "controls": {"D-1": {"title": "No mail", "evidence": "Log"}},
        "crosswalk": {"pii.personal_identifiers": {"rationale": "Mail names a customer.", "controls": ["D-1"]}},
    }
    vocabulary = {
        "source": "handbook",
        "basis": "docs",
        "versions": {"1": {"labels": {"pii.personal_identifiers.email": ["TICKET"]}}},
    }
    await anna.told("PUT", "/v1/frameworks/acme_policy/editions/2026", json=framework)
    await anna.told("PUT", "/v1/vocabularies/acme_codes", json=vocabulary)
    document = {
        "labels": [{"vendor": "acme_codes", "vendor_version": "1", "label": "TICKET"}],
        "frameworks": ["acme_policy:2026"],
    }
    query = {"schema_id": "urn:llama-mapper:schema:LabelMappingRequest:1", "document": document}
    until = time.monotonic() + PATIENCE_S
    while not (report := await anna.told("POST", "/v1/validate", json=query))["valid"]:
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
    assert (report["faults"], report["overlay_version"]) == ([], "2")
    others = await stranger.told("POST", "/v1/validate", json=query)
    assert [each["code"] for each in others["faults"]] == ["FRAMEWORK_NOT_FOUND", "LABEL_UNKNOWN"]
    assert others["overlay_version"] is None
    answer = await anna.told("POST", "/v1/map:batch", json=document)
    checked = {"schema_id": "urn:llama-mapper:schema:LabelMappingResponse:1", "document": answer}
    assert (await anna.told("POST", "/v1/validate", json=checked))["errors"] == 0
