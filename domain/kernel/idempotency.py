"""Requests that may be sent twice and are carried out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RecordName:
    """What identifies a record: the tenant, the operation's id, and an opaque key made from the caller's."""

    tenant_id: str
    operation: str
    key: str


@dataclass(frozen=True, slots=True)
class Fresh:
    """The caller has the claim: carry the request out, then complete or abandon it with this token."""

    token: str


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody else has the claim and has not finished."""


@dataclass(frozen=True, slots=True)
class Done:
    """The request was carried out and gave this answer."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was used for another body."""


Begun = Fresh | Running | Done | Conflict


class IdempotencyRecords(Protocol):
    """One record for each name: claimed by one caller at a time, then an answer.

    A record holds a keyed digest of the request, never the request. Raises `STORE_UNAVAILABLE`.
    """

    async def begin(self, name: RecordName, digest: bytes, lease_s: float) -> Begun:
        """Claim `name` for a request with this body digest, or say how the one before stands.

        Of callers who begin at once exactly one gets `Fresh`. A claim ends by itself after `lease_s` seconds, so that
        a process that died does not hold the key for ever: the lease must be longer than a request can take.
        """
        ...

    async def complete(self, name: RecordName, token: str, answer: bytes, keep_s: float) -> bool:
        """Keep the answer for `keep_s` seconds; False, and nothing is kept, if `token` has lost the claim."""
        ...

    async def abandon(self, name: RecordName, token: str) -> None:
        """Free the key, if `token` still has the claim."""
        ...

    async def settled(self, name: RecordName, within_s: float) -> None:
        """Wait until a running claim has ended if this store is told, `within_s` seconds at the longest."""
        ...
