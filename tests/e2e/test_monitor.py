"""`llama-mapper monitor` over what another command mapped."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.servers import run_cli

SECRET = "zzzqqq"


def test_what_one_command_mapped_another_tells_in_tables_json_and_a_page(tmp_path: Path) -> None:
    data, page = tmp_path / "data", tmp_path / "page.html"
    labels = [{"vendor": "presidio", "label": "CREDIT_CARD"}] * 3 + [{"vendor": "acme", "label": SECRET}]
    lines = "\n".join(map(json.dumps, labels)).encode()
    mapped = run_cli("map", "-", "--data-dir", data, stdin=lines)
    assert mapped.returncode == 0, mapped.stderr

    def told(*arguments: object) -> str:
        made = run_cli("monitor", *arguments, "--data-dir", data)
        assert made.returncode == 0, made.stderr
        assert SECRET not in made.stdout.decode()
        return made.stdout.decode()

    report = json.loads(told("throughput", "--json"))
    assert report["period"]["labels"] == 4
    assert {one["stage"]: one["labels"] for one in report["stages"]} == {"catalogue_exact": 3, "abstained": 1}
    assert "process" in told("capacity")
    assert told("drift").startswith("too_few")
    told("report", page)
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert SECRET not in text
    assert 'id="drift-title"' in text or "too_few" in text
    refused = run_cli("monitor", "causes", "mood", "--data-dir", data)
    assert (refused.returncode, b"INVALID_REQUEST" in refused.stderr) == (2, True)
