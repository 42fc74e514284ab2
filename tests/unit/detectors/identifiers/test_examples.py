"""The example set of personal, financial and health data is judged as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.orchestration.scanner import TextScanner

_FILE = Path(__file__).parents[3] / "examples" / "part_pii.jsonl"
_ITEMS: list[dict[str, Any]] = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]
_PERSONAL, _FINANCIAL, _HEALTH, _ONLINE = (
    "pii.personal_identifiers",
    "pii.financial_data",
    "pii.health_records",
    "pii.online_identifiers",
)
_OF_VENDOR = {
    "llama_mapper_personal": _PERSONAL,
    "llama_mapper_financial": _FINANCIAL,
    "llama_mapper_health": _HEALTH,
}
_OF_LABEL = {
    **dict.fromkeys(("CREDIT_CARD", "IBAN_CODE", "CRYPTO", "US_BANK_NUMBER"), _FINANCIAL),
    **dict.fromkeys(("IP_ADDRESS", "MAC_ADDRESS", "URL"), _ONLINE),
}


@pytest.mark.parametrize("item", _ITEMS, ids=[item["id"] for item in _ITEMS])
def test_an_example_is_judged_as_it_says(item: dict[str, Any], scanners: tuple[TextScanner, ...]) -> None:
    seen: dict[str, list[tuple[str, float]]] = {}
    for scanner in scanners:
        vendor = scanner.descriptor.vendor
        for finding in scanner.scan(item["content"]).findings:
            if finding.score >= 0.5:
                category = _OF_VENDOR.get(vendor) or _OF_LABEL.get(finding.label, _PERSONAL)
                seen.setdefault(category, []).append((finding.label, finding.score))
    assert set(item["must"]) <= set(seen), seen
    assert not set(item["must_not"]) & set(seen), seen


def test_the_examples_cover_three_languages_and_have_look_alikes_in_each() -> None:
    for language in ("en", "de", "es"):
        own = [item for item in _ITEMS if item["language"] == language]
        assert sum(bool(item["must"]) for item in own) >= 4
        assert sum(not item["must"] for item in own) >= 3


def test_ids_are_unique_and_keys_are_those_promised() -> None:
    assert len({item["id"] for item in _ITEMS}) == len(_ITEMS)
    assert {frozenset(item) for item in _ITEMS} == {
        frozenset(("id", "language", "content_type", "content", "must", "must_not"))
    }
