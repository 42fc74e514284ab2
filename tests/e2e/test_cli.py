"""The command line, as people and scripts use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.servers import ROOT, run_cli

FEW = {"LLAMA_MAPPER_DETECTORS": "presidio,violence,secret_phrases"}


def test_help_names_every_command() -> None:
    printed = run_cli("--help").stdout.decode()
    commands = ("serve", "assess", "map", "catalogue", "evidence", "keys", "db", "openapi", "policies", "schemas")
    for command in commands:
        assert command in printed


def test_version_is_printed() -> None:
    assert run_cli("--version").stdout.strip()


def test_the_catalogue_is_consistent() -> None:
    run = run_cli("catalogue", "validate")
    assert run.returncode == 0
    assert b"consistent" in run.stdout


def test_map_answers_each_line_and_names_broken_ones(tmp_path: Path) -> None:
    lines = [
        '{"vendor": "presidio", "label": "CREDIT_CARD", "score": 0.8}',
        "not json",
        "",
        '{"vendor": "llama_guard", "vendor_version": "3", "label": "S5"}',
        '{"vendor": "llama_guard", "vendor_version": "2", "label": "S5"}',
        '{"vendor": "nobody", "label": "x"}',
        '{"vendor": "presidio", "label": "B-phone number"}',
        '{"label": "no vendor"}',
    ]
    file = tmp_path / "labels.jsonl"
    file.write_text("\n".join(lines))
    run = run_cli("map", file, "--framework", "iso27001:2013", "--data-dir", tmp_path / "data")
    assert run.returncode == 1
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [answer["canonical"] for answer in answers] == [
        "pii.financial_data.payment_card",
        "integrity.defamation.defamation",
        "integrity.specialized_advice.general",
        None,
        "pii.personal_identifiers.phone",
    ]
    assert [answer["stage"] for answer in answers][-2:] == ["abstained", "catalogue_normalised"]
    assert {"vendor", "label", "canonical", "also", "confidence", "stage", "abstained", "controls"} <= answers[0].keys()
    assert "A.8.2.1" in answers[0]["controls"]["iso27001:2013"]
    errors = run.stderr.decode().splitlines()
    assert [error.split(":")[0] for error in errors] == ["line 2", "line 8"]


def test_map_of_good_lines_succeeds(tmp_path: Path) -> None:
    run = run_cli("map", "-", "--data-dir", tmp_path, stdin=b'{"vendor": "presidio", "label": "PERSON"}\n')
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [("map", "missing.jsonl"), ("evidence", "verify", "missing.json")])
def test_a_missing_file_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run = run_cli(*arguments, "--data-dir", tmp_path)
    assert run.returncode == 2
    assert run.stderr.decode().count("\n") == 1
    assert b"CONFIGURATION_INVALID" in run.stderr
    assert b"Traceback" not in run.stderr


def test_map_with_an_unknown_framework_is_one_clear_line(tmp_path: Path) -> None:
    row = b'{"vendor": "presidio", "label": "PERSON"}\n'
    run = run_cli("map", "-", "--framework", "nobody", "--data-dir", tmp_path, stdin=row)
    assert run.returncode == 2
    assert b"FRAMEWORK_NOT_FOUND" in run.stderr


def test_assess_reads_every_format(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "one", "content": "mail anna@example.com"}\n"just a string"\n')
    (tmp_path / "items.csv").write_text("number,message\n1,I will kill you\n2,good morning\n")
    (tmp_path / "note.txt").write_text("the password is hunter2secret")
    run = run_cli(
        "assess",
        *(tmp_path / name for name in ("items.jsonl", "items.csv", "note.txt")),
        "--column=message",
        "--json",
        "--data-dir",
        tmp_path / "data",
        environment=FEW,
    )
    assert run.returncode == 0, run.stderr
    verdicts = [json.loads(line)["mapping"]["taxonomy"] for line in run.stdout.splitlines()]
    assert verdicts == [
        ["pii.personal_identifiers.email"],
        [],
        ["content.violence.threat"],
        [],
        ["security.credentials.password"],
    ]


def test_assess_shows_people_a_summary_and_writes_a_report(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(
        '{"content": "mail anna@example.com"}\n{"content": "I will kill you"}\nbroken\n'
    )
    report = tmp_path / "report.html"
    run = run_cli(
        "assess", tmp_path / "items.jsonl", "--report", report, "--data-dir", tmp_path / "data", environment=FEW
    )
    assert run.returncode == 1
    assert b"content.violence" in run.stdout
    assert b":3: INVALID_REQUEST" in run.stderr
    assert "anna@example.com" not in report.read_text()


def test_assess_fails_on_the_verdict_that_it_is_told_to(tmp_path: Path) -> None:
    common = ("assess", "-", "--data-dir", tmp_path, "--fail-on", "flag")
    assert run_cli(*common, stdin=b"I will kill you tonight").returncode == 3
    assert run_cli(*common, stdin=b"Good morning to all of you").returncode == 0


def test_a_csv_without_the_column_names_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("number,message\n1,hello\n")
    run = run_cli(
        "assess", tmp_path / "items.csv", "--column", "text", "--data-dir", tmp_path / "data", environment=FEW
    )
    assert run.returncode == 1
    assert b"message" in run.stderr


def test_schemas_describe_what_is_answered(tmp_path: Path) -> None:
    assert run_cli("schemas", "export", tmp_path / "schemas").returncode == 0
    run = run_cli("assess", "-", "--json", "--data-dir", tmp_path / "data", stdin=b"I will kill you", environment=FEW)
    schema = json.loads((tmp_path / "schemas" / "Assessment.1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    record = json.loads(run.stdout)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(record)) == []
    assert list(validator.iter_errors(record | {"colour": "red"}))


def policy_folder(folder: Path, threshold: float = 0.5, version: str = "1") -> Path:
    """A bundle of one's own: the shipped rules with other data."""
    shipped = Path(ROOT, "domain", "orchestration", "bundles")
    folder.mkdir()
    (folder / "policy.rego").write_text((shipped / "policy.rego").read_text())
    data = json.loads((shipped / "default" / "data.json").read_text())
    data["defaults"]["actions"]["default"] = [{"action": "block", "threshold": threshold}]
    data["defaults"]["actions"]["categories"] = {}
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "bundle.json").write_text(json.dumps({"name": "acme", "version": version, "description": "Blocks all."}))
    return folder


def test_a_policy_of_ones_own_is_checked_stored_and_used(tmp_path: Path) -> None:
    common = ("--data-dir", tmp_path / "data")
    folder = policy_folder(tmp_path / "acme")
    added = run_cli("policies", "add", folder, *common)
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith(b"acme@1 sha256:")
    assert b"acme" in run_cli("policies", "list", *common).stdout
    run = run_cli("assess", "-", "--json", "--policy", "acme", *common, stdin=b"mail anna@example.com", environment=FEW)
    record = json.loads(run.stdout)
    assert (record["verdict"]["action"], record["verdict"]["policy_applied"]) == ("block", "acme@1")


def test_a_stored_policy_version_does_not_change(tmp_path: Path) -> None:
    common = ("--data-dir", tmp_path / "data")
    assert run_cli("policies", "add", policy_folder(tmp_path / "one"), *common).returncode == 0
    assert run_cli("policies", "add", tmp_path / "one", *common).returncode == 0
    changed = run_cli("policies", "add", policy_folder(tmp_path / "two", threshold=0.9), *common)
    assert (changed.returncode, b"CONFLICT" in changed.stderr) == (2, True)
    assert run_cli("policies", "add", policy_folder(tmp_path / "three", 0.9, version="2"), *common).returncode == 0


def test_a_policy_goes_from_draft_to_active_and_back_by_command(tmp_path: Path) -> None:
    common = ("--data-dir", tmp_path / "data", "--json")
    anna, ben = ("--as", "anna"), ("--as", "ben")
    assert run_cli("keys", "create", "--tenant", "local", "--data-dir", tmp_path / "data").returncode == 0

    def told(*arguments: object) -> Any:
        run = run_cli("policies", *arguments, *common)
        return json.loads(run.stdout) if run.returncode == 0 else run.stderr.decode().split(":")[1].strip()

    assert told("draft", policy_folder(tmp_path / "one"), *anna)["state"] == "draft"
    assert told("validate", "acme", "1", *anna)["valid"] is True
    assert told("approve", "acme", "1", "--single-operator", "--as", "ANNA") == "FOUR_EYES"
    assert told("approve", "acme", "1", *ben)["state"] == "approved"
    assert told("activate", "acme", "1", "--percent", "25", *ben)["items"][0]["percent"] == 25
    assert told("add", policy_folder(tmp_path / "two", 0.9, "2"), *anna) == "FOUR_EYES"
    assert [(one["version"], one["state"]) for one in told("list", "acme")["items"]] == [
        ("2", "validated"),
        ("1", "active"),
    ]
    assert told("diff", "acme", "1", "2")["data"][0]["after"] == 0.9
    assert told("rollback", "acme", *anna)["items"] == []
    assert told("rollback", "acme", *anna) == "POLICY_STATE"
    steps = [(one["step"], one["who"], one["door"]) for one in told("history", "acme", "--limit", "2")["items"]]
    assert steps == [("rolled_back", "anna", "command"), ("validated", "anna", "command")]
    assert told("activate", "acme", "1", "--global") == "NOT_FOUND"
    assert told("list", "--tenant", "*") == "INVALID_REQUEST"


def test_a_bundle_for_all_tenants_is_made_by_command(tmp_path: Path) -> None:
    common = ("--data-dir", tmp_path / "data")
    added = run_cli("policies", "add", policy_folder(tmp_path / "acme"), "--global", *common)
    assert added.returncode == 0, added.stderr
    assert json.loads(run_cli("policies", "history", "acme", "--global", "--json", *common).stdout)["items"][0][
        "level"
    ] == ("global")
    run = run_cli("assess", "-", "--json", "--policy", "acme", *common, stdin=b"mail anna@example.com", environment=FEW)
    policy = json.loads(run.stdout)["orchestration"]["policy"]
    assert (policy["policy_applied"], policy["policy_trace"][0]["level"]) == ("acme@1", "global")


@pytest.mark.parametrize(
    ("file", "text"),
    [("policy.rego", "package llama_mapper.policy\nplan := "), ("bundle.json", "{}"), ("data.json", "[]")],
)
def test_a_broken_policy_is_refused_with_its_code(tmp_path: Path, file: str, text: str) -> None:
    folder = policy_folder(tmp_path / "broken")
    (folder / file).write_text(text)
    run = run_cli("policies", "add", folder, "--data-dir", tmp_path / "data")
    assert run.returncode == 2
    assert b"POLICY_INVALID" in run.stderr


def test_a_record_is_valid_until_somebody_changes_it(tmp_path: Path) -> None:
    run = run_cli("assess", "-", "--json", "--data-dir", tmp_path / "data", stdin=b"I will kill you", environment=FEW)
    assert run_cli("validate", "-", "--schema", "Assessment", stdin=run.stdout).returncode == 0
    record = json.loads(run.stdout)
    record["mapping"]["taxonomy"].append("pii.nothing")
    changed = run_cli("validate", "-", "--schema", "Assessment:1", "--json", stdin=json.dumps(record).encode())
    assert changed.returncode == 1
    assert {fault["code"] for fault in json.loads(changed.stdout)["faults"]} == {"CANONICAL_UNKNOWN", "SCORE_MISMATCH"}
    assert run_cli("validate", "-", "--schema", "Nothing", stdin=b"{}").returncode == 2
    assert run_cli("validate", "-", "--schema", "Assessment", stdin=b"{}\n{").returncode == 2


def test_costs_and_a_budget_on_the_command_line(tmp_path: Path) -> None:
    common = ("--data-dir", tmp_path / "data")
    assert run_cli("map", "-", *common, stdin=b'{"vendor": "presidio", "label": "CREDIT_CARD"}\n').returncode == 0
    report = json.loads(run_cli("costs", "show", "--json", *common).stdout)
    assert (report["total"]["labels"], report["total"]["cost"]) == (1, 0.0)
    assert run_cli("costs", "budget", *common).stdout == b"no budget\n"
    assert b"of 2.50 USD in the day" in run_cli("costs", "budget", "2.5", "--period", "day", *common).stdout
    assert run_cli("costs", "budget", "2.5", "--period", "year", *common).returncode == 2
    assert run_cli("costs", "budget", "--remove", *common).stdout == b"no budget\n"
    assert run_cli("costs", "alerts", *common).stdout == b""
