"""The example set goes through every door, with the same outcome, and as its expectations say."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llama_mapper import LlamaMapper
from tests.support.servers import ROOT, Server, run_cli

ITEMS = Path(ROOT, "examples", "mixed.jsonl")
EXPECTATIONS = Path(ROOT, "examples", "expectations.jsonl")
FRAMEWORKS = ["soc2", "gdpr", "hipaa", "iso27001:2013", "iso27001"]
SEED_CATEGORIES = {
    "pii.personal_identifiers",
    "pii.financial_data",
    "pii.health_records",
    "security.credentials",
    "security.tokens",
    "content.toxic_language",
    "content.hate_speech",
    "content.violence",
}

Record = dict[str, Any]
Outcome = dict[str, Any]


def read(path: Path) -> dict[str, Record]:
    return {row["id"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def outcome(record: Record) -> Outcome:
    """What every door must agree on: everything but ids, times, and digests under an installation's own key."""
    return {
        "findings": sorted(
            (
                [finding[name] for name in ("detector", "label", "score", "category", "span", "upheld")]
                for finding in record["analysis"]["findings"]
            ),
            key=str,
        ),
        "verdict": record["verdict"],
        "coverage": record["orchestration"]["coverage"],
        "compliance": record["analysis"]["compliance_mappings"],
        "taxonomy": record["mapping"]["taxonomy"],
        "scores": record["mapping"]["scores"],
        "labels": record["mapping"]["labels"],
        "controls": record["mapping"]["framework_mappings"],
    }


@pytest.fixture(scope="module")
def items() -> dict[str, Record]:
    return read(ITEMS)


@pytest.fixture(scope="module")
def over_http(server: Server, items: dict[str, Record]) -> dict[str, Outcome]:
    return through_http(server, items)


def through_http(server: Server, items: dict[str, Record]) -> dict[str, Outcome]:
    outcomes = {}
    with server.client() as client:
        for name, item in items.items():
            body = {"content": item["content"], "content_type": item["content_type"], "frameworks": FRAMEWORKS}
            answer = client.post("/v1/assessments", json=body | {"processing_mode": "low"})
            assert answer.status_code == 200, (name, answer.text)
            outcomes[name] = outcome(answer.json())
    return outcomes


def flagged(one: Outcome) -> set[str]:
    return {".".join(label.split(".")[:2]) for label in one["taxonomy"]}


def test_the_set_is_mixed_and_every_item_has_its_expectation(items: dict[str, Record]) -> None:
    expectations = read(EXPECTATIONS)
    assert len(items) >= 40
    assert items.keys() == expectations.keys()
    assert len({row["language"] for row in expectations.values()}) >= 3
    assert sum(not row["must"] for row in expectations.values()) >= 8, "harmless look-alikes"


@pytest.mark.parametrize("name", read(EXPECTATIONS) if EXPECTATIONS.exists() else ["missing"])
def test_an_example_has_the_categories_it_must_and_none_that_it_must_not(
    over_http: dict[str, Outcome], name: str
) -> None:
    expected = read(EXPECTATIONS)[name]
    found = flagged(over_http[name])
    assert set(expected["must"]) <= found
    assert not set(expected["must_not"]) & found


def test_each_category_of_the_requirements_is_found_by_a_real_detector(over_http: dict[str, Outcome]) -> None:
    found = {
        finding[3]
        for one in over_http.values()
        for finding in one["findings"]
        if finding[5] and not finding[0].startswith("noop")
    }
    assert found >= SEED_CATEGORIES


def test_the_split_services_give_the_same(
    split: Server, items: dict[str, Record], over_http: dict[str, Outcome]
) -> None:
    assert through_http(split, items) == over_http


def test_the_command_line_gives_the_same(tmp_path: Path, over_http: dict[str, Outcome]) -> None:
    options = [part for framework in FRAMEWORKS for part in ("--framework", framework)]
    report = tmp_path / "report.html"
    run = run_cli("assess", ITEMS, "--json", "--report", report, "--data-dir", tmp_path / "data", *options)
    assert run.returncode == 0, run.stderr
    records = [outcome(json.loads(line)) for line in run.stdout.splitlines()]
    assert records == list(over_http.values())
    assert report.read_text().startswith("<!doctype html>")


async def test_the_library_gives_the_same(
    tmp_path: Path, items: dict[str, Record], over_http: dict[str, Outcome]
) -> None:
    async with LlamaMapper.open(data_dir=tmp_path) as mapper:
        gate = asyncio.Semaphore(4)

        async def one(item: Record) -> Outcome:
            async with gate:
                assessment = await mapper.assess(
                    item["content"], content_type=item["content_type"], frameworks=FRAMEWORKS, processing_mode="low"
                )
            return outcome(assessment.model_dump(mode="json"))

        outcomes = await asyncio.gather(*map(one, items.values()))
    assert dict(zip(items, outcomes, strict=True)) == over_http
