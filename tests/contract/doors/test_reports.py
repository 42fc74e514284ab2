"""Reports and templates through the HTTP door: what is rendered, for whom, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.contract.doors.test_own_catalogue import FRAMEWORK, House, Person, soon
from tests.support.apis import word_detectors
from tests.support.doors import open_door

MARK = "Xq7Zk2Vw"
TEMPLATE = {
    "format": "markdown",
    "title": "For the board",
    "text": "# {{ report.title }}\n{% for each in taxonomy %}\n- {{ each.id }}\n{% endfor %}\n",
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("reports")
    options = {"rate_limit_key": 0, "rate_limit_tenant": 0, "template_timeout_ms": 20_000, "templates_at_once": 4}
    async with open_door(folder, word_detectors(), **options) as door:
        yield House(door, folder)


@pytest.fixture
async def anna(house: House) -> Person:
    return await house.person(f"a{uuid4().hex}")


@pytest.fixture
async def stranger(house: House) -> Person:
    return await house.person(f"s{uuid4().hex}")


async def rendered(person: Person, template: str, **source: Any) -> Any:
    return await person.told("POST", "/v1/reports:render", json={"template": template, **source})


async def refused(person: Person, status: int, **body: Any) -> str:
    code: str = (await person.told("POST", "/v1/reports:render", status, json=body))["code"]
    return code


async def test_a_record_becomes_a_report_with_what_it_says(anna: Person) -> None:
    record = await anna.assessed("soc2", "gdpr")
    report = await rendered(anna, "evidence-summary", assessment_id=record["id"])
    assert (report["own"], report["template_version"], report["format"]) == (False, None, "markdown")
    assert report["media_type"] == "text/markdown; charset=utf-8"
    assert report["digest"] == "sha256:" + hashlib.sha256(report["text"].encode()).hexdigest()
    for words in (record["id"], "pii.personal_identifiers.email", "CC6.1", "Article.5", record["verdict"]["action"]):
        assert words in report["text"], words
    hipaa = await rendered(anna, "hipaa-safeguards", assessment_id=record["id"], title="Only one")
    assert hipaa["title"] == "Only one"
    assert "164.514" in hipaa["text"], "the template's framework, though the record was not asked for it"
    assert "CC6.1" not in hipaa["text"]


async def test_answers_of_the_mapping_become_reports_too(anna: Person) -> None:
    labels = {"labels": [{"vendor": "presidio", "label": "CREDIT_CARD"}], "frameworks": ["pci_dss"]}
    answer = await anna.told("POST", "/v1/map:batch", json=labels)
    report = await rendered(anna, "evidence-summary-html", labels=answer)
    assert "Stored account data" in report["text"]
    record = await anna.assessed("soc2")
    mapping = await rendered(anna, "evidence-summary-text", mapping=record["mapping"], frameworks=["iso27001:2013"])
    assert record["mapping"]["request_id"] in mapping["text"]
    assert "A.8 Asset management" in mapping["text"]
    whole = await rendered(anna, "framework-controls", assessment=record)
    assert "CC6.1" in whole["text"]


async def test_a_report_needs_one_source_a_template_and_frameworks_that_there_are(anna: Person) -> None:
    record = await anna.assessed("soc2")
    at = {"assessment_id": record["id"]}
    assert await refused(anna, 400, template="evidence-summary") == "INVALID_REQUEST"
    assert await refused(anna, 400, template="evidence-summary", assessment=record, **at) == "INVALID_REQUEST"
    wrong = await anna.told("POST", "/v1/reports:render", 400, json={"template": "evidence-summary", "mapping": record})
    assert (wrong["code"], "'mapping' is no MappingResponse" in wrong["detail"]) == ("INVALID_REQUEST", True)
    assert await refused(anna, 404, template="nobody", **at) == "NOT_FOUND"
    assert await refused(anna, 404, template="evidence-summary", template_version=1, **at) == "NOT_FOUND"
    assert await refused(anna, 404, template="evidence-summary", assessment_id="asm_nobody") == "NOT_FOUND"
    assert await refused(anna, 400, template="evidence-summary", frameworks=["nobody"], **at) == "FRAMEWORK_NOT_FOUND"


async def test_nobody_gets_anothers_record_or_answer(anna: Person, stranger: Person) -> None:
    record = await anna.assessed("soc2")
    assert await refused(stranger, 404, template="evidence-summary", assessment_id=record["id"]) == "NOT_FOUND"
    for source in ({"assessment": record}, {"mapping": record["mapping"]}):
        assert await refused(stranger, 403, template="evidence-summary", **source) == "TENANT_MISMATCH"
    tenant = record["tenant_id"]
    answer = await stranger.told(
        "POST",
        "/v1/reports:render",
        403,
        json={"template": "evidence-summary", "tenant_id": tenant, "mapping": record["mapping"]},
    )
    assert answer["code"] == "TENANT_MISMATCH"


async def test_content_is_in_no_report_of_it(anna: Person) -> None:
    asked = {"content": f"{MARK} wrote from {MARK}@example.com", "frameworks": ["soc2"]}
    record = await anna.told("POST", "/v1/assessments", 206, json=asked)
    everything = TEMPLATE | {
        "format": "text",
        "text": "{{ [report, source, versions, taxonomy, labels, frameworks, verdict, risk, coverage, detectors, "
        "evidence, provenance] }}",
    }
    await anna.told("PUT", "/v1/templates/everything", json=everything)
    report = await rendered(anna, "everything", assessment_id=record["id"])
    assert record["id"] in report["text"]
    assert MARK not in report["text"]
    assert "hmac" not in report["text"]
    for name in ("content", "messages", "assessment", "redacted"):
        problem = await anna.told("PUT", "/v1/templates/other", 422, json=TEMPLATE | {"text": f"{{{{ {name} }}}}"})
        assert problem["code"] == "DOCUMENT_INVALID"


async def test_a_template_goes_through_its_life_and_is_its_tenants_alone(anna: Person, stranger: Person) -> None:
    url = "/v1/templates/board"
    first = await anna.told("PUT", url, json=TEMPLATE, params={"if_version": "0", "note": "for the board"})
    assert (first["version"]["number"], first["version"]["note"], first["version"]["role"]) == (
        1,
        "for the board",
        "admin",
    )
    same = await anna.told("PUT", url, json=TEMPLATE)
    assert same["version"]["number"] == 1
    second = TEMPLATE | {"text": "# {{ report.title }}\nsecond\n"}
    assert (await anna.told("PUT", url, json=second))["version"]["number"] == 2
    assert (await anna.told("PUT", url, 409, json=TEMPLATE, params={"if_version": "1"}))["code"] == "CONFLICT"
    difference = await anna.told("GET", f"{url}/diff", params={"from": "1", "to": "2"})
    assert {(each["before"], each["after"]) for each in difference["entries"]} >= {
        ("{% for each in taxonomy %}", "second")
    }

    record = await anna.assessed("soc2")
    assert (await rendered(anna, "board", assessment_id=record["id"]))["template_version"] == 2
    old = await rendered(anna, "board", assessment_id=record["id"], template_version=1)
    assert "- pii.personal_identifiers.email" in old["text"]

    theirs = await stranger.assessed("soc2")
    for number in (None, 1, 2):
        body = {"template": "board", "assessment_id": theirs["id"], "template_version": number}
        assert await refused(stranger, 404, **body) == "NOT_FOUND"
    for method, path in (("GET", url), ("GET", f"{url}/versions"), ("DELETE", url), ("POST", f"{url}:rollback?to=1")):
        assert (await stranger.told(method, path, 404))["code"] == "NOT_FOUND"
    assert "board" not in {each["name"] for each in (await stranger.told("GET", "/v1/templates"))["items"]}
    await stranger.told("PUT", url, json=TEMPLATE | {"text": "theirs"})
    assert "theirs" not in (await rendered(anna, "board", assessment_id=record["id"]))["text"]

    await anna.told("DELETE", url)
    assert await refused(anna, 404, template="board", assessment_id=record["id"]) == "NOT_FOUND"
    again = await anna.told("POST", f"{url}:rollback", params={"to": "1"})
    assert again["version"]["restores"] == 1
    history = await anna.told("GET", f"{url}/versions")
    assert [each["step"] for each in history["items"]] == ["rolled_back", "removed", "uploaded", "uploaded"]
    listed = {each["name"]: each for each in (await anna.told("GET", "/v1/templates"))["items"]}
    assert (listed["board"]["own"], listed["board"]["version"]) == (True, 4)
    assert listed["evidence-summary"]["own"] is False


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"text": "x\n{% for %}"}, "line 2"),
        ({"text": "{{ secrets }}"}, "line 1"),
        ({"text": "{{ report.secrets }}"}, "line 1"),
        ({"text": "{{ ''.__class__ }}"}, "line 1"),
        ({"text": "{% include '/etc/passwd' %}"}, "line 1"),
        ({"text": "{% for a in range(100000) %}{% endfor %}"}, "line 1"),
        ({"frameworks": ["nobody"]}, "frameworks/nobody"),
    ],
)
async def test_a_template_that_would_not_work_is_refused_with_the_place(
    anna: Person, changes: dict[str, Any], where: str
) -> None:
    for method, path in (("PUT", "/v1/templates/bad"), ("POST", "/v1/templates:preview")):
        problem = await anna.told(method, path, 422, json=TEMPLATE | changes)
        assert (problem["code"], problem["errors"][0]["field"]) == ("DOCUMENT_INVALID", where)
    await anna.told("GET", "/v1/templates/bad", 404)


async def test_a_template_breaks_loudly_on_a_source_that_lacks_what_it_needs(anna: Person) -> None:
    await anna.told("PUT", "/v1/templates/strict", json=TEMPLATE | {"text": "{{ verdict.action }}"})
    answer = await anna.told("POST", "/v1/map:batch", json={"labels": [{"vendor": "presidio", "label": "PERSON"}]})
    body = {"template": "strict", "labels": answer}
    problem = await anna.told("POST", "/v1/reports:render", 422, json=body)
    assert (problem["code"], problem["retryable"]) == ("TEMPLATE_FAILED", False)
    assert "line 1" in problem["detail"]


async def test_shipped_names_are_taken_and_sizes_bounded(anna: Person) -> None:
    problem = await anna.told("PUT", "/v1/templates/evidence-summary", 422, json=TEMPLATE)
    assert problem["errors"][0]["field"] == "name"
    await anna.told("PUT", "/v1/templates/long", 400, json=TEMPLATE | {"text": "x" * 65_537})
    await anna.told("PUT", "/v1/templates/Not-A-Name", 400, json=TEMPLATE)
    preview = await anna.told("POST", "/v1/templates:preview", json=TEMPLATE)
    assert "A report" in preview["text"]


async def test_only_an_admin_changes_templates_and_every_reader_renders(house: House, anna: Person) -> None:
    record = await anna.assessed("soc2")
    reader = Person(anna.client, await house.door.new_key(record["tenant_id"], Scope.READ))
    await rendered(reader, "evidence-summary", assessment_id=record["id"])
    for method, path in (("PUT", "/v1/templates/x"), ("POST", "/v1/templates:preview"), ("DELETE", "/v1/templates/x")):
        await reader.told(method, path, 403, json=TEMPLATE)
    writer = Person(anna.client, await house.door.new_key(record["tenant_id"], Scope.ASSESS))
    body = {"template": "evidence-summary", "assessment_id": record["id"]}
    await writer.told("POST", "/v1/reports:render", 403, json=body)


async def test_a_label_leads_to_controls_grouped_as_readers_expect_and_own_frameworks_too(
    anna: Person, stranger: Person
) -> None:
    asked = {"canonical": "pii.personal_identifiers.email", "frameworks": "gdpr,hipaa"}
    views = (await anna.told("GET", "/v1/reports:controls", params=asked))["items"]
    assert [(view["ref"], view["group_name"], view["control_name"]) for view in views] == [
        ("gdpr:2016", "chapter", "article"),
        ("hipaa:2013", "section", "standard"),
    ]
    await anna.told("PUT", "/v1/frameworks/acme_policy/editions/2026", json=FRAMEWORK)
    own = asked | {"frameworks": "acme_policy"}

    async def controls() -> Any:
        answer = await anna.ask("GET", "/v1/reports:controls", params=own)
        return [
            control["id"]
            for view in answer.json().get("items", ())
            for group in view["groups"]
            for control in group["controls"]
        ]

    await soon(["D-1"], controls)
    assert (await stranger.told("GET", "/v1/reports:controls", 400, params=own))["code"] == "FRAMEWORK_NOT_FOUND"
    unknown = await anna.told("GET", "/v1/reports:controls", 400, params={"canonical": "pii.nothing"})
    assert unknown["code"] == "CATEGORY_NOT_FOUND"
    for wrong in ({}, {"canonical": "x"}, asked | {"frameworks": "a,,b"}, {"canonical": "pii." + "a" * 200}):
        await anna.told("GET", "/v1/reports:controls", 400, params=wrong)


async def test_other_requests_are_answered_while_a_template_computes(anna: Person) -> None:
    slow = asyncio.ensure_future(
        anna.ask("POST", "/v1/templates:preview", json=TEMPLATE | {"text": "{{ 9 ** (9 ** 9) }}"})
    )
    await asyncio.sleep(0)
    for _ in range(5):
        await anna.told("GET", "/v1/templates")
    assert not slow.done()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
