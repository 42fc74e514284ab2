"""The evidence document is canonical JSON without floats and says what the responses say."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.assessment.evidence import EVIDENCE_SCHEMA, evidence_document
from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.orchestration import DetectorStatus
from llama_mapper.domain.kernel.canonical import canonical_json
from llama_mapper.domain.kernel.errors import EvidenceError
from tests.support.records import GDPR, SOC2, Found, assessment

# Every code point but lone surrogates, which no UTF-8 text and so no contract holds.
TEXT = st.text(st.characters(codec="utf-8"))
LABELS = st.text(st.characters(codec="utf-8", min_codepoint=0x20).filter(lambda c: c != "\x7f"), min_size=1)
SCORES = st.floats(0.0, 1.0)
FOUND = st.builds(
    Found,
    label=LABELS.filter(lambda label: len(label) <= 256),
    category=st.sampled_from(["pii.personal_identifiers", "security.credentials", None]),
    canonical=st.sampled_from(["pii.personal_identifiers.email", "security.credentials", None]),
    score=SCORES,
    detector=st.sampled_from(["presidio", "secrets"]),
    span=st.none() | st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1)),
    upheld=st.booleans(),
)


def document_of(record: Assessment) -> bytes:
    return evidence_document(record.id, record.created_at, record.orchestration, record.analysis, record.mapping)


def test_the_document_names_the_findings_controls_risk_and_versions() -> None:
    record = assessment(
        Found(score=0.123456789),
        Found(label="odd", category=None, canonical=None, span=None, upheld=False),
        failed={"toxicity": DetectorStatus.TIMEOUT},
        gaps=[("toxicity", "did not answer in time")],
        coverage=0.5,
    )
    document = json.loads(document_of(record))
    assert document["schema"] == EVIDENCE_SCHEMA
    assert document["assessment_id"] == record.id
    assert document["tenant_id"] == "acme"
    assert document["created_at"] == "2026-03-01T12:00:00.123456Z"
    assert document["verdict"]["action"] == "redact"
    assert [reason["subject"] for reason in document["verdict"]["reasons"]] == ["pii.personal_identifiers"]
    assert document["coverage"]["achieved_ppm"] == 500_000
    assert document["coverage"]["gaps"] == [{"subject": "toxicity", "reason": "did not answer in time"}]
    assert [(row["name"], row["status"]) for row in document["detectors"]] == [
        ("presidio", "success"),
        ("toxicity", "timeout"),
    ]
    first, second = document["findings"]
    assert (first["label"], first["score_ppm"], first["span"]) == ("EMAIL_ADDRESS", 123_457, [10, 27])
    assert first["canonical"] == "pii.personal_identifiers.email"
    assert (second["canonical"], second["category"], second["span"], second["upheld"]) == (None, None, None, False)
    assert document["controls"] == {SOC2: ["CC6.7"], GDPR: ["Article.6"]}
    assert document["risk"]["level"] == "HIGH"
    assert document["risk"]["overall_ppm"] == 800_000
    assert document["versions"]["crosswalk"] == "1.0.0"
    assert document["policy"] == {"applied": "default@1.0.0", "digest": "sha256:" + "0" * 64}


def test_a_document_without_findings_or_risk_says_so() -> None:
    record = assessment()
    bare = evidence_document(
        record.id,
        record.created_at,
        record.orchestration,
        record.analysis.model_copy(update={"risk_scores": None}),
        record.mapping,
    )
    document = json.loads(bare)
    assert document["findings"] == []
    assert document["controls"] == {}
    assert document["risk"] is None


def test_the_moment_is_written_in_utc() -> None:
    record = assessment()
    at = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    document = json.loads(evidence_document("asm_1", at, record.orchestration, record.analysis, record.mapping))
    assert document["created_at"] == "2026-02-28T23:00:00.000000Z"


def test_a_moment_without_a_time_zone_is_refused() -> None:
    record = assessment()
    naive = record.created_at.replace(tzinfo=None)
    with pytest.raises(EvidenceError):
        evidence_document("asm_1", naive, record.orchestration, record.analysis, record.mapping)


@given(found=st.lists(FOUND, max_size=4))
def test_the_document_is_its_own_rfc_8785_form_and_holds_no_float(found: list[Found]) -> None:
    raw = document_of(assessment(*found))
    document = json.loads(raw, parse_float=lambda text: pytest.fail(f"the float {text}"))
    assert rfc8785.dumps(document) == raw
    assert [row["label"] for row in document["findings"]] == [one.label for one in found]


ASCII_KEYS = st.text(st.characters(max_codepoint=0x7F))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES)
def test_canonical_json_is_rfc_8785_for_ascii_keys_and_no_floats(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)
