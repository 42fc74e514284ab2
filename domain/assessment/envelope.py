"""The DSSE envelope (github.com/secure-systems-lab/dsse, version 1) that evidence is signed in."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from json import loads
from typing import Any, NoReturn

from llama_mapper.domain.assessment.ports import EvidenceSigner, EvidenceVerifier
from llama_mapper.domain.contracts.assessment import EVIDENCE_PAYLOAD_TYPE, EvidenceEnvelope, EvidenceSignature
from llama_mapper.domain.kernel.canonical import canonical_json
from llama_mapper.domain.kernel.errors import EvidenceError
from llama_mapper.domain.kernel.signing import pre_authentication_encoding as pre_authentication_encoding


def seal(payload: bytes, signer: EvidenceSigner) -> EvidenceEnvelope:
    """`payload`, an evidence document, signed. Raise `EVIDENCE_INVALID` if it is beyond 12 MiB."""
    signature = signer.sign(pre_authentication_encoding(EVIDENCE_PAYLOAD_TYPE, payload))
    try:
        return EvidenceEnvelope(
            payload=b64encode(payload).decode("ascii"),
            payloadType=EVIDENCE_PAYLOAD_TYPE,
            signatures=(EvidenceSignature(keyid=signer.keyid, sig=b64encode(signature).decode("ascii")),),
        )
    except ValueError as error:
        raise EvidenceError("the evidence document is too large to sign") from error


def envelope_bytes(envelope: EvidenceEnvelope) -> bytes:
    """The one serialisation of an envelope, canonical JSON without a trailing newline."""
    return canonical_json(envelope.model_dump())


def verify_envelope(raw: bytes, public_keys: Mapping[str, EvidenceVerifier]) -> dict[str, Any]:
    """The evidence document inside `raw`, an envelope file, if not one byte of it was changed.

    `public_keys` are the keys to trust, by keyid. The file must be exactly what `envelope_bytes` gives, plus at most
    one newline at its end; the payload must be canonical JSON. Raise `EVIDENCE_INVALID` for anything else.
    """
    body = raw.removesuffix(b"\n")
    try:
        envelope = EvidenceEnvelope.model_validate_json(body)
    except ValueError as error:
        raise EvidenceError("the file is not an evidence envelope") from error
    # Also refuses white space, a repeated member and escaped spellings, none of which a signature covers.
    if envelope_bytes(envelope) != body:
        raise EvidenceError("the envelope is not in its canonical form")
    signature = envelope.signatures[0]
    key = public_keys.get(signature.keyid)
    if key is None:
        raise EvidenceError(f"the evidence is signed by the key {signature.keyid}, which is not among the trusted keys")
    payload = _strict_base64(envelope.payload)
    if not key.verify(_strict_base64(signature.sig), pre_authentication_encoding(envelope.payloadType, payload)):
        raise EvidenceError("the signature does not match: the evidence was changed, or signed by another key")
    return _document(payload)


def _strict_base64(text: str) -> bytes:
    """Decode, and refuse the spellings that decode to the same bytes without being the encoding of them."""
    try:
        decoded = b64decode(text, validate=True)
    except ValueError as error:
        raise EvidenceError("the envelope is not valid base64") from error
    if b64encode(decoded).decode("ascii") != text:
        raise EvidenceError("the envelope is not in its canonical form")
    return decoded


def _document(payload: bytes) -> dict[str, Any]:
    try:
        document = loads(payload.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse)
        canonical = canonical_json(document)
    except (ValueError, RecursionError) as error:
        raise EvidenceError("the evidence document is not JSON without floats") from error
    if canonical != payload or not isinstance(document, dict):
        raise EvidenceError("the evidence document is not a canonical JSON object")
    return document


def _refuse(_: str) -> NoReturn:
    raise ValueError("a number that is not an integer")
