"""The signing key: made once, private, and verifiable from its public half."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from llama_mapper.adapters.platform.ed25519_signer import (
    PRIVATE_KEY_FILE,
    PUBLIC_KEY_FILE,
    load_or_create_signer,
    load_public_keys,
)
from llama_mapper.domain.assessment.envelope import envelope_bytes, seal, verify_envelope
from llama_mapper.domain.kernel.errors import ConfigurationError, EvidenceError


def _keyid_at(directory: str) -> str:
    return load_or_create_signer(Path(directory)).keyid


def _private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def test_the_first_start_makes_a_private_pkcs8_key_and_its_public_half(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "keys"
    signer = load_or_create_signer(directory)
    private, public = directory / PRIVATE_KEY_FILE, directory / PUBLIC_KEY_FILE
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    key = load_pem_private_key(private.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    raw = key.public_key().public_bytes_raw()
    assert signer.keyid == "ed25519:" + hashlib.sha256(raw).digest()[:8].hex()
    assert sorted(path.name for path in directory.iterdir()) == sorted([PRIVATE_KEY_FILE, PUBLIC_KEY_FILE])


def test_a_later_start_has_the_same_key(tmp_path: Path) -> None:
    assert load_or_create_signer(tmp_path).keyid == load_or_create_signer(tmp_path).keyid


def test_processes_that_start_together_end_with_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        keyids = set(pool.map(_keyid_at, [str(tmp_path / "keys")] * 8))
    assert len(keyids) == 1
    assert keyids == {*load_public_keys(tmp_path / "keys")}


def test_evidence_verifies_with_the_public_file_alone(tmp_path: Path) -> None:
    file = envelope_bytes(seal(b'{"a":1}', load_or_create_signer(tmp_path)))
    (tmp_path / PRIVATE_KEY_FILE).unlink()
    assert verify_envelope(file, load_public_keys(tmp_path / PUBLIC_KEY_FILE)) == {"a": 1}
    assert verify_envelope(file, load_public_keys(tmp_path)) == {"a": 1}


def test_evidence_from_before_a_change_of_keys_verifies_with_both_public_keys(tmp_path: Path) -> None:
    old, new = load_or_create_signer(tmp_path / "old"), load_or_create_signer(tmp_path / "new")
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join((tmp_path / name / PUBLIC_KEY_FILE).read_bytes() for name in ("old", "new")))
    keys = load_public_keys(both)
    for signer in (old, new):
        assert verify_envelope(envelope_bytes(seal(b"{}", signer)), keys) == {}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    load_or_create_signer(tmp_path)
    (tmp_path / PRIVATE_KEY_FILE).chmod(mode)
    with pytest.raises(ConfigurationError, match="0600"):
        load_or_create_signer(tmp_path)


def test_a_public_file_that_does_not_match_is_put_right(tmp_path: Path) -> None:
    keyid = load_or_create_signer(tmp_path).keyid
    (tmp_path / PUBLIC_KEY_FILE).write_bytes(b"something else")
    load_or_create_signer(tmp_path)
    assert set(load_public_keys(tmp_path)) == {keyid}


def test_a_file_that_is_no_unencrypted_ed25519_key_is_refused(tmp_path: Path) -> None:
    ec = generate_ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    for content in (b"", b"not a key", ec, locked):
        _private(tmp_path / PRIVATE_KEY_FILE, content)
        with pytest.raises(ConfigurationError):
            load_or_create_signer(tmp_path)


def test_public_keys_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    ec = tmp_path / "ec.pem"
    ec.write_bytes(
        generate_ec_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (broken, ec, empty, tmp_path / "absent.pem", tmp_path):
        with pytest.raises(EvidenceError):
            load_public_keys(path)


def test_a_wrong_length_signature_does_not_verify(tmp_path: Path) -> None:
    signer = load_or_create_signer(tmp_path)
    key = load_public_keys(tmp_path)[signer.keyid]
    assert key.verify(signer.sign(b"m"), b"m")
    assert not key.verify(b"", b"m")
    assert not key.verify(signer.sign(b"m")[:-1], b"m")
