"""Reports from the command line and in a split installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_own_catalogue_cli import told
from tests.support.servers import Server

TEMPLATE = "# {{ report.title }}\n{% for each in taxonomy %}\n- {{ each.id }}\n{% endfor %}\n"
TEXT = "Mail me at anna@example.com"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_labels_become_a_report_in_a_pipe(data_dir: Path, tmp_path: Path) -> None:
    line = json.dumps({"vendor": "presidio", "label": "EMAIL_ADDRESS"})
    mapped = told("map", "-", "--framework", "gdpr", "--data-dir", data_dir, stdin=f"{line}\n{line}").stdout.decode()
    printed = told("report", "render", "label-mapping", "--answer", "-", "--data-dir", data_dir, stdin=mapped).stdout
    assert printed.decode().count("presidio: EMAIL_ADDRESS") == 2
    page = tmp_path / "page.html"
    arguments = ("--answer", "-", "--output", page, "--title", "Ours & theirs", "--data-dir", data_dir)
    told("report", "render", "evidence-summary-html", *arguments, stdin=mapped.splitlines()[0])
    assert "<h1>Ours &amp; theirs</h1>" in page.read_text()
    assert "Chapter II: Principles" in page.read_text()
    wrong = ("report", "render", "label-mapping", "--answer", "-", "--data-dir", data_dir)
    for text, said in (
        ("[]", b"no answer of the mapping"),
        ('{"a": 1}', b"no answer"),
        ("{}\nx", b"line 2 is not JSON"),
    ):
        assert said in told(*wrong, stdin=text, status=2).stderr
    assert b"give one of" in told("report", "render", "label-mapping", "--data-dir", data_dir, status=2).stderr


def test_a_template_is_tried_kept_used_and_taken_away(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "board.md.j2"
    file.write_text(TEMPLATE)
    at = ("--data-dir", data_dir)
    assert b"# A report" in told("templates", "try", file, *at).stdout
    put = told("templates", "put", "board", file, "--title", "For the board", "--as", "anna", *at)
    assert b"board version 1 uploaded: markdown" in put.stdout
    mapped = told("map", "-", *at, stdin='{"vendor": "presidio", "label": "EMAIL_ADDRESS"}').stdout.decode()
    render = ("report", "render", "board", "--answer", "-", *at)
    assert told(*render, stdin=mapped).stdout.decode().startswith("# For the board\n- pii.personal_identifiers.email")
    assert b"NOT_FOUND" in told(*render, "--tenant", "globex", stdin=mapped, status=2).stderr

    file.write_text("{{ oops }}\n{% for %}")
    refused = told("templates", "put", "board", file, *at, status=2).stderr.decode()
    assert "DOCUMENT_INVALID" in refused
    assert "line 2" in refused
    file.write_text("other")
    told("templates", "put", "board", file, "--if-version", 1, *at)
    assert b"~ text/00001: # {{ report.title }} -> other" in told("templates", "diff", "board", 1, 2, *at).stdout
    told("templates", "rollback", "board", 1, *at)
    assert told("templates", "show", "board", *at).stdout.decode().strip() == TEMPLATE.strip()
    told("templates", "remove", "board", *at)
    assert len(told("templates", "history", "board", *at).stdout.splitlines()) == 4
    listed = json.loads(told("templates", "list", "--json", *at).stdout)
    assert "board" not in {each["name"] for each in listed["items"]}
    assert b"--format" in told("templates", "try", tmp_path / "board.pdf", *at, status=2).stderr


def test_controls_are_printed_by_group(data_dir: Path) -> None:
    arguments = ("report", "controls", "pii.financial_data", "--framework", "hipaa", "--data-dir", data_dir)
    (line,) = told(*arguments).stdout.decode().splitlines()
    assert line.split("\t")[:3] == [
        "hipaa:2013",
        "Subpart E: privacy rule 164.514 Other requirements of uses and disclosures",
        "164.514(b)",
    ]
    assert json.loads(told(*arguments, "--json").stdout)["items"][0]["control_name"] == "standard"


def test_the_command_reads_the_record_that_a_server_stored(server: Server) -> None:
    with server.client() as client:
        record = client.post("/v1/assessments", json={"content": TEXT, "frameworks": ["soc2"]}).json()
    arguments = ("report", "render", "soc2-criteria", "--assessment", record["id"], "--data-dir", server.data_dir)
    printed = told(*arguments, "--tenant", record["tenant_id"]).stdout.decode()
    assert "CC6.1" in printed
    assert TEXT not in printed
    assert b"NOT_FOUND" in told(*arguments, "--tenant", "globex", status=2).stderr


def test_the_front_door_of_a_split_installation_makes_reports_of_its_records(split: Server) -> None:
    with split.client() as client:
        record = client.post("/v1/assessments", json={"content": TEXT, "frameworks": ["soc2"]}).json()
        body = {"template": "evidence-summary", "assessment_id": record["id"]}
        report = client.post("/v1/reports:render", json=body)
        assert report.status_code == 200, report.text
        assert record["id"] in report.json()["text"]
        missing = client.post("/v1/reports:render", json=body | {"assessment_id": "asm_nobody"})
        assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
        views = client.get("/v1/reports:controls", params={"canonical": "pii.financial_data", "frameworks": "gdpr"})
        assert views.json()["items"][0]["ref"] == "gdpr:2016"
