"""Evaluations from the command line: what they write, how a killed one goes on, and how a gate judges them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_mapper.domain.contracts.evaluation import MappingEvaluation
from llama_mapper.domain.contracts.published import published_schemas
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.entrypoints.cli.evaluate import app
from tests.support.servers import PROGRAM, run_cli

QUICK = ("--strategy", "majority", "--strategy", "catalogue-normalised", "--resamples", "50")
SLOWER = ("--strategy", "catalogue-normalised", "--strategy", "nearest-spelling", "--folds", "4", "--resamples", "20")
TIMES = {"latency_p50_ms", "latency_p99_ms", "batch_label_ms"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the reports of one evaluation."""
    folder = tmp_path_factory.mktemp("evaluation")
    outcome = run_cli(
        "evaluate", "mapping", *QUICK,
        "--json", folder / "e.json", "--report", folder / "e.html", "--markdown", folder / "e.md",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    (folder / "printed.txt").write_bytes(outcome.stdout)
    return folder


def without_times(path: Path) -> Any:
    report = json.loads(path.read_text())
    del report["made_at"]
    for subject in report["subjects"]:
        del subject["fit_seconds"]
        for part in subject["slices"].values():
            part["metrics"] = {name: value for name, value in part["metrics"].items() if name not in TIMES}
    return report


def test_the_json_keeps_the_published_schema(made: Path) -> None:
    import jsonschema

    report = json.loads((made / "e.json").read_text())
    jsonschema.Draft202012Validator(published_schemas()["MappingEvaluation"]).validate(report)
    assert [subject["name"] for subject in report["subjects"]] == ["majority", "catalogue-normalised"]


def test_every_vendor_is_asked_about_and_no_family_is_in_two_folds(made: Path) -> None:
    report = MappingEvaluation.model_validate_json((made / "e.json").read_bytes())
    families = [family for fold in report.protocol.folds.values() for family in fold]
    assert sorted(families) == sorted({item.family for item in report.items})
    assert report.protocol.families["gitleaks"] == report.protocol.families["betterleaks"]
    assert report.upper_bound.level2_accuracy > 0.9


def test_all_forms_of_the_report_give_the_same_figure(made: Path) -> None:
    report = MappingEvaluation.model_validate_json((made / "e.json").read_bytes())
    (figures,) = [part for name, part in report.subjects[1].slices.items() if name == "all"]
    value = figures.metrics["level2_accuracy"].value
    assert value is not None
    for form in ("e.html", "e.md", "printed.txt"):
        assert f"{value * 100:.1f} %" in (made / form).read_text()


def test_only_the_vendors_held_out_are_asked_about(tmp_path: Path) -> None:
    outcome = run_cli(
        "evaluate", "mapping", *QUICK, "--hold-out", "presidio", "--hold-out", "google_dlp", "--json", "-"
    )
    report = MappingEvaluation.model_validate_json(outcome.stdout)
    assert {item.vendor for item in report.items} == {"presidio", "google_dlp"}
    assert report.protocol.hold_out == ("presidio", "google_dlp")


def test_families_that_are_named_are_left_out_together(tmp_path: Path) -> None:
    families = tmp_path / "families.json"
    families.write_text(json.dumps({"presidio": "pii", "google_dlp": "pii", "aws_comprehend_pii": "pii"}))
    asked = ("--hold-out", "presidio", "--hold-out", "google_dlp", "--families", families, "--json", "-")
    report = MappingEvaluation.model_validate_json(run_cli("evaluate", "mapping", *QUICK, *asked).stdout)
    assert report.protocol.folds == {"pii": ("pii",)}
    assert {item.family for item in report.items} == {"pii"}
    assert report.subjects[1].slices["all"].metrics["level2_accuracy"].low is None  # type: ignore[index]  # its value


def test_a_killed_run_goes_on_and_loses_and_doubles_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    command = ["evaluate", "mapping", *SLOWER, "--state", str(state)]
    with subprocess.Popen([PROGRAM, *command], stdout=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 120
        while not state.exists() or state.read_bytes().count(b"\n") < 6:  # the header, one method, one fold more
            assert time.monotonic() < deadline
            time.sleep(0.002)
        killed.send_signal(signal.SIGKILL)
    before = state.read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    folds = before.count(b"\n") - 1
    assert folds >= 5  # on a slow machine the kill may come later
    again = run_cli(*command, "--json", tmp_path / "resumed.json")
    assert again.returncode == 0, again.stderr
    after = state.read_bytes()
    assert after.startswith(before)
    kept = [json.loads(line) for line in after.splitlines()[1:]]
    assert len({(one["subject"], one["fold"]) for one in kept}) == len(kept) == 8
    straight = run_cli("evaluate", "mapping", *SLOWER, "--json", tmp_path / "straight.json")
    assert straight.returncode == 0, straight.stderr
    assert without_times(tmp_path / "resumed.json") == without_times(tmp_path / "straight.json")


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    small = (*QUICK, "--hold-out", "presidio", "--state", state)
    assert run_cli("evaluate", "mapping", *small).returncode == 0
    another = run_cli("evaluate", "mapping", *small, "--seed", "1")
    assert another.returncode == 2
    assert b"CONFLICT" in another.stderr


def gate(made: Path, *bounds: object) -> tuple[int, dict[str, Any]]:
    outcome = run_cli("evaluate", "gate", "--report", made / "e.json", *bounds, "--json")
    return outcome.returncode, json.loads(outcome.stdout)


def test_a_gate_fails_by_name_and_passes_with_status_0(made: Path) -> None:
    looked_up = ("--subject", "catalogue-normalised")
    assert gate(made, *looked_up, "--min", "answered_accuracy=0.95", "--max", "ece=0.1") == (
        0,
        {"subject": "catalogue-normalised", "passed": True, "failures": []},
    )
    status, verdict = gate(made, *looked_up, "--min", "level2_accuracy=0.99", "--min", "unheard_of=0")
    assert status == 1
    assert [(one["figure"], one["rule"]) for one in verdict["failures"]] == [
        ("level2_accuracy", "min"),
        ("unheard_of", "min"),
    ]


def test_a_gate_against_a_base_fails_where_a_figure_dropped(made: Path, tmp_path: Path) -> None:
    report = json.loads((made / "e.json").read_text())
    report["subjects"][1]["slices"]["all"]["metrics"]["level2_accuracy"]["value"] += 0.1
    better = tmp_path / "better.json"
    better.write_text(json.dumps(report))
    compare = ("--subject", "catalogue-normalised", "--against")
    assert gate(made, *compare, better, "--max-drop", "level2_accuracy=0.05")[0] == 1
    assert gate(made, *compare, better, "--max-drop", "level2_accuracy=0.2")[0] == 0
    assert gate(made, *compare, made / "e.json", "--max-drop", "level2_accuracy=0")[0] == 0


def test_what_if_names_the_cheapest_that_keeps_the_bounds(made: Path) -> None:
    front = json.loads(run_cli("evaluate", "what-if", made / "e.json", "--json").stdout)
    assert len(front) >= 1
    kept = run_cli("evaluate", "what-if", made / "e.json", "--precision", "0.95", "--coverage", "0.1", "--json")
    (best,) = json.loads(kept.stdout)
    assert "catalogue-normalised" in best["methods"]
    none = run_cli("evaluate", "what-if", made / "e.json", "--accuracy", "1")
    assert none.returncode == 1


def test_an_own_labelled_file_is_asked_of_the_catalogue_as_it_ships(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    rows = [
        {"vendor": "presidio", "label": "CREDIT_CARD", "canonical": "pii.financial_data.payment_card"},
        {"vendor": "presidio", "label": "EMAIL_ADDRESS", "canonical": "pii.financial_data"},
        {"vendor": "mine", "vendor_version": "2", "label": "KARTE", "canonical": "pii.financial_data"},
    ]
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = run_cli("evaluate", "mapping", "--strategy", "catalogue", "--labels", labels, "--json", "-")
    assert outcome.returncode == 0, outcome.stderr
    report = MappingEvaluation.model_validate_json(outcome.stdout)
    figures = report.subjects[0].slices["all"].metrics  # type: ignore[index]  # its value
    assert report.protocol.kind == "labels"
    assert figures["level2_accuracy"].value == pytest.approx(1 / 3, abs=1e-6)
    assert figures["answered"].value == pytest.approx(2 / 3, abs=1e-6)


def refused(*arguments: str, said: str) -> None:
    """The command raises, on purpose, what the program tells in one line with exit status 2."""
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, ServiceError), error
    assert said in error.message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--strategy", "magic"), "no strategy 'magic'; known are majority"),
        (("--strategy", "catalogue"), "cannot leave vendors out"),
        (("--hold-out", "nobody"), "no vendor 'nobody'"),
        (("--price", "majority=free"), "is not STRATEGY=PROMPT,COMPLETION"),
        (("--price", "magic=1,2"), "no strategy"),
        (("--labels", "LABELS", "--hold-out", "presidio"), "takes neither"),
        (("--labels", "LABELS"), "line 2: 'no.such' is not in the taxonomy"),
        (("--labels", "missing.jsonl"), "cannot read"),
        (("--families", "LABELS"), "families"),
        (("--report", "missing/folder/e.html"), "cannot write"),
    ],
)
def test_what_cannot_be_evaluated_is_said_before_the_work(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    labels = tmp_path / "families.jsonl"
    labels.write_text(
        '{"vendor": "v", "label": "a", "canonical": "pii.financial_data"}\n'
        '{"vendor": "v", "label": "b", "canonical": "no.such"}\n'
    )
    refused("mapping", *(str(labels) if one == "LABELS" else one for one in arguments), said=said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "at least one of"),
        (("--min", "a"), "is not FIGURE=NUMBER"),
        (("--min", "level2_accuracy=0"), "name the method"),
        (("--max-drop", "a=0"), "need each other"),
        (("--min", "a=0", "--subject", "magic"), "no method 'magic'"),
    ],
)
def test_a_gate_that_means_nothing_is_refused(made: Path, arguments: tuple[str, ...], said: str) -> None:
    refused("gate", "--report", str(made / "e.json"), *arguments, said=said)


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    refused("what-if", str(other), said="not an evaluation")
