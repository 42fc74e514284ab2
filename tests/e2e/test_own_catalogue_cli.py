"""A tenant's own catalogue from the command line."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from llama_mapper.entrypoints.cli.main import main

EMAIL = "pii.personal_identifiers.email"
OLD = """
version: 1.0.0
domains:
- id: d
  name: Domain
  definition: All
  categories:
  - {id: d.a, name: A, definition: About a, severity: HIGH, subcategories: {d.a.credit_card: Card, d.a.kept: Kept}}
  - {id: d.b, name: B, definition: About b, severity: LOW, subcategories: {d.b.x: X}}
"""
NEW = OLD.replace("1.0.0", "2.0.0").replace("d.a.credit_card", "d.a.credit_cards").replace("d.b", "d.c")
MIGRATION = """
migrations:
- from: 1.0.0
  to: 2.0.0
  renamed_from: {d.a.credit_cards: d.a.credit_card, d.c: d.b}
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@dataclass(frozen=True, slots=True)
class Run:
    """What a command printed."""

    stdout: bytes
    stderr: bytes


def told(*arguments: object, stdin: str = "", status: int = 0) -> Run:
    """The command, run in this process: a fresh one for each would take most of the time."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["llama-mapper", *map(str, arguments)]),
        mock.patch.object(sys, "stdin", given),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    run = Run(out.detach().getvalue(), err.detach().getvalue())
    assert code == status, (run.stdout, run.stderr)
    return run


def mapped(data_dir: Path, label: str, *arguments: object) -> Any:
    line = json.dumps({"vendor": "acme_codes", "vendor_version": "1", "label": label})
    return json.loads(told("map", "-", "--data-dir", data_dir, *arguments, stdin=line).stdout)


def test_a_label_goes_from_the_queue_into_the_overlay_and_out_as_training_data(data_dir: Path, tmp_path: Path) -> None:
    assert mapped(data_dir, "TICKET")["abstained"]
    listed = json.loads(told("reviews", "list", "--json", "--data-dir", data_dir).stdout)
    (item,) = listed["items"]
    told("reviews", "correct", item["id"], EMAIL, "--as", "anna", "--data-dir", data_dir)
    assert mapped(data_dir, "TICKET")["canonical"] == EMAIL
    again = told("reviews", "dismiss", item["id"], "--data-dir", data_dir, status=2)
    assert b"CONFLICT" in again.stderr
    out = tmp_path / "labels.jsonl"
    told("reviews", "export", out, "--data-dir", data_dir)
    (line,) = out.read_text().splitlines()
    assert json.loads(line)["canonical"] == EMAIL and "anna" not in line
    told("reviews", "reopen", item["id"], "--data-dir", data_dir)
    assert mapped(data_dir, "TICKET")["abstained"]
    shown = told("reviews", "show", item["id"], "--data-dir", data_dir).stdout.decode()
    assert "anna (command, keyless)" in shown and "reopened" in shown


def test_a_vocabulary_is_put_shown_diffed_and_rolled_back(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(f"source: handbook\nbasis: docs\nversions:\n  '1':\n    labels:\n      {EMAIL}: [TICKET]\n")
    told("vocabularies", "put", "acme_codes", file, "--data-dir", data_dir)
    assert mapped(data_dir, "TICKET")["stage"] == "overlay"
    shown = told("vocabularies", "show", "acme_codes", "--data-dir", data_dir).stdout
    assert json.loads(shown)["versions"] == {"1": {"labels": {EMAIL: ["TICKET"]}}}
    file.write_text(file.read_text().replace("TICKET", "OTHER"))
    told("vocabularies", "put", "acme_codes", file, "--data-dir", data_dir)
    assert told(
        "vocabularies", "diff", "acme_codes", "1", "2", "--data-dir", data_dir
    ).stdout.decode().splitlines() == [
        f"+ 1/labels/OTHER: {EMAIL}",
        f"- 1/labels/TICKET: {EMAIL}",
        "1 added, 1 removed, 0 changed",
    ]
    told("vocabularies", "rollback", "acme_codes", "1", "--data-dir", data_dir)
    assert mapped(data_dir, "TICKET")["canonical"] == EMAIL


def test_every_problem_of_a_vocabulary_is_named(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(
        "source: x\nbasis: docs\nversions:\n"
        f"  '1':\n    labels:\n      {EMAIL}: [A, A]\n      pii.nope: [B]\n  '2': {{}}\n"
    )
    errors = told("vocabularies", "put", "acme_codes", file, "--data-dir", data_dir, status=2).stderr.decode()
    assert "DOCUMENT_INVALID" in errors
    for problem in ("more than once", "pii.nope", "lists no labels"):
        assert problem in errors
    file.write_text("source: [unclosed")
    assert b"YAML" in told("vocabularies", "put", "acme_codes", file, "--data-dir", data_dir, status=2).stderr


def test_a_framework_is_validated_added_used_and_removed(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "title: Acme policy\napplies_when: Always.\n"
        "controls:\n  D-1: {title: No mail, evidence: The log.}\n"
        "crosswalk:\n  pii.personal_identifiers: {rationale: It is data., controls: [D-1, D-2]}\n"
    )
    refused = told("frameworks", "validate", "acme_policy:2026", file, status=1)
    assert b"no control 'D-2'" in refused.stderr
    file.write_text(file.read_text().replace(", D-2", ""))
    told("frameworks", "validate", "acme_policy:2026", file)
    told("frameworks", "add", "acme_policy:2026", file, "--data-dir", data_dir)
    assert "acme_policy:2026\tcontrol\town" in told("frameworks", "list", "--data-dir", data_dir).stdout.decode()
    line = json.dumps({"vendor": "presidio", "label": "EMAIL_ADDRESS"})
    answer = told("map", "-", "--framework", "acme_policy", "--data-dir", data_dir, stdin=line)
    assert json.loads(answer.stdout)["controls"] == {"acme_policy:2026": ["D-1"]}
    told("frameworks", "remove", "acme_policy:2026", "--data-dir", data_dir)
    gone = told("map", "-", "--framework", "acme_policy", "--data-dir", data_dir, stdin=line, status=2)
    assert b"FRAMEWORK_NOT_FOUND" in gone.stderr


def test_a_crosswalk_is_uploaded_evaluated_and_deployed_only_if_it_passes(data_dir: Path, tmp_path: Path) -> None:
    told("crosswalks", "evaluate", "1.1.0", "--data-dir", data_dir)
    file = tmp_path / "crosswalk.yaml"
    file.write_text(
        "version: '2'\ncrosswalk:\n  security.malicious_links:\n    rationale: New.\n"
        "    controls:\n      owasp_llm:2025: [LLM05]\n"
    )
    told("crosswalks", "upload", file, "--data-dir", data_dir)
    failing = told("crosswalks", "evaluate", "2", "--data-dir", data_dir, status=1).stdout.decode()
    assert "security.malicious_links iso27001:2022 lacks A.8.23" in failing
    assert b"ACCURACY_TOO_LOW" in told("crosswalks", "deploy", "2", "--data-dir", data_dir, status=2).stderr
    difference = told("crosswalks", "diff", "1.1.0", "2", "--data-dir", data_dir).stdout.decode()
    assert "- iso27001:2022/security.malicious_links/A.8.23" in difference


def test_a_taxonomys_plan_names_what_needs_a_person_until_one_has_said_it(tmp_path: Path) -> None:
    old, new, migration = (tmp_path / name for name in ("old.yaml", "new.yaml", "migration.yaml"))
    for file, text in ((old, OLD), (new, NEW), (migration, MIGRATION)):
        file.write_text(text)
    assert "? d.a.credit_card may be d.a.credit_cards now" in told("catalogue", "diff", old, new).stdout.decode()
    unclear = told("catalogue", "plan", old, new, "--json", status=1)
    assert json.loads(unclear.stdout)["needs_a_person"] == ["d.b", "d.b.x"]
    clear = json.loads(told("catalogue", "plan", old, new, "--migration", migration, "--json").stdout)
    assert {each["id"]: each["target"] for each in clear["changed"]} == {
        "d.a.credit_card": "d.a.credit_cards",
        "d.b": "d.c",
        "d.b.x": "d.c.x",
    }
    told("catalogue", "plan", old, old, "--migration", migration, status=2)


def test_mapping_settings_and_the_optimiser_from_the_command_line(data_dir: Path, tmp_path: Path) -> None:
    labels, settings = tmp_path / "labels.jsonl", tmp_path / "settings.yaml"
    labels.write_text(
        '{"vendor": "presidio", "label": "CREDIT_CARD"}\n{"vendor": "nobody", "label": "email_address"}\n'
    )
    settings.write_text("strategy: catalogue-only\noptimisation: {min_labels: 1}\n")
    at = ("--data-dir", data_dir)
    assert b"no settings" in told("mapping-settings", "show", *at).stdout
    put = told("mapping-settings", "set", settings, "--as", "anna", "--note", "cheaper", "--json", *at)
    assert json.loads(put.stdout)["version"]["who"] == "anna"
    mapped = [json.loads(line) for line in told("map", labels, *at).stdout.splitlines()]
    assert [each["abstained"] for each in mapped] == [False, True]
    found = json.loads(told("costs", "optimise", "--json", *at).stdout)
    assert (found["labels"], found["unknown_labels"], found["min_labels"]) == (2, 1, 1)
    table = told("costs", "optimise", *at).stdout.decode()
    assert "as_it_was" in table
    assert "recommended: as_it_was" in table
    ran = json.loads(told("costs", "optimise", "--run", "--json", *at).stdout)
    assert ran["labels"] == 2
    assert b"CONFLICT" in told("costs", "optimise", "--run", *at, status=2).stderr
    assert json.loads(told("costs", "recommendations", "--json", *at).stdout)["items"] == [ran]
    settings.write_text("min_confidence: 3\n")
    told("mapping-settings", "set", settings, *at, status=2)
    told("mapping-settings", "remove", *at)
    assert b"removed" in told("mapping-settings", "history", *at).stdout
    assert b"- strategy" in told("mapping-settings", "diff", 1, 2, *at).stdout
    told("mapping-settings", "rollback", 1, *at)
    assert b"catalogue-only" in told("mapping-settings", "show", *at).stdout


def test_a_document_is_checked_as_its_tenant_sees_the_catalogue(data_dir: Path, tmp_path: Path) -> None:
    vocabulary, document = tmp_path / "acme.json", tmp_path / "request.json"
    labels = {"1": {"labels": {EMAIL: ["TICKET"]}}}
    vocabulary.write_text(json.dumps({"source": "handbook", "basis": "docs", "versions": labels}))
    document.write_text(json.dumps({"labels": [{"vendor": "acme_codes", "label": "TICKET"}]}))
    told("vocabularies", "put", "acme_codes", vocabulary, "--data-dir", data_dir)
    check = ("validate", document, "--schema", "LabelMappingRequest", "--json")
    assert json.loads(told(*check).stdout)["warnings"] == 1
    assert json.loads(told(*check, "--tenant", "local", "--data-dir", data_dir).stdout)["warnings"] == 0
