"""Two tenants at one server: for every operation of the OpenAPI document, one of them learns nothing of the other.

What each operation is held to follows from its form, so that a new one is either covered or fails the first test here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.http.services import monolith_openapi
from tests.e2e.conftest import Guarded, issued_key
from tests.e2e.test_policies import draft
from tests.e2e.test_privacy import in_background
from tests.support.servers import ROOT

OPERATIONS = {
    (method, path): operation
    for path, methods in monolith_openapi()["paths"].items()
    for method, operation in methods.items()
}
TESTED_BESIDE = {
    "/v1/models": "tests/contract/models/test_http_door.py",
    "/v1/training/jobs": "tests/contract/training/test_door.py",
    "/v1/reviews/": "tests/contract/doors/test_own_catalogue.py",
    "/v1/vocabularies": "tests/contract/doors/test_own_catalogue.py",
    "/v1/frameworks/": "tests/contract/doors/test_own_catalogue.py",
    "/v1/crosswalks": "tests/contract/doors/test_own_catalogue.py",
    "/v1/mapping-settings": "tests/contract/doors/test_mapping_settings.py",
    "/v1/templates": "tests/contract/doors/test_reports.py",
    "/v1/reports": "tests/contract/doors/test_reports.py",
}
"""What needs more to exist than this file makes: the beginning of its path, and the tests that hold it. Its lists are
held here as well."""

PUBLIC_BY_ID = {
    ("get", "/v1/schemas/{model}/versions/{major}"),
    ("get", "/v1/taxonomies/versions/{version}/plan"),
}
BUDGET = {("put", "/v1/costs/budget"), ("delete", "/v1/costs/budget")}
REFERENCE = {("put", "/v1/monitoring/reference"), ("delete", "/v1/monitoring/reference")}
BESIDE = {place for place in OPERATIONS if place[1].startswith(tuple(TESTED_BESIDE))}
RELEASES = sorted(
    place
    for place in OPERATIONS
    if place[1].startswith(("/v1/releases", "/v1/experiments")) or place[1].endswith("/versions/{major}:deploy")
)
MODEL_SERVERS = sorted(place for place in OPERATIONS if place[1].startswith("/v1/model-servers"))
REGISTRY = sorted(place for place in OPERATIONS if "/detectors" in place[1] and place != ("get", "/v1/detectors"))
OPERATORS = {*RELEASES, *REGISTRY, *MODEL_SERVERS}
BY_ID = sorted(place for place in OPERATIONS if "{" in place[1] and place not in {*OPERATORS, *BESIDE, *PUBLIC_BY_ID})
LISTS = sorted(
    place
    for place in OPERATIONS
    if place[0] == "get" and "{" not in place[1] and place not in {*RELEASES, *MODEL_SERVERS} and ":" not in place[1]
    if not place[1].startswith("/v1/mapping-settings/")
)
OWN_BODY = sorted(
    place for place in OPERATIONS if place[0] == "post" and "{" not in place[1] and place not in {*OPERATORS, *BESIDE}
)
ASKED_FOR = sorted(place for place in OPERATIONS if place[0] == "get" and ":" in place[1] and place not in BESIDE)
PUBLIC = {"/v1/detectors", "/v1/frameworks", "/v1/taxonomies", "/v1/taxonomies/versions", "/v1/schemas"}
"""The same for everybody."""

KEY = {"idempotency-key": "the-same-in-both"}
SECRET_TEXT = "I will kill you, says alpha."
DEFINITION = {
    "name": "outside",
    "vendor": "presidio",
    "vendor_version": "2",
    "url": "http://127.0.0.1:9",
    "protocol": {"kind": "fms", "detector_id": "theirs"},
    "categories": [],
}


@dataclass(frozen=True, slots=True)
class House:
    """Clients with every scope of two tenants and of the operator, and what is alpha's by the name of its parameter."""

    alpha: httpx2.Client
    beta: httpx2.Client
    operator: httpx2.Client
    alphas: Mapping[str, str]
    marks: tuple[str, ...]


@pytest.fixture(scope="module")
def house(guarded: Guarded) -> Iterator[House]:
    every = (Scope.ASSESS, Scope.READ, Scope.ADMIN)
    clients = {
        tenant: guarded.server.client(
            headers={"authorization": f"Bearer {issued_key(guarded.server.data_dir, tenant, *every, name=tenant)}"}
        )
        for tenant in ("house-alpha", "house-beta", "local")
    }
    alpha = clients["house-alpha"]
    accepted = alpha.post("/v1/assessments:batch", json={"items": [{"content": SECRET_TEXT, "ref": "alphas-ref"}]})
    job = in_background(alpha, accepted).json()
    alpha.post("/v1/policies:draft", json=draft("alphas-version", bundle="alphas-bundle")).raise_for_status()
    alpha.post("/v1/map:batch", json={"labels": [{"vendor": "acme_codes", "label": "ALPHAS_LABEL"}]}).raise_for_status()
    alphas = {
        "assessment_id": job["items"][0]["assessment_id"],
        "job_id": job["id"],
        "bundle": "alphas-bundle",
        "version": "alphas-version",
    }
    registered = clients["local"].post("/v1/detectors", json=DEFINITION, params={"probe": "false"})
    assert registered.status_code == 201, registered.text
    marks = (*alphas.values(), "alphas-ref", "ALPHAS_LABEL", "house-alpha")
    try:
        yield House(alpha, clients["house-beta"], clients["local"], alphas, marks)
    finally:
        clients["local"].delete("/v1/detectors/outside")
        for client in clients.values():
            client.close()


def sent(client: httpx2.Client, place: tuple[str, str], values: Mapping[str, str], **more: Any) -> httpx2.Response:
    """The operation with the example of its document, if it takes a body."""
    method, path = place
    filled = re.sub(r"{(\w+)}", lambda name: values[name[1]], path)
    body = OPERATIONS[place].get("requestBody")
    if body is not None:
        more.setdefault("json", next(iter(body["content"].values())).get("example", {}))
    params = dict.fromkeys(("from", "to"), values["version"]) if path.endswith("/diff") else None
    return client.request(method.upper(), filled, params=params, **more)


def owned(house: House) -> dict[str, Any]:
    """All that is alpha's, as alpha sees it."""
    reads = [place for place in BY_ID if place[0] == "get"]
    reads += [("get", "/v1/jobs"), ("get", "/v1/reviews"), ("get", "/v1/policies")]
    answers = {place[1]: sent(house.alpha, place, house.alphas) for place in reads}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    return {path: answer.json() for path, answer in answers.items()}


def test_every_operation_of_the_document_is_held_to_one_of_the_rules_below() -> None:
    ruled = {*BY_ID, *OPERATORS, *LISTS, *OWN_BODY, *BESIDE, *PUBLIC_BY_ID, *BUDGET, *REFERENCE, *ASKED_FOR}
    assert set(OPERATIONS) == ruled
    assert len(BY_ID) >= 15


@pytest.mark.parametrize("file", sorted(set(TESTED_BESIDE.values())))
def test_what_is_tested_beside_is_tested_with_a_second_tenant(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert re.search("globex|stranger", text)


def test_what_is_anothers_is_answered_like_what_does_not_exist_and_stays_as_it_was(house: House) -> None:
    before = owned(house)
    nobodys = {name: f"nobodys-{name}" for name in house.alphas}

    def said(answer: httpx2.Response, names: Mapping[str, str]) -> list[str]:
        detail = answer.json()["detail"]
        for name, value in names.items():
            detail = detail.replace(value, name)
        return [str(answer.status_code), answer.json()["code"], detail]

    for place in BY_ID:
        foreign, missing = sent(house.beta, place, house.alphas), sent(house.beta, place, nobodys)
        assert 400 <= foreign.status_code < 500, (place, foreign.text)
        assert said(foreign, house.alphas) == said(missing, nobodys), place
    assert owned(house) == before


def test_a_list_has_nothing_of_another_tenant(house: House) -> None:
    for place in LISTS:
        answer = sent(house.beta, place, {})
        assert answer.status_code == 200, (place, answer.text)
        assert [mark for mark in house.marks if mark in answer.text] == [], place
        other = house.beta.get(place[1], params={"tenant_id": "house-alpha"})
        named = {each["name"] for each in OPERATIONS[place].get("parameters", ())}
        if "tenant_id" in named:
            assert other.status_code == 403, (place, other.text)
        elif place[1] not in PUBLIC:
            assert [mark for mark in house.marks if mark in other.text] == [], place
    for place in ASKED_FOR:
        answer = sent(house.beta, place, house.alphas)
        assert [mark for mark in house.marks if mark in answer.text] == [], place
    jobs = house.beta.get("/v1/jobs", params={"cursor": house.alphas["job_id"]})
    assert jobs.json()["items"] == []


def test_only_the_operator_registers_reads_or_alters_detectors(house: House) -> None:
    before = house.operator.get("/v1/detectors/outside/revisions").json()
    for place in REGISTRY:
        for name in ("outside", "violence", "nobody"):
            refused = sent(house.beta, place, {"name": name})
            assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC"), place
    assert house.operator.get("/v1/detectors/outside/revisions").json() == before


def test_only_the_operator_may_use_releases(house: House) -> None:
    for place in RELEASES:
        refused = sent(house.beta, place, {"id": "release_nobody", "model": "MappingResponse", "major": "1"})
        assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC"), place


def test_only_the_operator_may_use_model_servers(house: House) -> None:
    for place in MODEL_SERVERS:
        refused = sent(house.beta, place, {"server": "gpu", "model": "llama3_mapper"})
        assert (refused.status_code, refused.json()["code"]) == (403, "INSUFFICIENT_RBAC"), place
    assert len(MODEL_SERVERS) == 6


def test_a_budget_is_a_tenants_own(house: House) -> None:
    url = "/v1/costs/budget"
    house.alpha.put(url, json={"limit": 7.0}).raise_for_status()
    for method, body in (("PUT", {"limit": 9.0}), ("DELETE", None)):
        house.beta.request(method, url, json=body).raise_for_status()
        budget = house.alpha.get(url).json()["budget"]
        assert (budget["limit"], budget["set_by"]) == (7.0, "house-alpha")


def test_a_reference_is_a_tenants_own(house: House) -> None:
    url, span = "/v1/monitoring/reference", {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z"}
    house.alpha.put(url, json=span).raise_for_status()
    for method, body in (("PUT", span | {"until": "2026-03-04T00:00:00Z"}), ("DELETE", None)):
        house.beta.request(method, url, json=body).raise_for_status()
        reference = house.alpha.get(url).json()["reference"]
        assert (reference["until"], reference["set_by"]) == (span["until"], "house-alpha")


def test_a_body_cannot_speak_for_another_tenant(house: House) -> None:
    text, other = {"content": "x"}, {"tenant_id": "house-alpha"}
    judged = house.beta.post("/v1/orchestrate", json=text).json()
    bodies: dict[str, list[dict[str, Any]]] = {
        "/v1/assessments": [text | other],
        "/v1/assessments:batch": [{"items": [text]} | other, {"items": [text, text | other]}],
        "/v1/orchestrate": [text | other],
        "/v1/orchestrate:stream": [{"type": "start"} | other],
        "/v1/analyze": [{"orchestration_response": judged | other}],
        "/v1/map:batch": [{"labels": [{"vendor": "presidio", "label": "PERSON"}]} | other],
        "/v1/map": [],  # takes what /v1/analyze gave; tests/e2e/test_identity.py
        "/v1/policies:draft": [],  # these name no tenant
        "/v1/validate": [],
        "/v1/costs/optimisation:run": [],
        "/v1/moderations": [],
    }
    assert {path for _, path in OWN_BODY if "/text/" not in path} == set(bodies), "the FMS doors name no tenant"
    for path, wrong in bodies.items():
        for body in wrong:
            media_type = "application/x-ndjson" if path.endswith(":stream") else "application/json"
            refused = house.beta.post(path, content=json.dumps(body), headers={"content-type": media_type})
            assert (refused.status_code, refused.json()["code"]) == (403, "TENANT_MISMATCH"), (path, refused.text)


def test_answers_kept_for_one_tenant_are_given_to_no_other(house: House) -> None:
    for path in ("/v1/assessments", "/v1/orchestrate", "/v1/moderations"):
        body: dict[str, Any] = {"input": SECRET_TEXT} if path.endswith("moderations") else {"content": SECRET_TEXT}
        for _ in range(2):
            first = house.alpha.post(path, json=body, headers=KEY)
            assert first.status_code in (200, 206), first.text
        assert first.headers["idempotency-replayed"] == "true"
        other = house.beta.post(path, json=body, headers=KEY)
        assert other.status_code in (200, 206)
        assert "idempotency-replayed" not in other.headers
        assert [mark for mark in house.marks if mark in other.text] == []
        if path == "/v1/orchestrate":
            assert "cache" not in [step["component"] for step in other.json()["provenance"]]
