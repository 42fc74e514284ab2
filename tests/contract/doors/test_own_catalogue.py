"""A tenant's own catalogue through the HTTP door: reviews, vocabularies, frameworks, crosswalks, taxonomy views."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from llama_mapper.adapters.platform.ed25519_signer import PUBLIC_KEY_FILE, load_public_keys
from llama_mapper.domain.assessment.envelope import verify_envelope
from llama_mapper.domain.contracts.crosswalks import CrosswalkDeployment, CrosswalkRollback, CrosswalkUpload
from llama_mapper.domain.kernel.tenancy import EVERYONE, Scope
from llama_mapper.entrypoints.containers.curation import open_curation
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import word_detectors
from tests.support.doors import Door, open_door

EMAIL, CARD, IBAN = "pii.personal_identifiers.email", "pii.financial_data.payment_card", "pii.financial_data.iban"
PATIENCE_S = 10.0  # the machine may be slow; that it is 2 seconds on one that is not, the directory's own tests say

VOCABULARY = {"source": "handbook", "basis": "docs", "versions": {"1": {"labels": {EMAIL: ["TICKET"]}}}}
FRAMEWORK = {
    "title": "Acme policy",
    "applies_when": "Always.",
    "controls": {"D-1": {"title": "No mail in prompts", "evidence": "The gateway's log."}},
    "crosswalk": {"pii.personal_identifiers": {"rationale": "Mail names a customer.", "controls": ["D-1"]}},
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key of one tenant."""

    client: httpx2.AsyncClient
    headers: dict[str, str]

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        return await self.client.request(method, path, headers=self.headers, **options)

    async def told(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = await self.ask(method, path, **options)
        assert answer.status_code == status, answer.text[:500]
        return answer.json()

    async def assessed(self, *frameworks: str) -> Any:
        """The record of a text with an e-mail address; most detectors do not run here, so coverage is partial."""
        asked = {"content": "anna@example.com", "frameworks": frameworks}
        record = await self.told("POST", "/v1/assessments", 206, json=asked)
        del record["redacted"]
        return record

    async def mapped(self, label: str, vendor: str = "acme_codes", **query: Any) -> Any:
        return await self.told(
            "POST", "/v1/map", json={"vendor": vendor, "vendor_version": "1", "label": label} | query
        )

    async def queued(self, label: str, vendor: str = "acme_codes") -> Any:
        """The label in the review queue, after it was seen."""
        assert (await self.mapped(label, vendor))["abstained"]
        page = await self.told("GET", "/v1/reviews", params={"vendor": vendor})
        return next(item for item in page["items"] if item["label"] == label)


@dataclass(frozen=True, slots=True)
class House:
    """One installation, whose tenants each test makes anew."""

    door: Door
    folder: Path

    async def person(self, tenant: str, *scopes: Scope) -> Person:
        chosen = scopes or (Scope.ADMIN, Scope.ASSESS, Scope.READ)
        return Person(self.door.client, await self.door.new_key(tenant, *chosen))


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    async with open_door(folder, word_detectors(), rate_limit_key=0, rate_limit_tenant=0) as door:
        yield House(door, folder)


@pytest.fixture
async def anna(house: House) -> Person:
    return await house.person(f"a{uuid4().hex}")


@pytest.fixture
async def stranger(house: House) -> Person:
    return await house.person(f"s{uuid4().hex}")


async def soon(expected: Any, ask: Callable[[], Awaitable[Any]]) -> None:
    until = time.monotonic() + PATIENCE_S
    while (found := await ask()) != expected:
        assert time.monotonic() < until, f"{found!r} instead of {expected!r}"
        await asyncio.sleep(0.1)


async def canonical(person: Person, label: str, vendor: str = "acme_codes") -> str | None:
    found: str | None = (await person.mapped(label, vendor))["canonical"]
    return found


async def test_a_corrected_label_is_the_tenants_own_and_nobody_elses(anna: Person, stranger: Person) -> None:
    item = await anna.queued("TICKET")
    detail = await anna.told("POST", f"/v1/reviews/{item['id']}:correct", json={"canonical": EMAIL, "revision": 0})
    assert detail["item"]["status"] == "corrected"
    await soon(EMAIL, lambda: canonical(anna, "TICKET"))
    found = await anna.mapped("TICKET")
    assert (found["stage"], found["abstained"]) == ("overlay", False)
    assert await canonical(stranger, "TICKET") is None
    assert await stranger.told("GET", f"/v1/reviews/{item['id']}", 404)
    await stranger.told("POST", f"/v1/reviews/{item['id']}:reopen", 404, json={})
    assert [each["canonical"] for each in detail["decisions"]] == [EMAIL]
    assert detail["decisions"][0]["role"] == "admin"


async def test_the_second_reviewer_gets_a_conflict(anna: Person) -> None:
    item = await anna.queued("TWICE")
    path = f"/v1/reviews/{item['id']}"
    answers = await asyncio.gather(
        *(anna.ask("POST", f"{path}:correct", json={"canonical": each, "revision": 0}) for each in (EMAIL, CARD))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "CONFLICT"
    await anna.told("POST", f"{path}:dismiss", 409, json={})
    assert len((await anna.told("GET", path))["decisions"]) == 1


async def test_a_decision_is_reversible_and_the_label_waits_again(anna: Person) -> None:
    item = await anna.queued("BACK")
    path = f"/v1/reviews/{item['id']}"
    await anna.told("POST", f"{path}:correct", json={"canonical": EMAIL})
    await soon(EMAIL, lambda: canonical(anna, "BACK"))
    await anna.told("POST", f"{path}:reopen", json={"revision": 1, "note": "a mistake"})
    await soon(None, lambda: canonical(anna, "BACK"))
    assert (await anna.told("POST", f"{path}:correct", json={"canonical": CARD, "revision": 2}))["item"][
        "revision"
    ] == 3
    await soon(CARD, lambda: canonical(anna, "BACK"))


async def test_what_cannot_be_decided_is_refused_with_its_reason(anna: Person, house: House) -> None:
    item = await anna.queued("ODD")
    path = f"/v1/reviews/{item['id']}"
    refused = await anna.told("POST", f"{path}:correct", 400, json={"canonical": "pii.nope"})
    assert "not in the taxonomy" in refused["detail"]
    assert "no suggestion" in (await anna.told("POST", f"{path}:accept", 400, json={}))["detail"]
    await anna.told("POST", f"{path}:reopen", 409, json={})
    await anna.told("POST", f"{path}:dismiss", 409, json={"revision": 7})
    await anna.told("POST", "/v1/reviews/review_unheard_of:dismiss", 404, json={})
    await anna.told("GET", "/v1/reviews", 400, params={"status": "lost"})
    reader = Person(anna.client, await house.door.new_key("someone", Scope.READ, Scope.ASSESS))
    await reader.told("POST", f"{path}:dismiss", 403, json={})


async def test_a_dismissed_label_goes_on_abstaining_and_waits_for_nobody(anna: Person) -> None:
    item = await anna.queued("DEBUG")
    await anna.told("POST", f"/v1/reviews/{item['id']}:dismiss", json={})
    assert (await anna.mapped("DEBUG"))["abstained"]
    assert "DEBUG" not in {each["label"] for each in (await anna.told("GET", "/v1/reviews"))["items"]}
    dismissed = await anna.told("GET", "/v1/reviews", params={"status": "dismissed"})
    assert [(each["label"], each["occurrences"]) for each in dismissed["items"]] == [("DEBUG", 2)]
    assert len((await anna.told("GET", "/v1/reviews", params={"status": "all"}))["items"]) == 1


async def test_decisions_are_exported_as_training_data_without_names(anna: Person, stranger: Person) -> None:
    for label, means in (("E1", EMAIL), ("E2", None)):
        item = await anna.queued(label)
        verb, body = ("correct", {"canonical": means}) if means else ("dismiss", {})
        await anna.told("POST", f"/v1/reviews/{item['id']}:{verb}", json=body)
    answer = await anna.ask("GET", "/v1/reviews:export")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(each["label"], each["canonical"], each["reviewer"]) for each in lines] == [
        ("E1", EMAIL, "admin"),
        ("E2", None, "admin"),
    ]
    assert "for a test" not in answer.text  # the key's name
    rest = await anna.ask("GET", "/v1/reviews:export", params={"after": lines[0]["position"]})
    assert [json.loads(line)["label"] for line in rest.text.splitlines()] == ["E2"]
    assert (await stranger.ask("GET", "/v1/reviews:export")).text == ""


async def test_an_uploaded_vocabulary_stands_is_versioned_and_rolled_back(anna: Person, stranger: Person) -> None:
    path = "/v1/vocabularies/acme_codes"
    first = await anna.told("PUT", path, json=VOCABULARY, params={"if_version": 0, "note": "first"})
    assert (first["version"]["number"], first["labels"], first["overrides"]) == (1, 1, [])
    await soon(EMAIL, lambda: canonical(anna, "TICKET"))
    again = await anna.told("PUT", path, json=VOCABULARY)
    assert again["version"]["number"] == 1
    other = {**VOCABULARY, "versions": {"1": {"labels": {CARD: ["TICKET"], IBAN: ["ACCOUNT"]}}}}
    await anna.told("PUT", path, 409, json=other, params={"if_version": 0})
    assert (await anna.told("PUT", path, json=other, params={"if_version": 1}))["version"]["number"] == 2
    await soon(CARD, lambda: canonical(anna, "TICKET"))
    difference = await anna.told("GET", f"{path}/diff", params={"from": 1, "to": 2})
    assert [(each["where"], each["change"]) for each in difference["entries"]] == [
        ("1/labels/ACCOUNT", "added"),
        ("1/labels/TICKET", "changed"),
    ]
    await anna.told("POST", f"{path}:rollback", params={"to": 1})
    await soon(EMAIL, lambda: canonical(anna, "TICKET"))
    assert (await anna.told("DELETE", path))["document"] is None
    await soon(None, lambda: canonical(anna, "TICKET"))
    history = await anna.told("GET", f"{path}/versions")
    assert [(each["number"], each["step"]) for each in history["items"]] == [
        (4, "removed"),
        (3, "rolled_back"),
        (2, "uploaded"),
        (1, "uploaded"),
    ]
    for method, hidden in (("GET", path), ("GET", f"{path}/versions"), ("DELETE", path)):
        await stranger.told(method, hidden, 404)
    assert await stranger.told("GET", "/v1/vocabularies") == {"items": []}


async def test_a_broken_vocabulary_is_refused_with_every_problem_named_and_nothing_stored(anna: Person) -> None:
    broken = {
        **VOCABULARY,
        "versions": {
            "1": {"labels": {EMAIL: ["A"], CARD: ["A"], "pii.nope": ["B"]}, "also": {"Z": [CARD]}},
            "2": {},
        },
    }
    refused = await anna.told("PUT", "/v1/vocabularies/acme_codes", 422, json=broken)
    assert refused["code"] == "DOCUMENT_INVALID"
    told = " ".join(f"{each['field']}: {each['message']}" for each in refused["errors"])
    for problem in ("more than once", "pii.nope", "not a label of this version", "lists no labels"):
        assert problem in told
    await anna.told("GET", "/v1/vocabularies/acme_codes", 404)


async def test_the_tenants_word_stands_over_ours_and_the_record_says_so(anna: Person, stranger: Person) -> None:
    own = {**VOCABULARY, "versions": {"1": {"labels": {IBAN: ["EMAIL_ADDRESS"]}}}}
    put = await anna.told("PUT", "/v1/vocabularies/presidio", json=own)
    assert put["overrides"] == [f"1/EMAIL_ADDRESS: {IBAN} instead of {EMAIL}"]
    await soon(IBAN, lambda: canonical(anna, "EMAIL_ADDRESS", "presidio"))
    record = await anna.assessed("pci_dss")
    (label,) = record["mapping"]["labels"]
    assert (label["canonical"], label["stage"], label["instead_of"]) == (IBAN, "overlay", EMAIL)
    assert record["version_info"]["overlay_version"] == record["mapping"]["version_info"]["overlay_version"] == "1"
    assert await canonical(stranger, "EMAIL_ADDRESS", "presidio") == EMAIL
    theirs = await stranger.assessed()
    assert theirs["version_info"]["overlay_version"] is None


def evidence_of(house: House, record: Any) -> Any:
    body = json.dumps(record["evidence"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return verify_envelope(body, load_public_keys(house.folder / "keys" / PUBLIC_KEY_FILE))


async def test_an_uploaded_framework_answers_its_tenant_and_stands_in_the_evidence(
    house: House, anna: Person, stranger: Person
) -> None:
    path = "/v1/frameworks/acme_policy/editions/2026"
    await anna.told("PUT", path, json=FRAMEWORK)

    async def listed(person: Person) -> list[str]:
        frameworks = await person.told("GET", "/v1/frameworks")
        return [each["ref"] for each in frameworks["items"] if each["own"]]

    await soon(["acme_policy:2026"], lambda: listed(anna))
    for frameworks in (["acme_policy", "gdpr"], ["acme_policy:2026"]):
        record = await anna.assessed(*frameworks)
        controls = record["mapping"]["framework_mappings"]["acme_policy:2026"]["controls"]
        assert [(each["control_id"], each["canonical_labels"]) for each in controls] == [("D-1", [EMAIL])]
        signed = evidence_of(house, record)["controls"]
        assert signed["acme_policy:2026"] == ["D-1"]
        assert len(signed) == len(frameworks)
    stored = await anna.ask("GET", f"/v1/assessments/{record['id']}")
    assert await listed(stranger) == []
    for request in ({"content": "x", "frameworks": ["acme_policy"]}, {"content": "x", "frameworks": ["gdpr", "nope"]}):
        refused = await stranger.told("POST", "/v1/assessments", 400, json=request)
        assert refused["code"] == "FRAMEWORK_NOT_FOUND"
    batch = {"labels": [{"vendor": "presidio", "label": "EMAIL_ADDRESS"}], "frameworks": ["acme_policy"]}
    await stranger.told("POST", "/v1/map:batch", 400, json=batch)
    assert (await anna.told("POST", "/v1/map:batch", json=batch))["mappings"][0]["controls"] == {
        "acme_policy:2026": ["D-1"]
    }
    await anna.told("DELETE", path)
    await soon([], lambda: listed(anna))
    await anna.told("POST", "/v1/map:batch", 400, json=batch)
    assert (await anna.ask("GET", f"/v1/assessments/{record['id']}")).content == stored.content
    assert (await anna.told("GET", path, params={"version": 1}))["document"]["controls"]["D-1"]


@pytest.mark.parametrize(
    ("framework", "changes", "problem"),
    [
        ("soc2", {}, "shipped framework"),
        ("pci_dss_4", {}, "shipped framework"),
        ("acme", {"crosswalk": {"pii.nope": {"rationale": "x", "controls": ["D-1"]}}}, "not in the taxonomy"),
        ("acme", {"crosswalk": {EMAIL: {"rationale": "x", "controls": ["D-9"]}}}, "no control 'D-9'"),
        ("acme", {"crosswalk": {EMAIL: {"rationale": "x", "controls": ["D-1", "D-1"]}}}, "more than once"),
        ("acme", {"crosswalk": {}}, "nothing would ever touch it"),
    ],
)
async def test_a_framework_that_breaks_a_rule_is_refused(
    anna: Person, framework: str, changes: dict[str, Any], problem: str
) -> None:
    refused = await anna.told("PUT", f"/v1/frameworks/{framework}/editions/1", 422, json={**FRAMEWORK, **changes})
    assert refused["code"] == "DOCUMENT_INVALID"
    assert any(problem in each["message"] for each in refused["errors"])


def crosswalk(version: str, controls: list[str], **more: Any) -> dict[str, Any]:
    """The shipped links, but for what an e-mail address touches of GDPR."""
    return {"version": version, "crosswalk": {EMAIL: {"rationale": "New.", "controls": {"gdpr:2016": controls}}}} | more


async def crosswalk_of(person: Person, label: str = "EMAIL_ADDRESS") -> tuple[str, list[str]]:
    batch = {"labels": [{"vendor": "presidio", "label": label}], "frameworks": ["gdpr"]}
    answer = await person.told("POST", "/v1/map:batch", json=batch)
    return answer["version_info"]["crosswalk_version"], answer["mappings"][0]["controls"].get("gdpr:2016", [])


async def shares(person: Person) -> dict[str, int]:
    listed = await person.told("GET", "/v1/crosswalks")
    return {each["version"]: each["percent"] for each in listed["items"]}


async def test_a_crosswalk_is_tried_deployed_diffed_and_rolled_back(anna: Person, stranger: Person) -> None:
    shipped, articles = await crosswalk_of(anna)
    good = crosswalk("2026-1", ["Article.5", "Article.6", "Article.32", "Article.4"], cases=OWN_CASES)
    uploaded = await anna.told("POST", "/v1/crosswalks", json=good)
    assert (uploaded["version"], uploaded["percent"]) == ("2026-1", 0)
    assert await anna.told("POST", "/v1/crosswalks", json=good) == uploaded
    await anna.told("POST", "/v1/crosswalks", 409, json=crosswalk("2026-1", ["Article.5"]))
    found = await anna.told("GET", "/v1/crosswalks/2026-1/accuracy", params={"framework": "gdpr"})
    assert found["passes"] and found["accuracy"] == 1.0
    difference = await anna.told("GET", "/v1/crosswalks:diff", params={"from": shipped, "to": "2026-1"})
    changes = {each["where"]: each["change"] for each in difference["entries"]}
    assert changes[f"gdpr:2016/{EMAIL}/Article.4"] == "added"
    await anna.told("POST", "/v1/crosswalks/2026-1:deploy", json={"percent": 100, "note": "go"})
    await soon("2026-1", lambda: version_of(anna))
    assert (await crosswalk_of(anna))[1] == ["Article.4", "Article.5", "Article.6", "Article.32"]
    assert await crosswalk_of(stranger) == (shipped, articles)
    record = await anna.assessed("gdpr")
    assert record["version_info"]["crosswalk_version"] == "2026-1"
    assert await shares(anna) == {"2026-1": 100, shipped: 0}
    assert await shares(stranger) == {shipped: 100}
    await anna.told("POST", "/v1/crosswalks:rollback", json={})
    await soon(shipped, lambda: version_of(anna))
    await anna.told("POST", "/v1/crosswalks:rollback", 409, json={})
    history = await anna.told("GET", "/v1/crosswalks:history")
    assert [each["step"] for each in history["items"]] == ["rolled_back", "deployed"]
    assert history["items"][1]["accuracy"] == 1.0


OWN_CASES = [
    {"label": EMAIL, "edition": edition, "must_not": [control], "why": "It is about mail and GDPR alone."}
    for edition, control in (
        ("soc2:2017", "CC6.8"),
        ("iso27001:2022", "A.8.7"),
        ("iso27001:2013", "A.12.2.1"),
        ("nist_ai_rmf:1.0", "GAI-SECURITY"),
        ("nist_800_53:r5", "IA-5"),
        ("owasp_llm:2025", "LLM01"),
        ("mitre_atlas:5.6.0", "AML.T0054"),
        ("iso42001:2023", "A.6.2.6"),
    )
]


async def version_of(person: Person) -> str:
    return (await crosswalk_of(person))[0]


async def test_a_crosswalk_that_fails_its_test_cases_is_not_deployed(anna: Person) -> None:
    await anna.told("POST", "/v1/crosswalks", json=crosswalk("bad", ["Article.5"]))
    refused = await anna.told("POST", "/v1/crosswalks/bad:deploy", 409, json={"percent": 1})
    assert refused["code"] == "ACCURACY_TOO_LOW"
    found = await anna.told("GET", "/v1/crosswalks/bad/accuracy")
    assert not found["passes"] and any(each["label"] == EMAIL for each in found["failures"])
    assert (await shares(anna))["bad"] == 0


async def test_a_share_of_the_requests_gets_the_new_crosswalk_and_always_the_same_ones(anna: Person) -> None:
    shipped, _ = await crosswalk_of(anna)
    await anna.told("POST", "/v1/crosswalks", json=crosswalk("half", ["Article.5"], cases=OWN_CASES))
    await anna.told("POST", "/v1/crosswalks/half:deploy", json={"percent": 50})
    labels = [f"L{number}" for number in range(60)]
    await soon(50, lambda: percent_of(anna, "half"))
    await asyncio.sleep(1.2)
    first = [(await crosswalk_of(anna, label))[0] for label in labels]
    assert {*first} == {shipped, "half"}
    assert [(await crosswalk_of(anna, label))[0] for label in labels] == first
    await anna.told("POST", "/v1/crosswalks/half:deploy", json={"percent": 75})
    await asyncio.sleep(1.2)
    more = [(await crosswalk_of(anna, label))[0] for label in labels]
    assert all(now == "half" for now, before in zip(more, first, strict=True) if before == "half")


async def percent_of(person: Person, version: str) -> int:
    return (await shares(person))[version]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"crosswalk": {"pii.nope": {"rationale": "x", "controls": {"gdpr:2016": ["Article.5"]}}}}, "taxonomy"),
        ({"crosswalk": {EMAIL: {"rationale": "x", "controls": {"nope:1": ["X"]}}}}, "not an edition"),
        ({"crosswalk": {EMAIL: {"rationale": "x", "controls": {"gdpr:2016": ["Article.999"]}}}}, "no control"),
        ({"based_on_shipped": False}, "neither linked nor listed"),
        ({"cases": [{"label": "pii.nope", "edition": "gdpr:2016", "must": ["Article.5"], "why": "x"}]}, "taxonomy"),
    ],
)
async def test_a_crosswalk_that_breaks_a_rule_is_refused(anna: Person, changes: dict[str, Any], problem: str) -> None:
    refused = await anna.told("POST", "/v1/crosswalks", 422, json=crosswalk("x", ["Article.5"]) | changes)
    assert any(problem in each["message"] for each in refused["errors"])


async def test_the_operators_crosswalk_reaches_every_tenant_that_deploys_none(
    house: House, anna: Person, stranger: Person
) -> None:
    shipped, _ = await crosswalk_of(anna)
    await anna.told("POST", "/v1/crosswalks", json=crosswalk("mine", ["Article.5"], cases=OWN_CASES))
    await anna.told("POST", "/v1/crosswalks/mine:deploy", json={})
    async with open_curation(Settings.load(data_dir=house.folder), "operator") as curation:
        desk, curator = curation.desks.crosswalks, curation.curator
        document = crosswalk("everyones", ["Article.6"], cases=OWN_CASES)
        await desk.upload(EVERYONE, CrosswalkUpload.model_validate_json(json.dumps(document)), curator)
        await desk.deploy(EVERYONE, "everyones", CrosswalkDeployment(), curator)
        await soon("everyones", lambda: version_of(stranger))
        await soon("mine", lambda: version_of(anna))
        assert await shares(stranger) == {"everyones": 100, shipped: 0}
        await desk.rollback(EVERYONE, CrosswalkRollback(), curator)
        await soon(shipped, lambda: version_of(stranger))


async def test_a_change_reaches_another_process_without_a_restart(house: House, anna: Person) -> None:
    async with open_door(house.folder, word_detectors()) as other:
        elsewhere = Person(other.client, anna.headers)
        item = await elsewhere.queued("FAR")
        await anna.told("POST", f"/v1/reviews/{item['id']}:correct", json={"canonical": EMAIL})
        await soon(EMAIL, lambda: canonical(elsewhere, "FAR"))


async def test_a_record_is_read_under_the_present_taxonomy_and_stays_as_it_was(anna: Person) -> None:
    record = await anna.assessed()
    path = f"/v1/assessments/{record['id']}"
    before = (await anna.ask("GET", path)).content
    view = await anna.told("GET", path, params={"taxonomy": "current"})
    info = view.pop("taxonomy_view")
    assert info["changed"] == {} and info["written_under"] == info["read_under"]
    assert view == json.loads(before)
    assert (await anna.ask("GET", path)).content == before
    assert (await anna.ask("GET", path, params={"taxonomy": "as_written"})).content == before
    await anna.told("GET", path, 400, params={"taxonomy": "later"})


async def test_the_taxonomys_versions_and_plans_are_told(anna: Person) -> None:
    versions = await anna.told("GET", "/v1/taxonomies/versions")
    assert versions["items"][-1]["after"] == versions["current"]
    plan = await anna.told("GET", f"/v1/taxonomies/versions/{versions['items'][0]['before']}/plan")
    assert plan["changed"] == [] and plan["kept"] == 186
    await anna.told("GET", "/v1/taxonomies/versions/0.0.1/plan", 404)


async def test_what_a_label_means_to_the_tenant_reaches_verdict_and_risk(anna: Person, stranger: Person) -> None:
    asked = {"content": "see TCK-1"}
    before = await anna.told("POST", "/v1/assessments", 206, json=asked)
    [finding] = [each for each in before["analysis"]["findings"] if each["label"] == "TICKET"]
    assert (finding["category"], finding["meant"]) == (None, None)
    card = {**VOCABULARY, "versions": {"1": {"labels": {CARD: ["TICKET"]}}}}
    await anna.told("PUT", "/v1/vocabularies/acme_codes", json=card)
    await soon(CARD, lambda: canonical(anna, "TICKET"))
    after = await anna.told("POST", "/v1/assessments", 206, json=asked)
    [finding] = [each for each in after["analysis"]["findings"] if each["label"] == "TICKET"]
    assert (finding["category"], finding["meant"]) == ("pii.financial_data", CARD)
    flagged = {each["subject"] for each in after["verdict"]["reasons"] if each["code"] == "category_flagged"}
    assert "pii.financial_data" in flagged
    assert after["verdict"]["action"] == "redact"
    assert before["verdict"]["action"] == "flag"
    risks = [each["analysis"]["risk_scores"] for each in (before, after)]
    assert risks[0]["overall_risk_score"] < risks[1]["overall_risk_score"]
    assert {each["category"] for each in risks[1]["risk_factors"]} >= {"pii.financial_data"}
    assert after["mapping"]["taxonomy"] == [CARD]
    assert (
        after["orchestration"]["version_info"]["overlay_version"] == after["mapping"]["version_info"]["overlay_version"]
    )
    theirs = await stranger.told("POST", "/v1/assessments", 206, json=asked)
    assert theirs["verdict"]["action"] == "flag"
    nothing = {**VOCABULARY, "versions": {"1": {"labels": {"meta.outcome.safe": ["TICKET"]}}}}
    await anna.told("PUT", "/v1/vocabularies/acme_codes", json=nothing)
    await soon("meta.outcome.safe", lambda: canonical(anna, "TICKET"))
    safe = await anna.told("POST", "/v1/assessments", 206, json=asked)
    assert "pii.financial_data" not in {each["subject"] for each in safe["verdict"]["reasons"]}
