"""Jobs through the real doors: background answers, batches, cancelling, webhooks, and servers that die."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from tests.e2e.conftest import FEW_DETECTORS, Guarded
from tests.support.receivers import HANG, Receiver, receiving
from tests.support.servers import Server, run_cli, serving

MARK = "Jb4Wn8Rt"
ENDED = {"succeeded", "failed", "cancelled", "interrupted"}
QUICK = {
    "LLAMA_MAPPER_DETECTORS": FEW_DETECTORS,
    "LLAMA_MAPPER_JOB_LEASE_S": "1",
    "LLAMA_MAPPER_WEBHOOK_HOSTS": "127.0.0.1",
    "LLAMA_MAPPER_WEBHOOK_ATTEMPTS": "5",
    "LLAMA_MAPPER_WEBHOOK_BACKOFF_S": "0.05",
    "LLAMA_MAPPER_WEBHOOK_TIMEOUT_S": "0.5",
    "LLAMA_MAPPER_LOG_LEVEL": "DEBUG",
}


def until(client: httpx2.Client, path: str, good: Callable[[dict[str, Any]], bool], limit_s: float = 90.0) -> Any:
    """The job at `path` as soon as it is as wanted."""
    ends = time.monotonic() + limit_s
    while not good(job := client.get(path).raise_for_status().json()):
        assert time.monotonic() < ends, job
        time.sleep(0.02)
    return job


def ended(client: httpx2.Client, path: str) -> Any:
    return until(client, path, lambda job: job["status"] in ENDED)


def submitted(client: httpx2.Client, items: int = 2, *, text: str = "I will kill you", **more: object) -> Any:
    """A batch that was accepted."""
    batch = {"items": [{"content": f"{text} {MARK}", "ref": f"r-{n}"} for n in range(items)], **more}
    answer = client.post("/v1/assessments:batch", json=batch)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return answer.json()


def kept(folder: Path) -> list[Path]:
    """Files with the mark of the content in them."""
    return [path for path in folder.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]


def records_in(server: Server) -> set[str]:
    with sqlite3.connect(server.data_dir / "assessment.db") as database:
        return {row[0] for row in database.execute("SELECT id FROM assessments")}


def test_who_prefers_an_answer_in_the_background_gets_a_job_and_its_record(server: Server) -> None:
    with server.client() as client:
        text = {"content": "My card is 4111 1111 1111 1111.", "frameworks": ["pci_dss"]}
        answer = client.post("/v1/assessments", json=text, headers={"prefer": "handling=lenient, Respond-Async;x=1"})
        assert answer.status_code == 202, answer.text
        assert answer.headers["preference-applied"] == "respond-async"
        job = ended(client, answer.headers["location"])
        assert (job["kind"], job["status"]) == ("assessment", "succeeded")
        [item] = job["items"]
        record = client.get(f"/v1/assessments/{item['assessment_id']}").json()
        assert [mapping["framework"] for mapping in record["analysis"]["compliance_mappings"]] == ["pci_dss"]
        assert client.post("/v1/assessments", json=text, headers={"prefer": "wait=5"}).status_code in (200, 206)


def test_a_batch_answers_for_every_item_by_its_ref(server: Server) -> None:
    batch = {
        "defaults": {"frameworks": ["gdpr"]},
        "items": [
            {"content": "Write to anna@example.com", "ref": "mail"},
            {"content": "Nothing here", "ref": "policy", "policy_bundle": "nobody"},
            {"content": "Write to bert@example.com", "frameworks": ["soc2"]},
        ],
    }
    with server.client() as client:
        accepted = client.post("/v1/assessments:batch", json=batch)
        assert accepted.status_code == 202, accepted.text
        job = ended(client, accepted.headers["location"])
        assert (job["status"], job["progress"]) == ("failed", {"done": 2, "failed": 1, "total": 3})
        first, second, third = job["items"]
        assert [first["ref"], second["ref"], third["ref"]] == ["mail", "policy", None]
        assert (second["assessment_id"], second["error"]["code"]) == (None, "POLICY_NOT_FOUND")
        for item, framework in ((first, "gdpr"), (third, "soc2")):
            record = client.get(f"/v1/assessments/{item['assessment_id']}").json()
            assert {m["framework"] for m in record["analysis"]["compliance_mappings"]} == {framework}
        assert job["id"] in [listed["id"] for listed in client.get("/v1/jobs").json()["items"]]
        assert client.get("/v1/jobs", params={"limit": 0}).json()["code"] == "INVALID_REQUEST"


def test_a_batch_with_one_malformed_item_is_refused_as_a_whole(server: Server) -> None:
    with server.client() as client:
        before = client.get("/v1/jobs", params={"limit": 1}).json()["items"]
        answer = client.post("/v1/assessments:batch", json={"items": [{"content": "x"}, {"content": ""}]})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "items.1.content")
        for url in ("https://127.0.0.1/x", "http://example.com/x"):
            refused = client.post("/v1/assessments:batch", json={"items": [{"content": "x"}], "webhook": {"url": url}})
            assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST"), url
        assert client.get("/v1/jobs", params={"limit": 1}).json()["items"] == before


def test_a_tenant_sees_and_ends_only_its_own_jobs(guarded: Guarded) -> None:
    with (
        guarded.server.client(headers={"x-api-key": guarded.alpha}) as alpha,
        guarded.server.client(headers={"x-api-key": guarded.beta}) as beta,
        guarded.server.client(headers={"x-api-key": guarded.alpha_reads}) as reader,
    ):
        path = f"/v1/jobs/{submitted(alpha)['id']}"
        assert [call(path).status_code for call in (beta.get, beta.delete)] == [404, 404]
        assert beta.get("/v1/jobs").json()["items"] == []
        assert [reader.get(path).status_code, reader.delete(path).status_code] == [200, 403]
        foreign = {"items": [{"content": "x"}, {"content": "x", "tenant_id": "tenant-beta"}]}
        refused = alpha.post("/v1/assessments:batch", json=foreign)
        assert (refused.status_code, refused.json()["code"]) == (403, "TENANT_MISMATCH")
        assert ended(alpha, path)["status"] == "succeeded"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that allows webhooks to this machine and soon tries again."""
    with serving(tmp_path_factory.mktemp("jobs"), **QUICK) as running:
        yield running


def test_the_command_line_lists_shows_waits_and_cancels(quick: Server) -> None:
    address = ("--url", quick.url)
    with quick.client() as client:
        job = submitted(client, 3)["id"]
        waited = run_cli("jobs", "wait", job, "--timeout", 60, "--json", *address)
        assert (waited.returncode, waited.stderr) == (0, b"")
        assert json.loads(waited.stdout) == client.get(f"/v1/jobs/{job}").json()
        listed = run_cli("jobs", "list", *address)
        assert [job, "succeeded", "3", "0", "3"] in [
            line.split("\t")[:5] for line in listed.stdout.decode().splitlines()
        ]
        shown = run_cli("jobs", "show", job, environment={"LLAMA_MAPPER_URL": quick.url})
        assert shown.stdout.decode().splitlines()[1].startswith("0\tr-0\tasm_")
        assert run_cli("jobs", "cancel", job, *address).returncode == 0
        missing = run_cli("jobs", "show", "job_none", *address)
        assert (missing.returncode, b"NOT_FOUND" in missing.stderr) == (2, True)
        failing = submitted(client, 1, defaults={"policy_bundle": "nobody"})["id"]
        assert run_cli("jobs", "wait", failing, *address).returncode == 1
    away = run_cli("jobs", "list", "--url", "http://127.0.0.1:9")
    assert (away.returncode, b"SERVICE_UNAVAILABLE" in away.stderr) == (2, True)


def test_cancelling_ends_a_running_batch_and_keeps_what_was_done(quick: Server) -> None:
    with quick.client() as client:
        path = f"/v1/jobs/{submitted(client, 1000, text='I will kill you. ' * 200)['id']}"
        until(client, path, lambda job: job["progress"]["done"] >= 5)
        answer = client.delete(path)
        assert answer.status_code == 200, answer.text
        job = answer.json()
        assert job["status"] == "cancelled"
        assert 5 <= job["progress"]["done"] < 1000
        assert client.delete(path).json() == job
        for item in job["items"]:
            if item["assessment_id"]:
                assert client.get(f"/v1/assessments/{item['assessment_id']}").status_code == 200
        metrics = client.get("/metrics").text
    assert 'llama_mapper_jobs_total{kind="assessment_batch",status="cancelled"} 1.0' in metrics
    assert "llama_mapper_job_items_waiting 0.0" in metrics


def verified(job: Any, receiver: Receiver) -> Any:
    """The events that came, each with a good signature, all of one id and without content."""
    events = []
    for path, headers, body in receiver.got:
        assert path == "/told?token=1"
        assert MARK.encode() not in body
        events.append(Webhook(job["webhook_secret"]).verify(body, headers))
        assert headers["content-type"] == "application/json"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert all(event == events[0] for event in events)
    return events[0]


def test_a_receiver_that_fails_hangs_and_redirects_is_told_in_the_end(quick: Server) -> None:
    with (
        receiving([200]) as elsewhere,
        receiving([500, HANG, 302, 204], elsewhere.url) as receiver,
        quick.client() as client,
    ):
        job = submitted(client, webhook={"url": f"{receiver.url}/told?token=1"})
        path = f"/v1/jobs/{job['id']}"
        told = until(client, path, lambda now: now["webhook"]["status"] != "pending")["webhook"]
        assert (told["status"], told["attempts"], told["last_status"]) == ("delivered", 4, 204)
        assert told["delivered_at"]
        assert told["next_attempt_at"] is None
        assert elsewhere.got == [], "no redirect is followed"
        event = verified(job, receiver)
        assert (event["type"], event["data"]["id"]) == ("job.succeeded", job["id"])
        assert "webhook_secret" not in client.get(path).json()
    assert job["webhook_secret"] not in quick.output.read_text()
    assert job["webhook_secret"].encode()[6:20] not in (quick.data_dir / "assessment.db").read_bytes()


def test_a_receiver_that_never_takes_it_is_given_up(quick: Server) -> None:
    with receiving([503]) as receiver, quick.client() as client:
        job = submitted(client, webhook={"url": f"{receiver.url}/told?token=1"})
        told = until(client, f"/v1/jobs/{job['id']}", lambda now: now["webhook"]["status"] != "pending")["webhook"]
        assert (told["status"], told["attempts"], told["last_status"]) == ("given_up", 5, 503)
        assert len(receiver.got) == 5


def test_a_receiver_that_is_gone_is_not_asked_again(quick: Server) -> None:
    with receiving([410]) as receiver, quick.client() as client:
        job = submitted(client, webhook={"url": receiver.url + "/told?token=1"})
        told = until(client, f"/v1/jobs/{job['id']}", lambda now: now["webhook"]["status"] != "pending")["webhook"]
    assert (told["status"], told["attempts"]) == ("given_up", 1)


def test_a_name_that_leads_to_this_machine_is_refused(server: Server) -> None:
    with server.client() as client:
        job = submitted(client, webhook={"url": f"https://localhost:{server.port}/v1/jobs"})
        told = until(client, f"/v1/jobs/{job['id']}", lambda now: now["webhook"]["status"] != "pending")["webhook"]
    assert (told["status"], told["attempts"]) == ("given_up", 1)
    assert (told["last_fault"], told["last_status"]) == ("ADDRESS_REFUSED", None)


def test_a_killed_server_leaves_nothing_lost_nothing_doubled_and_nothing_of_the_content(tmp_path: Path) -> None:
    patient = QUICK | {"LLAMA_MAPPER_WEBHOOK_ATTEMPTS": "20", "LLAMA_MAPPER_WEBHOOK_BACKOFF_S": "1"}
    with receiving([500]) as receiver:
        with serving(tmp_path, **patient) as server, server.client() as client:
            first = submitted(client, 1, webhook={"url": f"{receiver.url}/told?token=1"})
            ended(client, f"/v1/jobs/{first['id']}")
            receiver.wait_for(1)
            job = submitted(client, 1000, text="I will kill you. " * 200)
            queued = submitted(client, 2)
            path = f"/v1/jobs/{job['id']}"
            until(client, path, lambda now: now["progress"]["done"] >= 20)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        assert kept(tmp_path) == []
        receiver.answers[:] = [204]
        with serving(tmp_path, **patient) as server, server.client() as client:
            interrupted = ended(client, path)
            never_begun = ended(client, f"/v1/jobs/{queued['id']}")
            told = until(client, f"/v1/jobs/{first['id']}", lambda now: now["webhook"]["status"] != "pending")
            stored = records_in(server)
            done = [item["assessment_id"] for item in interrupted["items"] if item["assessment_id"]]
            assert {client.get(f"/v1/assessments/{record}").status_code for record in done} == {200}
        assert told["webhook"]["status"] == "delivered", "an event outlives the process"
        verified(first, receiver)
    for lost in (interrupted, never_begun):
        assert (lost["status"], lost["error"]["code"], lost["error"]["retryable"]) == (
            "interrupted",
            "JOB_INTERRUPTED",
            True,
        )
    assert never_begun["progress"]["failed"] == 0
    assert 20 <= len(done) == interrupted["progress"]["done"] < 1000
    assert len(set(done)) == len(done)
    others = {item["assessment_id"] for item in (told["items"] + never_begun["items"])} - {None}
    assert set(done) | others == stored, "each record is an item's, and each done item has a record"
    assert kept(tmp_path) == []


def test_a_stopped_server_ends_what_it_can_and_interrupts_the_rest(tmp_path: Path) -> None:
    with serving(tmp_path, LLAMA_MAPPER_JOB_GRACE_S="0.2", **QUICK) as server, server.client() as client:
        job = submitted(client, 1000, text="I will kill you. " * 200)
        until(client, f"/v1/jobs/{job['id']}", lambda now: now["progress"]["done"] >= 5)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
    with sqlite3.connect(server.data_dir / "assessment.db") as database:
        [(status, done, failed)] = database.execute("SELECT status, done, failed FROM jobs")
        [(items,)] = database.execute("SELECT count(*) FROM job_items WHERE done")
    assert (status, failed) == ("interrupted", 0)
    assert done == items == len(records_in(server))
    assert b"Traceback" not in server.output.read_bytes()
    assert kept(tmp_path) == []


def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    small = QUICK | {"LLAMA_MAPPER_BATCH_LIMIT": "100", "LLAMA_MAPPER_JOB_QUEUE_ITEMS": "100"}
    with serving(tmp_path, LLAMA_MAPPER_JOB_CONCURRENCY="1", **small) as server, server.client() as client:
        job = submitted(client, 100, text="I will kill you. " * 2000)
        batch = {"items": [{"content": "x"}] * 90}
        refused = client.post("/v1/assessments:batch", json=batch)
        assert (refused.status_code, refused.json()["code"]) == (429, "JOB_QUEUE_FULL"), refused.text
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["retryable"] is True
        assert client.post("/v1/assessments", json={"content": "x"}).status_code in (200, 206)
        client.delete(f"/v1/jobs/{job['id']}")
        assert client.post("/v1/assessments:batch", json=batch).status_code == 202
