"""Keyed digests of requests: they tell equal from different and let nobody guess what was sent."""

from __future__ import annotations

from typing import Protocol


class RequestDigests(Protocol):
    """HMACs under a key of each tenant's own."""

    def digest(self, tenant_id: str, purpose: str, *parts: bytes) -> bytes:
        """32 bytes; equal only for the same tenant, the same purpose and the same parts, divided alike."""
        ...
