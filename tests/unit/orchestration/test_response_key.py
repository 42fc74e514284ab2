"""The key under which an answer may be kept tells apart whatever could change the answer, and tells nobody what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.key_files import TenantRequestDigests
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.orchestration import (
    ContentType,
    Message,
    OrchestrationRequest,
    ProcessingMode,
    Role,
)
from llama_mapper.domain.orchestration.conversation import text_of
from llama_mapper.domain.orchestration.response_key import response_key

DIGESTS = TenantRequestDigests(bytes(range(32)))
ASKED: dict[str, Any] = {"content": "write to anna@example.com", "tenant_id": "acme", "metadata": {"a": 1, "b": "x"}}


def key(
    *, detectors: str = "g1", policy: str = "sha256:0", digests: TenantRequestDigests = DIGESTS, **asked: Any
) -> str:
    request = OrchestrationRequest(**(ASKED | asked))
    text, turns = text_of(request)
    return response_key(digests, str(request.tenant_id), text, turns, request, detectors=detectors, policy=policy)


def test_equal_requests_have_equal_keys() -> None:
    assert key() == key(metadata={"b": "x", "a": 1})
    assert len(key()) == 64
    assessment = AssessmentRequest(**ASKED, frameworks=("soc2",))
    text = str(assessment.content)
    assert response_key(DIGESTS, "acme", text, (), assessment, detectors="g1", policy="sha256:0") == key()


@pytest.mark.parametrize(
    "other",
    [
        {"content": "write to anna@example.con"},
        {"content": None, "messages": (Message(role=Role.USER, content=ASKED["content"]),)},
        {"tenant_id": "globex"},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "1", "b": "x"}},
        {"metadata": None},
        {"metadata": {"a": 1.0, "b": "x"}},
        {"metadata": {"a": True, "b": "x"}},
        {"metadata": {"a": 1 << 80, "b": "x"}},
        {"policy_bundle": "strict"},
        {"processing_mode": ProcessingMode.CRITICAL},
        {"content_type": ContentType.CODE},
        {"categories": ("content.violence",)},
        {"detectors": "g2"},
        {"policy": "sha256:1"},
        {"digests": TenantRequestDigests(bytes(32))},
    ],
)
def test_whatever_could_change_the_answer_changes_the_key(other: dict[str, Any]) -> None:
    assert key(**other) != key()


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_a_digest_tells_how_its_parts_were_divided(one: list[bytes], other: list[bytes]) -> None:
    assert (DIGESTS.digest("acme", "p", *one) == DIGESTS.digest("acme", "p", *other)) is (one == other)
    assert DIGESTS.digest("acme", "p", *one) != DIGESTS.digest("acme", "q", *one)
    assert DIGESTS.digest("acme", "p", *one) != DIGESTS.digest("globex", "p", *one)
