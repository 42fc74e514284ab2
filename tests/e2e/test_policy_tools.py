"""Looking at a policy before it decides anything: over HTTP and from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import word_detectors
from tests.support.servers import run_cli

MARK = "anna@example.com"
RECORDS = 6
TOO_NEW = 99


@dataclass(frozen=True, slots=True)
class Past:
    """An installation with some records."""

    data_dir: Path
    client: httpx2.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def past(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Past]:
    """Six records by the default policy, half of them with a finding."""
    settings = Settings.load(data_dir=tmp_path_factory.mktemp("past"), detector_workers=0)
    async with running_monolith(settings, word_detectors()) as running:
        transport = httpx2.ASGITransport(application_of(running, settings, front=True))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for number in range(RECORDS):
                text = f"write to {MARK}" if number % 2 else "nothing here"
                assert (await client.post("/v1/assessments", json={"content": text})).status_code in (200, 206)
            yield Past(settings.data_dir, client)


async def simulate(past: Past, policy: str, **body: Any) -> httpx2.Response:
    name, _, version = policy.partition("@")
    return await past.client.post(f"/v1/policies/{name}/versions/{version}:simulate", json=body)


async def version_of(past: Past, name: str) -> str:
    items = (await past.client.get("/v1/policies")).json()["items"]
    return next(f"{name}@{item['version']}" for item in items if item["bundle"] == name)


async def test_the_policy_in_force_would_change_nothing(past: Past) -> None:
    answer = await simulate(past, await version_of(past, "default"))
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["records"], report["judged"], report["unchanged"]) == (RECORDS, RECORDS, RECORDS)
    assert (report["changes"], report["missing_detectors"]) == ([], [])


async def test_a_stricter_policy_is_told_by_what_it_would_change(past: Past) -> None:
    report = (await simulate(past, await version_of(past, "strict"))).json()
    assert report["judged"] == RECORDS
    assert sum(change["count"] for change in report["changes"]) + report["unchanged"] == RECORDS
    assert all(change["after"] == "block" for change in report["changes"])
    [first] = report["changes"][:1]
    sample = await past.client.get(f"/v1/assessments/{first['samples'][0]}")
    assert sample.json()["verdict"]["action"] == first["before"]


async def test_no_more_records_are_read_than_asked_for(past: Past) -> None:
    assert (await simulate(past, await version_of(past, "default"), limit=4)).json()["records"] == 4


@pytest.mark.parametrize("policy", ["default@no-such-version", "nobody@1"])
async def test_a_policy_that_is_not_there_is_refused(past: Past, policy: str) -> None:
    answer = await simulate(past, policy)
    assert (answer.status_code, answer.json()["code"]) == (400, "POLICY_NOT_FOUND")


@pytest.mark.parametrize("limit", [0, 10_001, "7", None])
async def test_a_limit_out_of_range_is_refused(past: Past, limit: object) -> None:
    assert (await simulate(past, "default@1", limit=limit)).status_code in (400, 422)


def bundle(folder: Path, **changes: Any) -> Path:
    """A bundle in a folder that always wants a detector nobody has, unless told otherwise."""
    folder.mkdir()
    manifest = {"name": "own", "version": "1", "description": "", **changes}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "policy.rego").write_text(POLICY)
    (folder / "policy_test.rego").write_text(TESTS)
    return folder


POLICY = """\
package llama_mapper.policy

import rego.v1

terms := {"weight": 1, "timeout_ms": 1000, "failure_mode": "fail_open", "clean_confidence": 0.5}

plan := {
	"categories": [],
	"detectors": {"primary": ["newcomer"], "secondary": [], "terms": {"newcomer": terms}},
	"coverage": {"method": "required_set", "threshold": 1, "requirements": {}, "on_insufficient": "flag",
		"language_gaps": "report"},
	"conflicts": {"default": "most_restrictive", "categories": {}},
	"actions": {"default": [{"threshold": 0.5, "action": "flag"}], "categories": {}},
	"timeout_ms": 2000,
	"routing_reason": "always the newcomer",
}
"""
TESTS = """\
package llama_mapper.policy_test

import rego.v1

test_the_newcomer_is_asked if data.llama_mapper.policy.plan.detectors.primary == ["newcomer"]

test_that_fails if data.llama_mapper.policy.plan.timeout_ms == 1
"""


def test_the_command_counts_what_it_cannot_know(past: Past, tmp_path: Path) -> None:
    run = run_cli("policies", "simulate", bundle(tmp_path / "own"), "--data-dir", past.data_dir, "--json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert (report["records"], report["judged"], report["unknown"]) == (RECORDS, 0, RECORDS)
    assert report["missing_detectors"] == [{"detector": "newcomer", "records": RECORDS}]
    assert MARK.encode() not in run.stdout + run.stderr
    named = run_cli("policies", "simulate", "nobody@1", "--data-dir", past.data_dir)
    assert (named.returncode, b"POLICY_NOT_FOUND" in named.stderr) == (2, True)


def test_lint_runs_the_bundles_tests_and_names_what_does_not_exist(past: Past, tmp_path: Path) -> None:
    run = run_cli("policies", "lint", bundle(tmp_path / "own"), "--data-dir", past.data_dir, "--json")
    report = json.loads(run.stdout)
    assert (run.returncode, report["valid"]) == (1, False)
    assert [test["passed"] for test in report["tests"]] == [True, False]
    assert {problem["code"] for problem in report["problems"] if problem["severity"] == "error"} == {
        "TEST_FAILED",
        "UNKNOWN_DETECTOR",
    }


def test_migrate_writes_a_folder_beside_and_a_newer_bundle_is_refused(tmp_path: Path) -> None:
    run = run_cli("policies", "migrate", bundle(tmp_path / "own"))
    assert run.returncode == 0, run.stderr
    manifest = json.loads((tmp_path / "own-migrated" / "bundle.json").read_text())
    assert (manifest["schema"], manifest["version"]) == (2, "1+schema.2")
    newer = bundle(tmp_path / "newer", schema=TOO_NEW)
    for command in (("migrate", newer), ("add", newer, "--data-dir", tmp_path / "data")):
        refused = run_cli("policies", *command)
        assert (refused.returncode, b"POLICY_SCHEMA_UNSUPPORTED" in refused.stderr) == (2, True)
