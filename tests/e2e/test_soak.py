"""A small soak: five failing and other detectors, a Valkey that dies, and every promise kept on every answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.soak.cast import CAST, THRESHOLD
from bench.soak.promises import achieved_of, broken_by
from tests.support.servers import ROOT

CONTENT = "1: a zebra and a heron, one lemur."
STATUSES = {"steady_fms": "success", "steady_presidio": "success", "failing": "success", "hanging": "timeout"}


def a_record() -> dict[str, Any]:
    """What a right server answers for the content while one detector hangs and another cannot be reached."""
    statuses = {part.name: STATUSES.get(part.name, "unavailable") for part in CAST}
    results = []
    for part in CAST:
        at = CONTENT.find(part.word)
        found = [{"span": {"start": at, "end": at + len(part.word)}}] if at >= 0 else []
        answered = statuses[part.name] == "success"
        results.append(
            {
                "detector": part.name,
                "status": statuses[part.name],
                "findings": found if answered else [],
                "fault": None if answered else {"code": "DETECTOR_TIMEOUT"},
            }
        )
    gaps = [{"subject": name} for name, status in statuses.items() if status != "success"]
    return {
        "detector_results": results,
        "coverage_achieved": 0.7,
        "coverage": {"achieved": 0.7, "sufficient": True, "gaps": gaps},
    }


def test_the_right_answer_breaks_no_promise() -> None:
    assert list(broken_by(a_record(), 200, CONTENT)) == []


def test_coverage_counts_the_weights_of_who_succeeded() -> None:
    assert achieved_of({part.name: "success" for part in CAST}) == 1.0
    assert achieved_of({"steady_fms": "success", "failing": "failed"}) == pytest.approx(0.3)
    assert achieved_of(STATUSES) == pytest.approx(THRESHOLD)


def test_each_broken_promise_is_seen() -> None:
    def broken(status: int = 200, content: str = CONTENT, **changes: Any) -> list[str]:
        return list(broken_by(deepcopy(a_record()) | changes, status, content))

    record = a_record()
    assert broken(206)
    assert broken(content=CONTENT.replace("zebra", "horse"))
    assert broken(coverage_achieved=0.8)
    assert broken(detector_results=record["detector_results"][:-1])
    for field, value in (("achieved", 0.85), ("sufficient", False), ("gaps", [])):
        assert broken(coverage=record["coverage"] | {field: value})
    first, *others = record["detector_results"]
    assert broken(detector_results=[first | {"status": "lost"}, *others])
    assert broken(detector_results=[first | {"fault": {"code": "X"}}, *others])
    assert broken(detector_results=[first | {"findings": []}, *others])


def test_a_small_soak_keeps_every_promise(tmp_path: Path) -> None:
    # Memory still warms up in so short a time, and a machine may be slow: both have generous limits here.
    options = {"requests": 600, "seconds": 60, "concurrency": 12, "growth-limit": 0.5}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    places = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    ran = subprocess.run(
        [sys.executable, "-m", "bench.soak", *arguments, "--json", str(tmp_path / "soak.json")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
        capture_output=True,
        timeout=300,
        check=False,
    )
    told = ran.stdout.decode() + ran.stderr.decode()
    assert ran.returncode == 0, told[-6000:]
    document = json.loads((tmp_path / "soak.json").read_text())
    assert document["kept"]
    assert document["answers"]["answered"] >= 100
    assert set(document["answers"]["outcomes"]) == {part.name for part in CAST}
    assert document["answers"]["outcomes"]["hanging"].keys() - {"success"}, "it never hung"
