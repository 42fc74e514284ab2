"""The OpenAPI document is valid, committed, and true: nothing is answered that it does not say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.e2e.conftest import FEW_DETECTORS
from tests.support.servers import ROOT, Server, run_cli, serving

COMMITTED = Path(ROOT, "docs", "openapi.json")


def test_the_committed_document_is_what_the_code_gives() -> None:
    printed = run_cli("openapi")
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == json.loads(COMMITTED.read_text()), "run `make openapi`"


def test_the_document_is_valid() -> None:
    validate(json.loads(COMMITTED.read_text()))


def test_the_server_serves_the_same_document(server: Server) -> None:
    with server.client() as client:
        assert client.get("/openapi.json").json() == json.loads(COMMITTED.read_text())


def test_the_docs_page_names_every_operation_and_fetches_nothing(server: Server) -> None:
    with server.client() as client:
        page = client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for methods in json.loads(COMMITTED.read_text())["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this file alone: generated requests register detectors too, which serve everybody."""
    with serving(tmp_path_factory.mktemp("generated"), LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as running:
        yield running


def test_no_generated_request_is_answered_off_the_document_or_with_a_server_error(own: Server, tmp_path: Path) -> None:
    # Which bodies are valid beyond their shape (a known policy, a known framework) the document cannot say, so that
    # a refusal of well-formed input is no fault; everything else that schemathesis can check is checked.
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
        "response_schema_conformance,negative_data_rejection,unsupported_method,allow_header_conformance"
    )
    outcome = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{own.url}/openapi.json",
            f"--checks={checks}",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=15",
            "--generation-deterministic",
            "--suppress-health-check=all",
            "--warnings=off",
            "--no-color",
        ],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-6000:]
