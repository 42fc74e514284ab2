"""`llama-mapper schemas deploy` and `defaults`, on a data directory of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.entrypoints.cli.main import app
from tests.support.schemas import TOLD, serving_schemas, two_versions


@pytest.fixture(autouse=True)
def _two_versions() -> Iterator[None]:
    with serving_schemas(two_versions(with_others=True)):
        yield


def command(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["schemas", *arguments, "--json", "--data-dir", str(folder)])


def shares(folder: Path, *arguments: str) -> dict[int, float]:
    found = json.loads(command(folder, "defaults", *arguments).stdout)
    return {one["major"]: one["percent"] for one in found if one["model"] == TOLD}


def test_a_version_is_deployed_for_the_tenants_named_and_the_defaults_tell_it(tmp_path: Path) -> None:
    assert shares(tmp_path) == {2: 100.0}
    begun = command(tmp_path, "deploy", TOLD, "1", "--stage", "20", "--tenant", "acme", "--by-hand", "--as", "anna")
    assert begun.exit_code == 0, begun.exception
    release = json.loads(begun.stdout)
    assert (release["plan"]["candidate"], release["plan"]["stages"]) == (f"{TOLD}:1", [20.0, 100.0])
    assert (release["started_by"], release["plan"]["automatic"]) == ("anna", False)
    assert shares(tmp_path, "--tenant", "acme") == {1: 20.0, 2: 80.0}
    assert shares(tmp_path) == {2: 100.0}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((TOLD, "2"), "RELEASE_STATE"), ((TOLD, "7"), "RELEASE_GATE_FAILED"), (("Nothing", "1"), "NOT_FOUND")],
)
def test_what_cannot_be_deployed_is_refused(tmp_path: Path, arguments: tuple[str, str], code: str) -> None:
    refused = command(tmp_path, "deploy", *arguments)
    assert isinstance(refused.exception, ServiceError)
    assert refused.exception.error_code.value == code
