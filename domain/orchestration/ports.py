"""What orchestration needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RawFinding:
    """One thing a detector said: its own label, a score from 0 to 1, and code-point offsets where it has them."""

    label: str
    score: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """A detector's whole answer; `language` is an ISO 639 code if the detector tells languages."""

    findings: tuple[RawFinding, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class DetectorDescriptor:
    """What a detector declares about itself.

    `vendor` and `vendor_version` name its vocabulary in the catalogue. `categories` are the risk categories that its
    silence speaks for. `languages` are ISO 639 codes, empty where language does not matter.
    `cost_ms_per_kchar` is measured processor time in milliseconds for 1,000 characters.
    """

    name: str
    vendor: str
    vendor_version: str
    categories: tuple[str, ...]
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    cost_ms_per_kchar: float


class DetectorUnavailable(Exception):
    """The detector cannot be asked now: not installed, still loading, or its process is gone.

    The message may be shown to callers and never contains content.
    """


class DetectorFailed(Exception):
    """The detector was asked and broke. The message names the kind of failure and never contains content."""


class Detector(Protocol):
    """Anything that turns content into findings."""

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares; constant over its life, and cheap to read before any model is loaded."""
        ...

    @property
    def readiness(self) -> str | None:
        """None if it can be asked now, else why not."""
        ...

    async def inspect(self, content: str) -> Inspection:
        """Judge `content` without blocking the event loop; cancellation must free what it holds.

        Raises `DetectorUnavailable` or `DetectorFailed`. Keeps nothing of `content`.
        """
        ...


@dataclass(frozen=True, slots=True)
class PolicyBundle:
    """A versioned set of Rego modules (path → source) and data. `digest` is `sha256:` over all of it."""

    name: str
    version: str
    digest: str
    description: str
    modules: Mapping[str, str]
    data: Mapping[str, Any]

    @property
    def applied(self) -> str:
        """`bundle@version`, as records name it."""
        return f"{self.name}@{self.version}"


class PolicyEngine(Protocol):
    """Evaluates Rego."""

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The value of `data.llama_mapper.policy.plan` in `bundle` with `facts` as input.

        Raises `POLICY_INVALID` if the bundle does not compile or gives no object.
        """
        ...


@dataclass(frozen=True, slots=True)
class DetectorRecord:
    """That a detector version was in service between two moments."""

    name: str
    vendor: str
    vendor_version: str
    categories: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


class DetectorRecords(Protocol):
    """Which detector versions have ever been in service; not owned by a tenant."""

    async def observe(self, descriptors: Sequence[DetectorDescriptor], at: datetime) -> None:
        """Note that these are in service at `at`: a new version adds a record, a known one moves `last_seen` on."""
        ...

    async def list(self) -> Sequence[DetectorRecord]:
        """Every record, by name, then first seen."""
        ...


class TextDigests(Protocol):
    """Keyed digests of matched text."""

    def digest(self, tenant_id: str, text: str) -> str:
        """`hmac-sha256:` + 64 hexadecimal digits of `text` (UTF-8) under the tenant's key."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """What a policy may decide on; hashable, so that a decision on equal facts is made once."""

    tenant_id: str
    content_type: str
    processing_mode: str
    categories: tuple[str, ...]
    metadata: tuple[tuple[str, str | bool | int | float | None], ...] = field(default=())
