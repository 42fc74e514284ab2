"""Bad input gets a clear error with its code, and leaves nothing behind."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.support.servers import Server

MARK = "Zq7Wk2Vx"
JSON = {"content-type": "application/json"}


def stored(server: Server) -> int:
    with sqlite3.connect(server.data_dir / "assessment.db") as connection:
        return int(connection.execute("SELECT count(*) FROM assessments").fetchone()[0])


def body(**fields: object) -> bytes:
    return json.dumps({"content": "a harmless text"} | fields).encode()


BAD_BODIES = [
    pytest.param(body(content=""), 400, "INVALID_REQUEST", id="empty"),
    pytest.param(body(content="x" * 262_145), 413, "CONTENT_TOO_LARGE", id="too-long"),
    pytest.param(b'{"content": "' + b"x" * 2_000_000 + b'"}', 413, "CONTENT_TOO_LARGE", id="body-too-large"),
    pytest.param(b'{"content": "\xff\xfe"}', 400, "INVALID_REQUEST", id="not-utf-8"),
    pytest.param(b"content=hello", 400, "INVALID_REQUEST", id="not-json"),
    pytest.param(b"", 400, "INVALID_REQUEST", id="no-body"),
    pytest.param(b'["a"]', 400, "INVALID_REQUEST", id="not-an-object"),
    pytest.param(b"{}", 400, "INVALID_REQUEST", id="no-content"),
    pytest.param(body(content=7), 400, "INVALID_REQUEST", id="wrong-type"),
    pytest.param(body(colour="red"), 400, "INVALID_REQUEST", id="unknown-field"),
    pytest.param(body(content="a\x00b"), 422, "UNPROCESSABLE_CONTENT", id="nul"),
    pytest.param(body(content="a\x1bb"), 422, "UNPROCESSABLE_CONTENT", id="control-character"),
    pytest.param(b'{"content": "a\\ud800b"}', 400, "INVALID_REQUEST", id="lone-surrogate"),
    pytest.param(body(policy_bundle="nobody"), 400, "POLICY_NOT_FOUND", id="unknown-policy"),
    pytest.param(body(frameworks=["nobody"]), 400, "FRAMEWORK_NOT_FOUND", id="unknown-framework"),
    pytest.param(body(frameworks=["iso27001:1913"]), 400, "EDITION_NOT_FOUND", id="unknown-edition"),
    pytest.param(body(frameworks=["../etc"]), 400, "INVALID_REQUEST", id="malformed-framework"),
    pytest.param(body(categories=["pii.nothing"]), 400, "CATEGORY_NOT_FOUND", id="unknown-category"),
    pytest.param(body(processing_mode="yesterday"), 400, "INVALID_REQUEST", id="unknown-mode"),
    pytest.param(body(metadata={"nested": {"a": 1}}), 400, "INVALID_REQUEST", id="nested-metadata"),
    pytest.param(body(tenant_id="somebody-else"), 403, "TENANT_MISMATCH", id="another-tenant"),
    pytest.param(b'{"content": "a", "metadata": {"x": NaN}}', 400, "INVALID_REQUEST", id="nan"),
]


@pytest.mark.parametrize(("payload", "status", "code"), BAD_BODIES)
def test_a_bad_body_is_refused_and_nothing_is_stored(server: Server, payload: bytes, status: int, code: str) -> None:
    before = stored(server)
    with server.client() as client:
        answer = client.post("/v1/assessments", content=payload, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"urn:llama-mapper:error:{code.lower()}"
    assert problem["retryable"] is False
    assert stored(server) == before


def test_a_body_that_is_not_json_by_its_type_is_refused(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/assessments", content=body(), headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_the_answer_to_a_bad_request_quotes_no_value(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/assessments", content=body(processing_mode=MARK), headers=JSON)
    assert answer.status_code == 400
    assert MARK not in answer.text


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/assessments/asm_none", "/v1/assessments/asm_none/evidence"])
def test_what_is_not_there_is_not_found(server: Server, path: str) -> None:
    with server.client() as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_a_method_that_a_path_lacks_is_refused(server: Server) -> None:
    with server.client() as client:
        answer = client.delete("/v1/assessments")
    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "1e2", ""])
def test_a_bad_limit_is_refused(server: Server, limit: str) -> None:
    with server.client() as client:
        answer = client.get("/v1/reviews", params={"limit": limit})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


def test_a_cursor_that_is_not_ours_is_refused(server: Server) -> None:
    with server.client() as client:
        answer = client.get("/v1/reviews", params={"cursor": "AAAA"})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


def test_a_strange_host_is_refused_while_there_is_no_key(server: Server) -> None:
    with server.client(headers={"host": "attacker.example"}) as client:
        answer = client.post("/v1/assessments", content=body(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
