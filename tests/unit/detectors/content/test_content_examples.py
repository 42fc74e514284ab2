"""The hand-written examples are judged as they say, by the scanners together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.orchestration.scanner import TextScanner

from .flagging import THRESHOLD

EXAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[3] / "examples" / "part_content.jsonl").read_text("utf-8").splitlines()
]
BY_LABEL = {
    "CONNECTION_STRING": "security.credentials",
    "PROSE_PASSWORD": "security.credentials",
    "INSULT": "content.toxic_language",
    "PROFANITY": "content.toxic_language",
    "HARASSMENT": "content.harassment",
    "IDENTITY_ATTACK": "content.hate_speech",
    "HATE_THREAT": "content.hate_speech",
    "DEHUMANISATION": "content.hate_speech",
    "SELF_HARM_INTENT": "content.self_harm",
    "SELF_HARM_INSTRUCTIONS": "content.self_harm",
}
BY_SCANNER = {
    "detect_secrets": "security.credentials",
    "betterleaks": "security.credentials",
    "secret_phrases": "security.credentials",
    "toxicity": "content.toxic_language",
    "violence": "content.violence",
    "picket": "security.prompt_attack",
    "prompt_attack": "security.prompt_attack",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=[e["id"] for e in EXAMPLES])
def test_an_example_is_judged_as_it_says(scanners: dict[str, TextScanner], example: dict[str, Any]) -> None:
    found = {
        BY_LABEL.get(finding.label) or BY_SCANNER[name]
        for name, scanner in scanners.items()
        for finding in scanner.scan(example["content"]).findings
        # The toxicity model speaks for English alone.
        if finding.score >= THRESHOLD and (name != "toxicity" or example["language"] == "en")
    }
    assert set(example["must"]) <= found
    assert not set(example["must_not"]) & found


def test_there_are_examples_in_every_language() -> None:
    assert len(EXAMPLES) >= 26
    assert {e["language"] for e in EXAMPLES} == {"en", "de", "es"}
    assert len({e["id"] for e in EXAMPLES}) == len(EXAMPLES)
