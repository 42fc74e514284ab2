"""What every contract shares: the frozen base, bounded field types, versions and provenance."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from llama_mapper.domain.kernel.tenancy import TENANT_PATTERN

CONTENT_LIMIT = 1_048_576
"""Characters of content that the contract admits at the most; the settings may set less (default 256 KiB)."""

Score = Annotated[float, Field(ge=0.0, le=1.0)]
"""A score, confidence or share between 0 and 1."""

Milliseconds = Annotated[float, Field(ge=0.0, le=86_400_000.0)]
Count = Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@+-]*$")]
"""A name that a program chose: detectors, vendors, policy bundles, request ids."""

ControlId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.()-]*$")]
"""A control's id within its framework edition: `CC6.1`, `A.8.2.1`, `164.312(a)(1)`."""

TenantId = Annotated[str, Field(pattern=TENANT_PATTERN)]

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Label = Annotated[str, Field(min_length=1, max_length=256, pattern=_PRINTABLE)]
"""A vendor's own label, verbatim; no control characters."""

CanonicalId = Annotated[str, Field(max_length=128, pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(\.[a-z0-9_]+)?$")]
"""An id of the canonical taxonomy: `domain.category` or `domain.category.subcategory`."""

CategoryId = Annotated[str, Field(max_length=128, pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
"""A risk category: level 2 of the taxonomy, `domain.category`."""

FrameworkRef = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]*(:[A-Za-z0-9][A-Za-z0-9_.-]*)?$")]
"""A framework, optionally with its edition: `soc2`, `iso27001:2013`."""

VersionText = Annotated[str, Field(min_length=1, max_length=128, pattern=_PRINTABLE)]
ShortText = Annotated[str, Field(max_length=512)]
LongText = Annotated[str, Field(max_length=4096)]
Scalar = Annotated[str, Field(max_length=1024)] | bool | int | float | None
"""What metadata may hold: no nesting, no content."""

Metadata = Annotated[dict[Annotated[str, Field(min_length=1, max_length=64)], Scalar], Field(max_length=32)]


class Contract(BaseModel):
    """Base of every published model: frozen, strict, closed to unknown fields, silent about its input in errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ser_json_bytes="base64",
    )


class Severity(StrEnum):
    """How bad a finding is, worst first; the names are those of the taxonomy's risk levels."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    INFO = "INFO"


class VersionInfo(Contract):
    """Which versions took part; a field is null where that part took no part."""

    service_version: VersionText
    taxonomy_version: VersionText | None = None
    vocabulary_version: VersionText | None = None
    crosswalk_version: VersionText | None = None
    overlay_version: VersionText | None = None
    """The state of the tenant's own vocabulary, reviews included; null where it has none."""
    framework_version: LongText | None = None
    """Editions of the frameworks answered for, `framework:edition` joined by commas."""
    policy_version: VersionText | None = None
    """The policy bundle and its version, `bundle@version`."""
    model_version: VersionText | None = None
    """The model that answered; null where no model was asked."""
    training_date: datetime | None = None
    """When that model was trained; null where no model was asked."""
    detectors: dict[Identifier, VersionText] = Field(default_factory=dict, max_length=256)
    """Each detector asked, and its version."""


class ProvenanceEntry(Contract):
    """One step that the record went through: who did it, under which version, for how long."""

    stage: Annotated[str, Field(pattern=r"^(orchestration|analysis|mapping|assessment)$")]
    component: Identifier
    version: VersionText
    duration_ms: Milliseconds
    detail: ShortText = ""
