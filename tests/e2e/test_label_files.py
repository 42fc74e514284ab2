"""`llama-mapper map` over files: every row once, in whatever form, however often the run is killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.servers import PROGRAM, run_cli

KNOWN = [("presidio", "CREDIT_CARD"), ("presidio", "PERSON"), ("llama_guard_2", "S5"), ("presidio", "PHONE_NUMBER")]
ROWS = [{"vendor": vendor, "label": label, "score": 0.5} for vendor, label in KNOWN] * 3


def _jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _csv(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("label", "note", "vendor", "score"))
        writer.writeheader()
        writer.writerows({**row, "note": "not ours"} for row in rows)
    return path


def _parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


@pytest.mark.parametrize("write", [_jsonl, _csv, _parquet])
@pytest.mark.parametrize("target", ["out.jsonl", "out.parquet", None])
def test_every_form_gives_the_same_answers(tmp_path: Path, write: Any, target: str | None) -> None:
    suffix = write.__name__.removeprefix("_")
    source = write(tmp_path / f"in.{suffix}", ROWS)
    output = () if target is None else ("--output", tmp_path / target)
    run = run_cli("map", source, *output, "--framework", "pci_dss", "--data-dir", tmp_path / "data")
    assert run.returncode == 0, run.stderr
    if target is None:
        answers = [json.loads(line) for line in run.stdout.splitlines()]
    else:
        assert run.stdout == b""
        answers = _answers(tmp_path / target)
    assert [(each["vendor"], each["label"], each["score"]) for each in answers] == [
        (row["vendor"], row["label"], row["score"]) for row in ROWS
    ]
    assert answers[0]["canonical"] == "pii.financial_data.payment_card"
    assert "3.4.1" in dict(answers[0]["controls"])["pci_dss:4.0.1"]
    assert not (tmp_path / f"{target}.resume.json").exists()


def _answers(path: Path) -> list[dict[str, Any]]:
    if path.is_dir():
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("target", ["out.jsonl", "out.parquet"])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, target: str) -> None:
    rows = [{"vendor": "presidio", "label": "PERSON", "score": number / 1e6} for number in range(120_000)]
    source = _parquet(tmp_path / "in.parquet", rows)
    output, note = tmp_path / target, tmp_path / f"{target}.resume.json"
    command = ("map", str(source), "--output", str(output), "--data-dir", str(tmp_path / "data"))
    for kill_after in (10_000, 50_000):
        resume = ("--resume",) if note.exists() else ()
        run = subprocess.Popen([PROGRAM, *command, *resume])
        while run.poll() is None and (not note.exists() or json.loads(note.read_text())["read"] < kill_after):
            time.sleep(0.005)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert run_cli(*command).returncode == 2
    done = run_cli(*command, "--resume")
    assert done.returncode == 0, done.stderr
    assert [round(each["score"] * 1e6) for each in _answers(output)] == list(range(len(rows)))


def test_only_the_same_work_is_resumed_and_nothing_is_overwritten(tmp_path: Path) -> None:
    source, output = _jsonl(tmp_path / "in.jsonl", ROWS), tmp_path / "out.jsonl"
    common = ("--output", output, "--data-dir", tmp_path / "data")
    assert run_cli("map", source, *common).returncode == 0
    again = run_cli("map", source, *common)
    assert again.returncode == 2
    assert b"is there already" in again.stderr
    (tmp_path / "out.jsonl.resume.json").write_text('{"read": 1, "kept": 1, "work": {}}')
    other = run_cli("map", source, *common, "--resume")
    assert other.returncode == 2
    assert b"another source or with other options" in other.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.csv", b"vendor,name\npresidio,PERSON\n", b"no column label"),
        ("in.csv", b"vendor,label\npresidio,\xff\n", b"not UTF-8"),
        ("in.parquet", b"PAR1 no parquet", b"cannot be read"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_one_clear_line(
    tmp_path: Path, name: str, content: bytes, said: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    run = run_cli("map", tmp_path / name, "--data-dir", tmp_path / "data")
    assert run.returncode == 2
    assert said in run.stderr
    assert run.stderr.count(b"\n") == 1


def test_a_row_without_a_label_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        ROWS[0],
        {"vendor": "presidio", "label": None, "score": 0.5},
        {**ROWS[1], "score": 7.0},
        ROWS[1],
    ]
    run = run_cli("map", _parquet(tmp_path / "in.parquet", rows), "--data-dir", tmp_path / "data")
    assert run.returncode == 1
    assert len(run.stdout.splitlines()) == 2
    assert [line.split(b":")[0] for line in run.stderr.splitlines()] == [b"line 2", b"line 3"]
