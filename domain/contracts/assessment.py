"""The whole chain's contract: one request, one record, and the evidence it ends in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.analysis import AnalysisResponse
from llama_mapper.domain.contracts.base import (
    Contract,
    FrameworkRef,
    Identifier,
    Milliseconds,
    Score,
    TenantId,
    VersionInfo,
)
from llama_mapper.domain.contracts.mapping import MappingResponse, MappingStrategy, OutputFormat
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest, OrchestrationResponse, Redacted, Verdict

EVIDENCE_PAYLOAD_TYPE = "application/vnd.llama-mapper.evidence.v1+json"


class AssessmentRequest(OrchestrationRequest):
    """Content to assess, the frameworks to answer for, and how much of the mapping to answer with."""

    frameworks: Annotated[tuple[FrameworkRef, ...], Field(max_length=32)] = ()
    """`soc2`, `iso27001:2013` …; empty means every framework of the catalogue in its default edition."""
    output_format: OutputFormat = OutputFormat.FULL_RECORD
    strategy: MappingStrategy | None = None
    """Who is asked about labels that the catalogue does not know; null: as the policy says, else the tenant's settings,
    else the installation."""
    min_confidence: Score | None = None
    """Labels mapped with less confidence abstain; null as above."""


class EvidenceSignature(Contract):
    """One signature of an envelope."""

    keyid: Annotated[str, Field(pattern=r"^ed25519:[0-9a-f]{16}$")]
    """The first 8 bytes of SHA-256 of the raw public key, in hexadecimal."""
    sig: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]
    """Ed25519 signature of the envelope's pre-authentication encoding, base64."""


class EvidenceEnvelope(Contract):
    """A signed evidence document in a DSSE envelope (github.com/secure-systems-lab/dsse, version 1).

    `payload` is the base64 of an RFC 8785 canonical JSON document.
    """

    payload: Annotated[str, Field(max_length=16_777_216, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
    payloadType: Annotated[str, Field(pattern=r"^application/vnd\.llama-mapper\.evidence\.v1\+json$")]
    signatures: Annotated[tuple[EvidenceSignature, ...], Field(min_length=1, max_length=1)]


class AssessmentTimings(Contract):
    """Wall-clock time of each stage."""

    orchestration: Milliseconds
    analysis: Milliseconds
    mapping: Milliseconds
    evidence: Milliseconds
    total: Milliseconds
    """All of the above and the joints between them; storing the record comes after."""


class Assessment(Contract):
    """The record of one pass through the chain. It never contains the content."""

    id: Identifier
    tenant_id: TenantId
    created_at: datetime
    orchestration: OrchestrationResponse
    analysis: AnalysisResponse
    mapping: MappingResponse
    verdict: Verdict
    evidence: EvidenceEnvelope
    version_info: VersionInfo
    timings_ms: AssessmentTimings


class AssessmentAnswer(Assessment):
    """What the HTTP door answers: the record, and the content redacted where the verdict is `redact`.

    The redacted content is answered once and never stored: the record fetched later has none.
    """

    redacted: Redacted | None = None


@dataclass(frozen=True, slots=True)
class AssessmentRecord:
    """An assessment and its one serialisation, UTF-8 JSON: stored, answered and fetched byte for byte."""

    assessment: Assessment
    body: bytes


class AssessmentApi(Protocol):
    """The chain as one call, and its records."""

    async def assess(self, request: AssessmentRequest) -> AssessmentRecord:
        """Assess for `request.tenant_id` (which must be set); when this returns, the record is stored.

        Raises what the three contexts raise, and `STORE_UNAVAILABLE` if the record could not be stored.
        """
        ...

    async def get(self, tenant_id: str, assessment_id: str) -> bytes:
        """The body of a stored record; raise `NOT_FOUND` if the tenant has none with this id."""
        ...
