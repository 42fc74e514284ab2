"""Signatures over documents, whoever makes them: the two ports, and what DSSE (version 1) signs."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Signs with a private key that never leaves it."""

    @property
    def keyid(self) -> str:
        """`ed25519:` + the first 8 bytes of SHA-256 of the raw public key, in hexadecimal."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature (RFC 8032) of `message`."""
        ...


class Verifier(Protocol):
    """One public key to verify with."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's Ed25519 signature (RFC 8032) of `message`; raises nothing."""
        ...


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that DSSE signs: `DSSEv1`, then type and payload, each after its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
