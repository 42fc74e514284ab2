"""Who takes part in a soak: five remote detectors, what is wrong with each, and the policy that requires them all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

THRESHOLD = 0.7
"""Coverage that the policy wants: the sum of the weights of all but the hanging and the flapping detector."""

BUNDLE = "soak"
BREAKER_OPEN_S = 2.0
CATEGORY = "pii.personal_identifiers"

_FMS: Mapping[str, Any] = {"kind": "fms", "detector_id": "words"}
_PRESIDIO: Mapping[str, Any] = {"kind": "presidio"}
_JSON: Mapping[str, Any] = {
    "kind": "http_json",
    "body": {"text": "{{text}}"},
    "findings": "$.found[*]",
    "start": "$.start",
    "end": "$.end",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One detector: the word that it finds, its weight in the policy, and how it misbehaves (None: it does not)."""

    name: str
    word: str
    label: str
    weight: float
    protocol: Mapping[str, Any]
    path: str = ""
    attempt_ms: int = 5_000
    fault: str | None = None
    how: Mapping[str, Any] = field(default_factory=dict)


_FAILS = {"probability": 0.3, "bad": "status", "status": 500, "health": "good"}

CAST = (
    Part("steady_fms", "zebra", "EMAIL_ADDRESS", 3.0, _FMS),
    Part("steady_presidio", "heron", "PHONE_NUMBER", 2.0, _PRESIDIO),
    Part("failing", "tapir", "CREDIT_CARD", 2.0, _JSON, "/detect", fault="flaky", how=_FAILS),
    Part("hanging", "otter", "IBAN_CODE", 1.5, _FMS, attempt_ms=400, fault="hang"),
    Part(
        "flapping", "lemur", "US_SSN", 1.5, _PRESIDIO, fault="flapping", how={"period_s": 6.0, "bad": "reset_at_once"}
    ),
)


def definition(part: Part, url: str) -> dict[str, Any]:
    """The detector's definition, as an operator would write it."""
    return {
        "name": part.name,
        "vendor": "presidio",
        "vendor_version": "2.2.366",
        "url": url + part.path,
        "protocol": dict(part.protocol),
        "categories": [CATEGORY],
        "timeout_ms": part.attempt_ms,
        "resilience": {"breaker_open_ms": int(BREAKER_OPEN_S * 1e3), "probe_interval_ms": 1_000},
    }


def plan() -> dict[str, Any]:
    """The plan that the policy always gives."""
    terms = {
        part.name: {
            "weight": part.weight,
            "timeout_ms": 8_000,
            "failure_mode": "fail_open",
            "clean_confidence": 0.5,
            "retries": 1,
        }
        for part in CAST
    }
    return {
        "categories": [],
        "detectors": {"primary": [part.name for part in CAST], "secondary": [], "terms": terms},
        "coverage": {
            "method": "weighted",
            "threshold": THRESHOLD,
            "requirements": {},
            "on_insufficient": "flag",
            "language_gaps": "report",
        },
        "conflicts": {"default": "most_restrictive", "categories": {}},
        "actions": {"default": [{"threshold": 0.5, "action": "flag"}], "categories": {}},
        "timeout_ms": 10_000,
        "routing_reason": "all five, whatever their state",
    }


def write_policy(folder: Path) -> None:
    """The policy as a bundle folder."""
    folder.mkdir()
    manifest = {"name": BUNDLE, "version": "1", "schema": 2, "description": "Five remote detectors, all required."}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "data.json").write_text(json.dumps({"plan": plan()}))
    (folder / "policy.rego").write_text("package llama_mapper.policy\n\nimport rego.v1\n\nplan := data.plan\n")
