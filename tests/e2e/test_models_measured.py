"""Models are measured from the command line: a killed calibration goes on, and the mapping uses what it wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.neighbour_files import load_calibration
from llama_mapper.domain.contracts.evaluation import MappingEvaluation
from tests.support.llama_server import llama_server
from tests.support.servers import PROGRAM, run_cli
from tests.support.tiny_gguf import write_model

LIMIT = 20
LABELS = ("frobnicated parcel of misc", "zorb plea", "harmful stuff maybe", "bank thing", "user item", "unsafe act")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A model of random weights, behind a real server."""
    path = write_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf", layers=1)
    with llama_server(path) as server:
        model = {"kind": "llama_cpp", "url": server.url, "model": "tiny", "api_key_env": "TINY_KEY"}
        yield {
            "TINY_KEY": server.key,
            "LLAMA_MAPPER_GENERATION": json.dumps([model | {"prompt_price": "0.5", "version": "7"}]),
            "LLAMA_MAPPER_GENERATION_CANDIDATES": "2",
            "LLAMA_MAPPER_MAPPING_STAGE_TIMEOUT_MS": "60000",
        }


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The calibration of that model, made by two runs: the first was killed in the middle of asking."""
    folder = tmp_path_factory.mktemp("calibration")
    output, answers = folder / "own.yaml", folder / "own.yaml.answers.jsonl"
    command = ["catalogue", "calibrate", "--output", str(output), "--with-models", "--limit-labels", str(LIMIT)]
    with subprocess.Popen([PROGRAM, *command], env={**os.environ, **environment}, stdout=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 150
        while not answers.exists() or answers.read_bytes().count(b"\n") < 4:
            assert time.monotonic() < deadline
            assert killed.poll() is None
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
    assert not output.exists()
    before = answers.read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    again = run_cli(*command, environment=environment)
    assert again.returncode == 0, again.stderr
    after = answers.read_bytes()
    assert after.startswith(before)
    kept = [json.loads(line)["question"] for line in after.splitlines()[1:]]
    assert len(set(kept)) == len(kept) <= LIMIT
    return output


def test_the_calibration_names_the_model_that_it_is_for(calibrated: Path) -> None:
    calibration = load_calibration(calibrated)
    named = {identity for one in calibration.combinations for identity in one.identities.values()}
    (identity,) = named
    assert identity.startswith("llama_cpp/tiny@")
    assert identity.endswith("/hints")
    assert [list(one.stages) for one in calibration.combinations] == [["lexical"], ["model"], ["lexical", "model"]]


def faults(folder: Path, calibrated: Path, environment: dict[str, str]) -> set[str]:
    source = folder / "labels.jsonl"
    source.write_text("".join(json.dumps({"vendor": "nobody", "label": label}) + "\n" for label in LABELS))
    told = {**environment, "LLAMA_MAPPER_MAPPING_CALIBRATION": str(calibrated)}
    outcome = run_cli("map", source, "--data-dir", folder / "data", environment=told)
    assert outcome.returncode == 0, outcome.stderr
    answers = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert len(answers) == len(LABELS)
    return {fault for answer in answers for fault in answer["faults"]}


def test_the_mapping_trusts_that_model_and_no_other(
    calibrated: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    assert faults(tmp_path, calibrated, environment) == set()
    otherwise = {**environment, "LLAMA_MAPPER_GENERATION_CANDIDATES": "5"}
    assert faults(tmp_path, calibrated, otherwise) == {"model: not_calibrated"}


def test_a_model_is_a_row_of_an_evaluation(environment: dict[str, str], tmp_path: Path) -> None:
    outcome = run_cli(
        "evaluate", "mapping", "--strategy", "cascade-model", "--folds", "2",
        "--hold-out", "presidio", "--hold-out", "openai_moderation",
        "--limit-labels", 20, "--resamples", 20, "--latency-samples", 1,
        "--json", tmp_path / "e.json", "--report", tmp_path / "e.html", environment=environment,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    report = MappingEvaluation.model_validate_json((tmp_path / "e.json").read_bytes())
    assert len(report.items) == 20
    (whole,) = report.subjects
    assert whole.version is not None
    assert whole.version.startswith("llama_cpp/tiny@")
    assert whole.price.prompt == 500.0
    assert whole.reliability
    figures = whole.slices["all"].metrics  # type: ignore[index]  # its value
    tokens, cost = figures["tokens_per_label"].value, figures["usd_per_1000_labels"].value
    assert tokens
    assert cost == pytest.approx(tokens * 0.5, rel=0.1)
    asked = sum(count > 0 for count in whole.answers.prompt_tokens)
    assert 0 < asked < 20, "the cascade asks the model for what is unsure alone"
    assert "llama_cpp/tiny@" in (tmp_path / "e.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("catalogue", "calibrate", "--output", "c.yaml", "--limit-labels", "50"), b"add --with-models"),
        (("catalogue", "calibrate", "--output", "c.yaml", "--with-models"), b"no model is set up"),
        (("evaluate", "mapping", "--strategy", "model"), b"no model is set up"),
    ],
)
def test_without_a_model_it_is_said_what_is_missing(arguments: tuple[str, ...], said: bytes, tmp_path: Path) -> None:
    outcome = run_cli(*arguments, "--data-dir", tmp_path)
    assert outcome.returncode == 2
    assert said in outcome.stderr
