"""What was not judged is said: 206, the gaps by name, and every answer that there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import Server, serving, starting, wait_until_loaded


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one of the detectors that the default policy asks for."""
    with serving(tmp_path_factory.mktemp("thin"), LLAMA_MAPPER_DETECTORS="violence") as running:
        yield running


@pytest.fixture(scope="module")
def none(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose detectors do not run."""
    with starting(tmp_path_factory.mktemp("none"), (), {"LLAMA_MAPPER_DETECTOR_WORKERS": "0"}) as running:
        wait_until_loaded(running, loaded=False)
        yield running


def test_coverage_below_the_threshold_is_partial_content_with_the_gaps_named(thin: Server) -> None:
    with thin.client() as client:
        answer = client.post("/v1/assessments", json={"content": "I will kill you tonight"})
        record = answer.json()
        assert answer.status_code == 206
        coverage = record["orchestration"]["coverage"]
        assert not coverage["sufficient"]
        assert coverage["achieved"] < coverage["threshold"]
        assert {"security.credentials", "pii.personal_identifiers"} <= {gap["subject"] for gap in coverage["gaps"]}
        assert record["mapping"]["taxonomy"] == ["content.violence.threat"]
        assert "coverage_insufficient" in {reason["code"] for reason in record["verdict"]["reasons"]}
        assert client.get(f"/v1/assessments/{record['id']}").content == answer.content
        assert "llama_mapper_partial_coverage_total 1.0" in client.get("/metrics").text


def test_what_was_asked_for_is_all_that_must_be_covered(thin: Server) -> None:
    with thin.client() as client:
        body = {"content": "I will kill you tonight", "categories": ["content.violence"]}
        assert client.post("/v1/assessments", json=body).status_code == 200


def test_no_detector_at_all_is_a_bad_gateway_that_may_be_retried_and_stores_nothing(none: Server) -> None:
    with none.client() as client:
        answer = client.post("/v1/assessments", json={"content": "hello"})
    assert (answer.status_code, answer.json()["code"]) == (502, "ALL_DETECTORS_UNAVAILABLE")
    assert answer.json()["retryable"] is True


def test_an_unready_detector_is_told_and_leaves_the_service_ready(none: Server) -> None:
    with none.client() as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert "detector.violence" in answer.json()["notes"]
