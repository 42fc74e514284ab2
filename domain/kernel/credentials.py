"""API keys: how they look, and the one way they are stored.

A key is `lm_<id>_<secret>`: the id finds the record, the secret (32 random bytes, base64url) proves it. Only
HMAC-SHA-256 of the secret under the installation's pepper is stored, so a copied database opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llama_mapper.domain.kernel.errors import AuthenticationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope

_KEY = re.compile(r"lm_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """What is stored of a key; `expires_at` and `revoked_at` are null where they do not apply."""

    key_id: str
    secret_hash: bytes
    name: str
    tenant_id: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class ApiKeys(Protocol):
    """Where key records are kept."""

    async def add(self, record: ApiKeyRecord) -> None:
        """Keep a record; raise `CONFLICT` if the key id is taken."""
        ...

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """The record with this id, revoked and expired ones included."""
        ...

    async def list(self) -> list[ApiKeyRecord]:
        """Every record, oldest first."""
        ...

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Mark a key revoked (once: the first moment stays); False if there is none."""
        ...


def issue_key(
    pepper: bytes,
    *,
    name: str,
    tenant_id: str,
    scopes: frozenset[Scope],
    created_at: datetime,
    expires_at: datetime | None = None,
) -> tuple[str, ApiKeyRecord]:
    """A fresh key, to be shown once, and the record to store."""
    Principal(name, tenant_id, scopes)  # refuses a malformed tenant
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    record = ApiKeyRecord(key_id, _hash(pepper, secret), name, tenant_id, scopes, created_at, expires_at)
    return f"lm_{key_id}_{secret}", record


def looks_like_key(presented: str) -> bool:
    """Whether this has the form of a key, whoever may have issued it."""
    return _KEY.fullmatch(presented) is not None


def key_id_of(presented: str) -> str:
    """The id inside a presented key; raise `UNAUTHORIZED` if it does not look like a key."""
    if match := _KEY.fullmatch(presented):
        return match[1]
    raise AuthenticationError("the API key is malformed")


def verify_key(pepper: bytes, presented: str, record: ApiKeyRecord | None, now: datetime) -> Principal:
    """Who presents the key; raise `UNAUTHORIZED`, with one message for every reason, if it does not open."""
    match = _KEY.fullmatch(presented)
    good = (
        match is not None
        and record is not None
        and hmac.compare_digest(_hash(pepper, match[2]), record.secret_hash)
        and record.revoked_at is None
        and (record.expires_at is None or now < record.expires_at)
    )
    if not good or record is None:
        raise AuthenticationError("the API key is unknown, revoked or expired")
    return Principal(record.name, record.tenant_id, record.scopes, record.key_id)


def _hash(pepper: bytes, secret: str) -> bytes:
    return hmac.new(pepper, secret.encode(), hashlib.sha256).digest()
