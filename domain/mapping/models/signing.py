"""The manifest of a version as it is signed: canonical JSON in a DSSE envelope."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping

from llama_mapper.domain.contracts.models import ModelEnvelope, ModelManifest, ModelSignature
from llama_mapper.domain.kernel.canonical import canonical_json
from llama_mapper.domain.kernel.errors import ArtifactError
from llama_mapper.domain.kernel.signing import Signer, Verifier, pre_authentication_encoding

MODEL_SCHEMA = "llama-mapper.model.v1"
MODEL_PAYLOAD_TYPE = "application/vnd.llama-mapper.model+json"


def document_of(owner: str, manifest: ModelManifest) -> bytes:
    """The document that is signed, canonical JSON in UTF-8; figures are strings, as Python prints a float."""
    told = manifest.model_dump(mode="json")
    told["metrics"] = {name: repr(value) for name, value in manifest.metrics.items()}
    return canonical_json({"schema": MODEL_SCHEMA, "owner": owner, "manifest": told})


def digest_of(document: bytes) -> str:
    """`sha256:` and the document's digest."""
    return "sha256:" + hashlib.sha256(document).hexdigest()


def seal(document: bytes, signer: Signer) -> bytes:
    """The document in its envelope, canonical JSON."""
    signature = signer.sign(pre_authentication_encoding(MODEL_PAYLOAD_TYPE, document))
    envelope = ModelEnvelope(
        payload=b64encode(document).decode("ascii"),
        payloadType=MODEL_PAYLOAD_TYPE,
        signatures=(ModelSignature(keyid=signer.keyid, sig=b64encode(signature).decode("ascii")),),
    )
    return canonical_json(envelope.model_dump())


def require_signed(owner: str, manifest: ModelManifest, raw: bytes, keys: Mapping[str, Verifier]) -> None:
    """Raise `ARTIFACT_CORRUPTED` unless `raw` is the envelope of this owner's manifest, signed by one of `keys`."""
    what = f"the manifest of {manifest.name} {manifest.version}"
    try:
        envelope = ModelEnvelope.model_validate_json(raw)
        payload = b64decode(envelope.payload, validate=True)
        signature = b64decode(envelope.signatures[0].sig, validate=True)
    except ValueError:
        raise ArtifactError(f"{what} is not in a DSSE envelope") from None
    if envelope.payloadType != MODEL_PAYLOAD_TYPE or payload != document_of(owner, manifest):
        raise ArtifactError(f"{what} is not what was signed")
    keyid = envelope.signatures[0].keyid
    key = keys.get(keyid)
    if key is None:
        raise ArtifactError(f"{what} is signed by the key {keyid}, which is not among the trusted keys")
    if not key.verify(signature, pre_authentication_encoding(envelope.payloadType, payload)):
        raise ArtifactError(f"{what} was changed, or signed by another key: the signature does not match")
