"""Who may do what: the tenant comes from the key, and nothing of one tenant reaches another."""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from tests.e2e.conftest import FEW_DETECTORS, LINK_SECRET, Guarded, created_key, issued_key
from tests.support.servers import Server, run_cli, serving

TEXT = {"content": "I will kill you tonight.", "frameworks": ["gdpr"]}
UNKNOWN = {"labels": [{"vendor": "acme_codes", "label": "ALPHA_ONLY"}]}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.fixture(scope="module")
def client(guarded: Guarded) -> Iterator[httpx2.Client]:
    with guarded.server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def assessment(guarded: Guarded, client: httpx2.Client) -> str:
    """The id of an assessment of tenant alpha, which also has a label in its review queue."""
    made = client.post("/v1/assessments", json=TEXT, headers=bearer(guarded.alpha))
    assert made.status_code in (200, 206), made.text
    assert made.json()["tenant_id"] == "tenant-alpha"
    queued = client.post("/v1/map:batch", json=UNKNOWN, headers=bearer(guarded.alpha))
    assert queued.status_code == 200
    identifier: str = made.json()["id"]
    return identifier


def test_the_tenant_comes_from_the_key(guarded: Guarded, client: httpx2.Client, assessment: str) -> None:
    for headers in (bearer(guarded.alpha), {"x-api-key": guarded.alpha}, bearer(guarded.alpha_reads)):
        fetched = client.get(f"/v1/assessments/{assessment}", headers=headers)
        assert (fetched.status_code, fetched.json()["tenant_id"]) == (200, "tenant-alpha")


def test_a_body_may_repeat_the_keys_tenant_and_no_other(guarded: Guarded, client: httpx2.Client) -> None:
    own = client.post("/v1/assessments", json=TEXT | {"tenant_id": "tenant-alpha"}, headers=bearer(guarded.alpha))
    assert own.json()["tenant_id"] == "tenant-alpha"
    for path, body in (
        ("/v1/assessments", TEXT),
        ("/v1/orchestrate", {"content": "x"}),
        ("/v1/map:batch", UNKNOWN),
    ):
        other = client.post(path, json=body | {"tenant_id": "tenant-beta"}, headers=bearer(guarded.alpha))
        assert code_of(other) == (403, "TENANT_MISMATCH"), path
    for path in ("/v1/reviews", "/v1/policies"):
        other = client.get(path, params={"tenant_id": "tenant-beta"}, headers=bearer(guarded.alpha))
        assert code_of(other) == (403, "TENANT_MISMATCH"), path


def test_a_record_of_one_tenant_cannot_be_analysed_or_mapped_as_anothers(
    guarded: Guarded, client: httpx2.Client, assessment: str
) -> None:
    record = client.get(f"/v1/assessments/{assessment}", headers=bearer(guarded.alpha)).json()
    analysed = client.post(
        "/v1/analyze", json={"orchestration_response": record["orchestration"]}, headers=bearer(guarded.beta)
    )
    assert code_of(analysed) == (403, "TENANT_MISMATCH")
    mapped = client.post("/v1/map", json={"analysis_response": record["analysis"]}, headers=bearer(guarded.beta))
    assert code_of(mapped) == (403, "TENANT_MISMATCH")


def test_a_tenant_sees_nothing_of_another(guarded: Guarded, client: httpx2.Client, assessment: str) -> None:
    for path in (f"/v1/assessments/{assessment}", f"/v1/assessments/{assessment}/evidence"):
        assert client.get(path, headers=bearer(guarded.alpha)).status_code == 200
        foreign = client.get(path, headers=bearer(guarded.beta))
        missing = client.get(path.replace(assessment, "asm_none"), headers=bearer(guarded.beta))
        assert code_of(foreign) == code_of(missing) == (404, "NOT_FOUND")
        assert foreign.json()["detail"] == missing.json()["detail"], "it must not tell that another has it"
    alphas = client.get("/v1/reviews", headers=bearer(guarded.alpha)).json()["items"]
    assert "ALPHA_ONLY" in [item["label"] for item in alphas]
    assert client.get("/v1/reviews", headers=bearer(guarded.beta)).json()["items"] == []


def test_a_key_that_only_reads_cannot_post(guarded: Guarded, client: httpx2.Client) -> None:
    for path, body in (("/v1/assessments", TEXT), ("/v1/map:batch", UNKNOWN), ("/v1/moderations", {"input": "x"})):
        answer = client.post(path, json=body, headers=bearer(guarded.alpha_reads))
        assert code_of(answer) == (403, "INSUFFICIENT_RBAC"), path
    assert client.get("/v1/detectors", headers=bearer(guarded.alpha_reads)).status_code == 200


def wrong_keys(guarded: Guarded) -> dict[str, httpx2.Headers]:
    key = guarded.alpha
    changed = "A" if key[-2] != "A" else "B"
    wrong: dict[str, dict[str, str]] = {
        "none": {},
        "another secret": bearer(key[:-2] + changed + key[-1]),
        "another id": bearer("lm_" + "0" * 16 + key[19:]),
        "id of one and secret of another": bearer(key[:20] + guarded.beta[20:]),
        "too short": bearer(key[:-1]),
        "too long": bearer(key + "A"),
        "capitals": bearer(key.upper()),
        "no key at all": bearer("hello"),
        "nothing after Bearer": {"authorization": "Bearer"},
        "another scheme": {"authorization": f"Basic {key}"},
        "no scheme": {"authorization": key},
        "a wrong bearer beside a good key": bearer("hello") | {"x-api-key": key},
    }
    not_ascii = httpx2.Headers([(b"x-api-key", "lm_ä".encode())])
    return {why: httpx2.Headers(headers) for why, headers in wrong.items()} | {"not ASCII": not_ascii}


def test_what_is_not_a_good_key_is_unauthorized(guarded: Guarded, client: httpx2.Client, assessment: str) -> None:
    for why, headers in wrong_keys(guarded).items():
        for answer in (
            client.post("/v1/assessments", json=TEXT, headers=headers),
            client.get(f"/v1/assessments/{assessment}", headers=headers),
        ):
            assert code_of(answer) == (401, "UNAUTHORIZED"), why
            assert answer.headers["www-authenticate"].startswith("Bearer"), why
            assert answer.json()["retryable"] is False


def test_health_and_metrics_need_no_key(client: httpx2.Client) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert client.get(path).status_code == 200, path


def test_an_expired_key_is_unauthorized_and_one_that_expires_later_is_not(
    guarded: Guarded, client: httpx2.Client
) -> None:
    now, data_dir = datetime.now(UTC), guarded.server.data_dir
    expired = issued_key(data_dir, "tenant-alpha", Scope.READ, expires_at=now - timedelta(seconds=1))
    assert code_of(client.get("/v1/detectors", headers=bearer(expired))) == (401, "UNAUTHORIZED")
    valid = issued_key(data_dir, "tenant-alpha", Scope.READ, expires_at=now + timedelta(minutes=5))
    assert client.get("/v1/detectors", headers=bearer(valid)).status_code == 200


def test_a_new_key_works_at_once_and_a_revoked_one_not_two_seconds_later(
    guarded: Guarded, client: httpx2.Client
) -> None:
    data_dir = guarded.server.data_dir
    key = created_key(data_dir, "tenant-gamma", "--days", "1")
    assert client.get("/v1/detectors", headers=bearer(key)).status_code == 200
    listed = run_cli("keys", "list", "--data-dir", data_dir).stdout.decode()
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in listed.splitlines()}
    assert rows[key[3:19]][1:3] == ["tenant-gamma", "assess read"]
    assert rows[guarded.alpha[3:19]][:2] == ["alpha's gateway", "tenant-alpha"]
    assert key[20:] not in listed
    revoked = run_cli("keys", "revoke", key[3:19], "--data-dir", data_dir)
    assert (revoked.returncode, revoked.stdout.strip()) == (0, b"revoked")
    revoked_at = time.monotonic()
    unknown = run_cli("keys", "revoke", "0" * 16, "--data-dir", data_dir)
    assert (unknown.returncode, unknown.stderr.count(b"\n")) == (2, 1)
    assert b"NOT_FOUND" in unknown.stderr
    time.sleep(max(0.0, revoked_at + 2.05 - time.monotonic()))
    assert code_of(client.get("/v1/detectors", headers=bearer(key))) == (401, "UNAUTHORIZED")


def test_the_database_has_nothing_that_opens_it(guarded: Guarded, client: httpx2.Client) -> None:
    files = [path for path in guarded.server.data_dir.glob("platform.db*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    for key in (guarded.alpha, guarded.alpha_reads, guarded.beta):
        assert key[3:19].encode() in stored, "the id finds the record"
        assert key[20:].encode() not in stored
        assert base64.urlsafe_b64decode(key[20:] + "=") not in stored

    with sqlite3.connect(guarded.server.data_dir / "platform.db") as database:
        hashes = database.execute("SELECT key_id, secret_hash FROM api_keys").fetchall()
    assert len(hashes) >= 3
    for key_id, secret_hash in hashes:
        replayed = base64.urlsafe_b64encode(secret_hash).decode().rstrip("=")
        assert code_of(client.get("/v1/detectors", headers=bearer(f"lm_{key_id}_{replayed}")))[0] == 401


def test_a_key_of_a_malformed_tenant_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    run = run_cli("keys", "create", "--tenant", "Not A Tenant", "--data-dir", tmp_path)
    assert (run.returncode, run.stdout, run.stderr.count(b"\n")) == (2, b"", 1)
    assert b"INVALID_REQUEST" in run.stderr


def test_the_first_key_ends_the_keyless_time_and_is_never_taken_for_the_local_tenant(tmp_path: Path) -> None:
    with serving(tmp_path, LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as server, server.client() as client:
        assert client.post("/v1/assessments", json=TEXT).json()["tenant_id"] == "local"
        anything = client.post("/v1/assessments", json=TEXT, headers=bearer("sk-anything"))
        assert anything.json()["tenant_id"] == "local", "clients that insist on sending a key"
        key = issued_key(server.data_dir, "tenant-alpha", Scope.ASSESS)
        until = time.monotonic() + 2.05
        first = client.post("/v1/assessments", json=TEXT, headers=bearer(key))
        assert first.json()["tenant_id"] == "tenant-alpha"
        time.sleep(max(0.0, until - time.monotonic()))
        assert code_of(client.post("/v1/assessments", json=TEXT)) == (401, "UNAUTHORIZED")
        assert code_of(client.post("/v1/assessments", json=TEXT, headers=bearer("sk-anything")))[0] == 401


@pytest.mark.parametrize("context", ["analysis", "mapping"])
def test_a_service_behind_the_front_door_answers_only_to_the_link_secret(split: Server, context: str) -> None:
    port = split.port + {"analysis": 1, "mapping": 2}[context]
    path = {"analysis": "/v1/analyze", "mapping": "/v1/map:batch"}[context]
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for headers in ({}, bearer("another secret"), bearer(LINK_SECRET + "x"), bearer(LINK_SECRET[:-1])):
            assert code_of(client.post(path, json=UNKNOWN, headers=headers)) == (401, "UNAUTHORIZED")
        known = client.post(path, json=UNKNOWN | {"tenant_id": "acme"}, headers=bearer(LINK_SECRET))
        assert known.status_code == {"analysis": 400, "mapping": 200}[context]


def test_the_front_door_reaches_the_services_behind_it_by_the_secret(split: Server) -> None:
    with split.client() as client:
        answer = client.post("/v1/assessments", json=TEXT)
    assert answer.status_code == 200, answer.text
    assert answer.json()["tenant_id"] == "local"


def test_the_holder_of_the_link_secret_acts_for_the_tenant_it_names(split: Server) -> None:
    with split.client(headers=bearer(LINK_SECRET)) as client:
        for tenant in ("acme", "globex"):
            answer = client.post("/v1/orchestrate", json={"content": "x", "tenant_id": tenant})
            assert answer.json()["tenant_id"] == tenant
        assert code_of(client.post("/v1/orchestrate", json={"content": "x"})) == (400, "INVALID_REQUEST")
