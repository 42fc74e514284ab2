"""The example plugin, installed as a package and used through the doors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.servers import ROOT, run_cli


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of a process in which the example plugin is installed."""
    folder, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source") / "plugin"
    subprocess.run(["cp", "-r", str(ROOT / "examples" / "plugin"), str(source)], check=True)  # a build leaves files
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", str(folder), str(source)], check=True)
    return os.environ | {"PYTHONPATH": str(folder), "LLAMA_MAPPER_DETECTORS": "language"}


def test_the_example_plugin_is_listed_and_has_no_fault(installed: Mapping[str, str], tmp_path: Path) -> None:
    checked = run_cli("plugins", "check", "--json", "--data-dir", tmp_path, environment=installed)
    [state] = json.loads(checked.stdout)
    assert (checked.returncode, state["reason"]) == (0, ""), checked.stderr
    assert state["package"] == "llama-mapper-shouting 1.0.0"
    assert (state["brings"]["detectors"], state["brings"]["scanners"]) == (["exclamation"], ["shouting"])
    assert (state["brings"]["policies"], state["brings"]["hooks"]) == (["shouting_only@1.0.0"], ["verdict_counter"])


def test_its_policy_asks_its_detectors_and_its_hook_takes_part(installed: Mapping[str, str], tmp_path: Path) -> None:
    arguments = ("assess", "--policy", "shouting_only", "--json", "--data-dir", tmp_path, "-")
    done = run_cli(*arguments, stdin=b"WAKE EVERYBODY up!!!\n", environment=installed)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    results = {result["detector"]: result for result in record["orchestration"]["detector_results"]}
    assert [finding["span"] for finding in results["shouting"]["findings"]] == [
        {"start": 0, "end": 4},
        {"start": 5, "end": 14},
    ]
    assert results["exclamation"]["output"] == "EXCLAMATION"
    assert record["verdict"]["action"] == "flag"
    steps = [step["component"] for step in record["orchestration"]["provenance"]]
    assert steps.count("hook:verdict_counter") == 3
    assert {label["stage"] for label in record["mapping"]["labels"]} == {"declared"}


def test_wrong_settings_of_a_plugin_are_told_and_the_rest_works(installed: Mapping[str, str], tmp_path: Path) -> None:
    environment = dict(installed) | {"LLAMA_MAPPER_PLUGINS": json.dumps({"shouting": {"exclamation_marks": 0}})}
    listed = run_cli("plugins", "list", "--json", "--data-dir", tmp_path, environment=environment)
    assert json.loads(listed.stdout)[0]["reason"] == "its settings failed: ValueError"
    assert run_cli("plugins", "check", "--data-dir", tmp_path, environment=environment).returncode == 1
    done = run_cli("assess", "--json", "--data-dir", tmp_path, "-", stdin=b"hello\n", environment=environment)
    assert done.returncode == 0
