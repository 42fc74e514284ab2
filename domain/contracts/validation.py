"""Checking a document against its contract and the catalogue, without acting on it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field, JsonValue

from llama_mapper.domain.contracts.base import Contract, Count, Identifier, ShortText, VersionText

FAULTS_TOLD = 200


class FaultSeverity(StrEnum):
    """Whether a fault makes the document unusable."""

    ERROR = "error"
    WARNING = "warning"


class FaultCode(StrEnum):
    """What is wrong, for programs to branch on."""

    SHAPE = "SHAPE"
    """The document breaks its schema."""
    FRAMEWORK_NOT_FOUND = "FRAMEWORK_NOT_FOUND"
    EDITION_NOT_FOUND = "EDITION_NOT_FOUND"
    LABEL_UNKNOWN = "LABEL_UNKNOWN"
    """No vocabulary knows the label; it may still be mapped by a later stage."""
    LABEL_REPEATED = "LABEL_REPEATED"
    CANONICAL_UNKNOWN = "CANONICAL_UNKNOWN"
    """An id that the taxonomy does not have."""
    CONTROL_UNKNOWN = "CONTROL_UNKNOWN"
    """A control that the framework edition does not have."""
    CONTROL_UNLINKED = "CONTROL_UNLINKED"
    """A control that none of its labels leads to in the present crosswalk."""
    ABSTENTION = "ABSTENTION"
    """An abstention with a canonical label, or neither of both."""
    SCORE_MISMATCH = "SCORE_MISMATCH"
    """Scores and taxonomy name different labels, or stand in another order than by score."""
    CONFIDENCE_MISMATCH = "CONFIDENCE_MISMATCH"
    """The record's confidence is not the least of its labels'."""
    VERSION_DIFFERS = "VERSION_DIFFERS"
    """The record was made with another version of the catalogue than the one it was checked with."""


class ValidationQuery(Contract):
    """A document, and the schema that it says to keep."""

    schema_id: Annotated[str, Field(min_length=1, max_length=128)]
    """`urn:llama-mapper:schema:MODEL:MAJOR`, of `GET /v1/schemas`. Answers are checked in their newest version."""
    document: JsonValue


class ValidationFault(Contract):
    """One thing that is wrong. Neither place nor message quotes a value of the document."""

    place: ShortText
    """Dotted, as in problem documents: `labels.3.vendor`; empty for the whole."""
    code: FaultCode
    severity: FaultSeverity
    message: ShortText


class ValidationReport(Contract):
    """What is wrong with a document."""

    schema_id: Identifier
    """The version that it was checked as."""
    valid: bool
    """Whether there is no error; warnings do not count."""
    faults: Annotated[tuple[ValidationFault, ...], Field(max_length=FAULTS_TOLD)]
    """The first 200."""
    errors: Count
    """How many errors there are in all."""
    warnings: Count
    taxonomy_version: Identifier
    """The catalogue that it was checked with."""
    vocabulary_version: Identifier | None = None
    crosswalk_version: VersionText | None = None
    """Of an answer the one that it names, if that is deployed for the tenant; else the one that most requests get."""
    overlay_version: VersionText | None = None
    """Of the tenant's own words that took part; null where it has none."""


class ValidationApi(Protocol):
    """Checks documents with the catalogue as a tenant sees it. Nothing of a document is kept."""

    async def validate(self, tenant_id: str, query: ValidationQuery) -> ValidationReport:
        """What is wrong with the document; raise `SCHEMA_UNKNOWN` or `INVALID_REQUEST` for a schema not served."""
        ...
