"""Evidence signatures with Ed25519 (RFC 8032) by the `cryptography` library, the key in a file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.adapters.platform.key_files import load_or_create_private, write_public
from llama_mapper.domain.kernel.errors import ConfigurationError, EvidenceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PRIVATE_KEY_FILE = "evidence_ed25519.pem"
PUBLIC_KEY_FILE = "evidence_ed25519.pub.pem"
_PUBLIC_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_LARGEST = 1024 * 1024


class Ed25519Signer:
    """Keeps the promise of the `EvidenceSigner` port."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._sign = key.sign
        self._keyid = keyid_of(key.public_key())

    @property
    def keyid(self) -> str:
        """See `EvidenceSigner.keyid`."""
        return self._keyid

    def sign(self, message: bytes) -> bytes:
        """See `EvidenceSigner.sign`."""
        return self._sign(message)


class Ed25519Verifier:
    """Keeps the promise of the `EvidenceVerifier` port."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    def verify(self, signature: bytes, message: bytes) -> bool:
        """See `EvidenceVerifier.verify`."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def keyid_of(key: Ed25519PublicKey) -> str:
    """`ed25519:` + the first 8 bytes of SHA-256 of the 32 raw key bytes, in hexadecimal."""
    return "ed25519:" + hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def load_or_create_signer(directory: Path) -> Ed25519Signer:
    """The signer with the key `evidence_ed25519.pem` (PKCS #8) in `directory`, made at the first start, mode 0600.

    The public key is written beside it as `evidence_ed25519.pub.pem` where the directory can be written, so that a
    key mounted read-only works too. Raise `CONFIGURATION_INVALID` for a key file that others can read, that is no
    Ed25519 key, or that cannot be made.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    def create() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    path = directory / PRIVATE_KEY_FILE
    pem = load_or_create_private(path, create)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"the key file {path} holds no unencrypted PEM key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"the key in {path} is not an Ed25519 key")
    public_path = directory / PUBLIC_KEY_FILE
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if os.access(directory, os.W_OK) and not _holds(public_path, public):
        try:
            write_public(public_path, public)
        except OSError as error:
            raise ConfigurationError(f"cannot write the public key {public_path}: {error.strerror}") from error
    return Ed25519Signer(key)


def load_public_keys(path: Path) -> Mapping[str, Ed25519Verifier]:
    """The public keys to trust, by keyid: all PEM blocks of the file `path`, or of every `*.pub.pem` in a directory.

    Several keys let evidence from before a change of keys still be verified. Raise `EVIDENCE_INVALID` where there is
    no key, or one that is not an Ed25519 public key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    verifiers: dict[str, Ed25519Verifier] = {}
    try:
        files = sorted(path.glob("*.pub.pem")) if path.is_dir() else [path]
        blocks = [block for file in files for block in _PUBLIC_BLOCK.findall(_read(file))]
    except OSError as error:
        raise EvidenceError(f"cannot read the public keys at {path}: {error.strerror}") from error
    for block in blocks:
        try:
            key = load_pem_public_key(block)
        except ValueError as error:
            raise EvidenceError(f"a public key at {path} is malformed") from error
        if not isinstance(key, Ed25519PublicKey):
            raise EvidenceError(f"a public key at {path} is not an Ed25519 key")
        verifiers[keyid_of(key)] = Ed25519Verifier(key)
    if not verifiers:
        raise EvidenceError(f"there is no public key at {path}")
    return verifiers


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return _read(path) == content
    except OSError:
        return False
