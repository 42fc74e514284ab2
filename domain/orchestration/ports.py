"""What orchestration needs from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from llama_mapper.domain.contracts.orchestration import Granularity, Role

NO_NOTES: Mapping[str, str | bool | int | float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RawFinding:
    """One thing a detector said: its own label, a score from 0 to 1, and code-point offsets where it has them."""

    label: str
    score: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation: who spoke, and which code points of the text are theirs."""

    role: Role
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What one detector is asked, and what it may take.

    `text` is all there is to judge; `turns` tells its messages apart where it is a conversation, in order and without
    overlap. By `deadline`, on the clock of `time.monotonic`, an answer is too late. `retries` further attempts are
    allowed after a failure, and a second one besides a slow first after `hedge_after_s` seconds; detectors that ask
    nobody else ignore both.
    """

    text: str
    turns: tuple[Turn, ...] = ()
    deadline: float = math.inf
    retries: int = 0
    hedge_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """A detector's whole answer; `language` is an ISO 639 code if the detector tells languages.

    `notes` are facts about how the answer came about, such as `attempts`: names and numbers, never content.
    """

    findings: tuple[RawFinding, ...] = ()
    language: str | None = None
    notes: Mapping[str, str | bool | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectorDescriptor:
    """What a detector declares about itself.

    `vendor` and `vendor_version` name its vocabulary in the catalogue; `vocabulary` says, label by label, which
    canonical id it means where the catalogue does not know the label. `categories` are the risk categories that its
    silence speaks for. `languages` are ISO 639 codes, empty where language does not matter.
    `cost_ms_per_kchar` is measured processor time in milliseconds for 1,000 characters. `granularity` is the least
    that it can judge of a text that is still being written. `remote`: it runs in somebody else's process. `revision`
    changes whenever what it says may change although its version does not.
    """

    name: str
    vendor: str
    vendor_version: str
    categories: tuple[str, ...]
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    cost_ms_per_kchar: float
    vocabulary: Mapping[str, str] = field(default_factory=dict)
    granularity: Granularity = Granularity.SENTENCE
    remote: bool = False
    revision: str = ""


class NoAnswer(Exception):
    """Why a detector gave no answer. The message may be shown to callers and never contains content.

    `code` is a stable name for programs. `retryable`: another attempt may succeed, after `retry_after_s` seconds if
    that is told. `notes` are as those of an `Inspection`.
    """

    default_code: ClassVar[str] = "DETECTOR_FAILED"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        notes: Mapping[str, str | bool | int | float] = NO_NOTES,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.notes = notes


class DetectorUnavailable(NoAnswer):
    """The detector cannot be asked now: not installed, still loading, overloaded, shut off, or its process is gone."""

    default_code = "DETECTOR_UNAVAILABLE"


class DetectorFailed(NoAnswer):
    """The detector was asked and broke, or answered what cannot be used."""


class DetectorTimeout(NoAnswer):
    """The detector was asked and gave no answer in the time that was left."""

    default_code = "DETECTOR_TIMEOUT"


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

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """Judge the text without blocking the event loop; cancellation must free what it holds.

        Raises `DetectorUnavailable`, `DetectorFailed` or `DetectorTimeout`. Keeps nothing of the text.
        """
        ...


class ProbedDetector(Detector, Protocol):
    """A detector whose health can be asked for without judging anybody's content."""

    async def probe(self) -> None:
        """Ask once for a sign of life; raise `NoAnswer` where there is none. Bounded in time by itself."""
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
