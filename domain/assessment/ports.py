"""What the chain needs from outside, besides the three contexts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """A record to keep: the assessment as UTF-8 JSON, and the few columns to find it by."""

    id: str
    tenant_id: str
    created_at: datetime
    action: str
    risk_level: str
    coverage: float
    body: bytes


class AssessmentStore(Protocol):
    """Assessment records, by tenant. Metadata only: no content reaches this port."""

    async def save(self, row: AssessmentRow) -> None:
        """Keep the record durably before returning; raise `CONFLICT` if the id is taken."""
        ...

    async def get(self, tenant_id: str, assessment_id: str) -> bytes | None:
        """The body of the tenant's record, byte for byte, or None."""
        ...

    async def list(self, tenant_id: str, *, limit: int, before: str | None = None) -> list[AssessmentRow]:
        """The tenant's records, newest id first, with ids below `before`; `limit` is 1 to 1,000."""
        ...


class EvidenceSigner(Protocol):
    """Signs evidence with a private key that never leaves it."""

    @property
    def keyid(self) -> str:
        """`ed25519:` + the first 8 bytes of SHA-256 of the raw public key, in hexadecimal."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature (RFC 8032) of `message`."""
        ...


class EvidenceVerifier(Protocol):
    """One public key to verify evidence with."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's Ed25519 signature (RFC 8032) of `message`; raises nothing."""
        ...
