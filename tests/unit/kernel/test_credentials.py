"""API keys: only the whole key opens, only while it is valid, and the record tells nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.kernel.credentials import ApiKeyRecord, issue_key, key_id_of, looks_like_key, verify_key
from llama_mapper.domain.kernel.errors import AuthenticationError, ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PEPPER = b"p" * 32


def issued(**changes: Any) -> tuple[str, ApiKeyRecord]:
    key, record = issue_key(
        PEPPER, name="ci", tenant_id="acme", scopes=frozenset({Scope.READ}), created_at=NOON - timedelta(days=1)
    )
    return key, replace(record, **changes)


def refused(presented: str, record: ApiKeyRecord | None, pepper: bytes = PEPPER, now: datetime = NOON) -> str:
    with pytest.raises(AuthenticationError) as caught:
        verify_key(pepper, presented, record, now)
    assert caught.value.error_code is ErrorCode.UNAUTHORIZED
    return caught.value.message


def test_a_key_opens_as_the_tenant_and_scopes_of_its_record() -> None:
    key, record = issued()
    assert verify_key(PEPPER, key, record, NOON) == Principal("ci", "acme", frozenset({Scope.READ}))
    assert key_id_of(key) == record.key_id


def test_every_key_is_another() -> None:
    keys = [issued()[0] for _ in range(50)]
    assert len({key_id_of(key) for key in keys}) == len({key[20:] for key in keys}) == 50


@given(at=st.integers(3, 62), change=st.integers(1, 61))
def test_a_key_with_one_character_changed_does_not_open(at: int, change: int) -> None:
    key, record = issued()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    other = letters[(letters.find(key[at]) + change) % 62]
    changed = key[:at] + other + key[at + 1 :]
    if at >= 20 and changed != key:
        refused(changed, record)
    elif changed != key and looks_like_key(changed):
        assert key_id_of(changed) != record.key_id, "another id finds another record"


@given(st.text(max_size=100))
def test_what_has_not_the_form_of_a_key_is_refused_and_not_quoted(text: str) -> None:
    if looks_like_key(text):
        return
    with pytest.raises(AuthenticationError) as caught:
        key_id_of(text)
    assert len(text) < 5 or text not in caught.value.message
    refused(text, issued()[1])


@pytest.mark.parametrize("ending", ["\n", " ", "\x00", "A"])
def test_nothing_may_follow_a_key(ending: str) -> None:
    key, record = issued()
    assert not looks_like_key(key + ending)
    refused(key + ending, record)


def test_a_key_opens_until_the_moment_it_expires() -> None:
    key, record = issued(expires_at=NOON)
    assert verify_key(PEPPER, key, record, NOON - timedelta(microseconds=1))
    refused(key, record, now=NOON)


def test_why_a_key_does_not_open_is_not_told() -> None:
    key, record = issued()
    another = issued()[0]
    messages = {
        refused(key, None),
        refused(another, record),
        refused(key, replace(record, revoked_at=NOON - timedelta(hours=1))),
        refused(key, replace(record, expires_at=NOON - timedelta(hours=1))),
        refused(key, record, pepper=b"another pepper"),
    }
    assert len(messages) == 1


def test_the_record_has_nothing_of_the_secret() -> None:
    key, record = issued()
    assert key[20:] not in repr(record)
    assert key[20:].encode() not in record.secret_hash
    assert len(record.secret_hash) == 32


@pytest.mark.parametrize("tenant", ["", "Acme", "a b", "-a", "a" * 64, "a\n", "ä", "../a"])
def test_a_key_of_a_malformed_tenant_is_not_issued(tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant id"):
        issue_key(PEPPER, name="x", tenant_id=tenant, scopes=frozenset(), created_at=NOON)
