"""A sealed document verifies as it is, and in no other form."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.ed25519_signer import Ed25519Signer, Ed25519Verifier
from llama_mapper.domain.assessment.envelope import (
    envelope_bytes,
    pre_authentication_encoding,
    seal,
    verify_envelope,
)
from llama_mapper.domain.assessment.evidence import evidence_document
from llama_mapper.domain.contracts.assessment import EVIDENCE_PAYLOAD_TYPE
from llama_mapper.domain.kernel.canonical import canonical_json
from llama_mapper.domain.kernel.errors import ErrorCode, EvidenceError
from tests.support.records import Found, assessment

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Ed25519Signer(PRIVATE)
KEYS = {SIGNER.keyid: Ed25519Verifier(PRIVATE.public_key())}


def _document() -> bytes:
    record = assessment(Found(label="Größe <b>"), Found(label="SSN", canonical=None, span=None))
    return evidence_document(record.id, record.created_at, record.orchestration, record.analysis, record.mapping)


DOCUMENT = _document()
FILE = envelope_bytes(seal(DOCUMENT, SIGNER))


def sealed(payload: bytes) -> bytes:
    """An envelope around any bytes, rightly signed."""
    return envelope_bytes(seal(payload, SIGNER))


def test_the_pre_authentication_encoding_is_that_of_the_dsse_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == expected


def test_the_lengths_in_the_encoding_are_of_bytes() -> None:
    assert pre_authentication_encoding("é", "ö".encode()) == "DSSEv1 2 é 2 ö".encode()


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_sealed_document_verifies_with_or_without_a_final_newline(end: bytes) -> None:
    assert verify_envelope(FILE + end, KEYS) == json.loads(DOCUMENT)


@given(data=st.data())
def test_a_file_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(FILE)))
    raw = bytearray(FILE + b"\n")
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EvidenceError):
        verify_envelope(bytes(raw), KEYS)


def test_a_file_with_any_single_bit_changed_is_refused() -> None:
    for at in range(len(FILE)):
        raw = bytearray(FILE)
        raw[at] ^= 1 << (at % 8)
        with pytest.raises(EvidenceError):
            verify_envelope(bytes(raw), KEYS)


@given(at=st.integers(0, len(FILE)), extra=st.binary(min_size=1, max_size=4))
def test_a_file_with_bytes_added_is_refused(at: int, extra: bytes) -> None:
    raw = FILE[:at] + extra + FILE[at:]
    if raw == FILE + b"\n":
        return
    with pytest.raises(EvidenceError):
        verify_envelope(raw, KEYS)


@given(length=st.integers(0, len(FILE) - 1))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(EvidenceError):
        verify_envelope(FILE[:length], KEYS)


@given(raw=st.binary(max_size=200))
def test_any_other_bytes_are_refused_with_the_stable_code(raw: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        verify_envelope(raw, KEYS)
    assert caught.value.error_code is ErrorCode.EVIDENCE_INVALID


def _spaced(raw: bytes) -> bytes:
    return json.dumps(json.loads(raw), indent=1).encode()


def _reordered(raw: bytes) -> bytes:
    return json.dumps(dict(reversed(json.loads(raw).items())), separators=(",", ":")).encode()


def _repeated(raw: bytes) -> bytes:
    return raw.replace(b'"payloadType"', b'"payloadType":"x","payloadType"', 1)


def _escaped(raw: bytes) -> bytes:
    return raw.replace(b'"payload"', b'"\\u0070ayload"', 1)


def _stray_bits(raw: bytes) -> bytes:
    """Another spelling of the signature's base64 that decodes to the same 64 bytes."""
    envelope = json.loads(raw)
    sig = envelope["signatures"][0]["sig"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = sig[:85] + alphabet[alphabet.index(sig[85]) ^ 1] + "=="
    assert b64decode(other) == b64decode(sig)
    envelope["signatures"][0]["sig"] = other
    return canonical_json(envelope)


def _unknown_member(raw: bytes) -> bytes:
    return canonical_json(json.loads(raw) | {"zz": 1})


def _two_newlines(raw: bytes) -> bytes:
    return raw + b"\n\n"


@pytest.mark.parametrize(
    "respell", [_spaced, _reordered, _repeated, _escaped, _stray_bits, _unknown_member, _two_newlines]
)
def test_the_same_envelope_spelled_otherwise_is_refused(respell: Callable[[bytes], bytes]) -> None:
    raw = respell(FILE)
    assert raw != FILE
    with pytest.raises(EvidenceError):
        verify_envelope(raw, KEYS)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":2}',
        b'{"a":1.5}',
        b'{"a":NaN}',
        b"[]",
        b'"text"',
        b"",
        b"\xff",
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_a_rightly_signed_payload_that_is_not_a_canonical_object_is_refused(payload: bytes) -> None:
    with pytest.raises(EvidenceError):
        verify_envelope(sealed(payload), KEYS)


def test_evidence_by_a_key_that_is_not_trusted_is_refused_and_the_key_named() -> None:
    with pytest.raises(EvidenceError, match=SIGNER.keyid):
        verify_envelope(FILE, {})


def test_evidence_by_another_key_under_a_trusted_keyid_is_refused() -> None:
    other = Ed25519Verifier(Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())
    with pytest.raises(EvidenceError):
        verify_envelope(FILE, {SIGNER.keyid: other})


def test_the_signature_covers_the_type_as_well_as_the_payload() -> None:
    bare = PRIVATE.sign(DOCUMENT)
    envelope = json.loads(FILE)
    envelope["signatures"][0]["sig"] = b64encode(bare).decode()
    assert envelope["payloadType"] == EVIDENCE_PAYLOAD_TYPE
    with pytest.raises(EvidenceError):
        verify_envelope(canonical_json(envelope), KEYS)


def test_a_document_beyond_the_contract_is_refused_when_sealed() -> None:
    with pytest.raises(EvidenceError):
        seal(bytes(13 * 1024 * 1024), SIGNER)
