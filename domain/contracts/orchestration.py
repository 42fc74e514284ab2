"""The orchestration context's contract: content in, findings of every detector, coverage and a verdict out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol, Self

from pydantic import Field, model_validator

from llama_mapper.domain.contracts.base import (
    CONTENT_LIMIT,
    CanonicalId,
    CategoryId,
    Contract,
    Count,
    Identifier,
    Label,
    Metadata,
    Milliseconds,
    ProvenanceEntry,
    Score,
    Severity,
    ShortText,
    TenantId,
    VersionInfo,
    VersionText,
)
from llama_mapper.domain.contracts.mapping_terms import MappingTerms


class ProcessingMode(StrEnum):
    """How urgent the answer is; it sets the deadline of the whole run (policy data may set others)."""

    NORMAL = "normal"
    CRITICAL = "critical"
    LOW = "low"


class ContentType(StrEnum):
    """What the content is, so that a policy can choose detectors for it."""

    TEXT = "text"
    CHAT = "chat"
    EMAIL = "email"
    CODE = "code"
    CLINICAL = "clinical"
    DOCUMENT = "document"


class Role(StrEnum):
    """Who a message of a conversation is from."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    DOCUMENT = "document"
    """A retrieved text that the answer is to be based on."""


class Granularity(StrEnum):
    """The least that a detector can judge of a text that is still being written."""

    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    WHOLE = "whole"
    """Only the finished text."""


class DetectorMode(StrEnum):
    """Whether a detector's findings count, or are reported and nothing else."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


class RedactionStyle(StrEnum):
    """What stands in a redacted text where a finding was."""

    LABEL = "label"
    """The label in brackets: `[EMAIL_ADDRESS]`."""
    MASK = "mask"
    """An asterisk for each character."""
    SURROGATE = "surrogate"
    """The label and the first digits of the finding's keyed digest, so that equal texts stay equal within a tenant:
    `[EMAIL_ADDRESS-3f9a1c20b7d4]`."""


class HealthState(StrEnum):
    """What is known of a detector's health from probes and from its answers."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class BreakerState(StrEnum):
    """Of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class DetectorSource(StrEnum):
    """Where a detector in service comes from."""

    SHIPPED = "shipped"
    EMBEDDED = "embedded"
    """Given by the application that embeds us."""
    PLUGIN = "plugin"
    FILE = "file"
    REGISTRY = "registry"
    DNS = "dns"


class DetectorHealth(Contract):
    """What is known of one remote detector's health."""

    state: HealthState
    breaker: BreakerState = BreakerState.CLOSED
    consecutive_failures: Count = 0
    last_probe_at: datetime | None = None
    reason: ShortText = ""
    in_flight: Count = 0
    queued: Count = 0


class DetectorStatus(StrEnum):
    """What became of one selected detector."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    SKIPPED = "skipped"


class ConflictMethod(StrEnum):
    """How detectors that judge the same risk category and disagree are reconciled."""

    HIGHEST_CONFIDENCE = "highest_confidence"
    MAJORITY_VOTE = "majority_vote"
    WEIGHTED_AVERAGE = "weighted_average"
    MOST_RESTRICTIVE = "most_restrictive"


class CoverageMethod(StrEnum):
    """How coverage is counted: by required detectors, by their weights, or by taxonomy categories judged."""

    REQUIRED_SET = "required_set"
    WEIGHTED = "weighted"
    TAXONOMY = "taxonomy"


class FailureMode(StrEnum):
    """What a detector's failure means: carry on without it, or refuse to allow."""

    OPEN = "fail_open"
    CLOSED = "fail_closed"


class VerdictAction(StrEnum):
    """What to do with the content, mildest first."""

    ALLOW = "allow"
    FLAG = "flag"
    REDACT = "redact"
    BLOCK = "block"


PROVENANCE_LIMIT = 128
"""Steps of a response: each detector's, the policies', the hooks'."""

CONTENT_PATTERN = r"^[^\x00-\x08\x0e-\x1f]*$"
"""Text: any code point but NUL and the C0 control characters that are not white space."""


_Content = Annotated[str, Field(min_length=1, max_length=CONTENT_LIMIT, pattern=CONTENT_PATTERN)]


class Message(Contract):
    """One message of a conversation."""

    role: Role
    content: _Content


class OrchestrationOptions(Contract):
    """What a policy may take into account besides the content."""

    tenant_id: TenantId | None = None
    """May repeat the credential's tenant; naming another is refused with `TENANT_MISMATCH`."""
    policy_bundle: Identifier = "default"
    processing_mode: ProcessingMode = ProcessingMode.NORMAL
    content_type: ContentType = ContentType.TEXT
    categories: Annotated[tuple[CategoryId, ...], Field(max_length=64)] = ()
    """Risk categories to judge; empty means all that the policy knows for this content type."""
    metadata: Metadata | None = None
    """Facts for the policy to decide on; not stored."""


class OrchestrationRequest(OrchestrationOptions):
    """Content to run detectors over, and what the policy may take into account.

    Exactly one of `content` and `messages` is given. All messages are judged, not only the last one.
    """

    content: _Content | None = None
    """The text to judge. It is never stored or logged, and returned only redacted, where the verdict asks for that."""
    messages: Annotated[tuple[Message, ...], Field(max_length=1000)] = ()
    """The conversation to judge, oldest message first; kept as little as `content`."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.content is None) is not bool(self.messages):
            raise ValueError("give exactly one of content and messages")
        if self.messages and sum(len(message.content) + 2 for message in self.messages) > CONTENT_LIMIT:
            raise ValueError(f"all messages together have at most {CONTENT_LIMIT} characters")
        return self


class Span(Contract):
    """Where in the content (or in one message of it), in Unicode code points: `start` inclusive, `end` exclusive."""

    start: Count
    end: Count


class Finding(Contract):
    """One thing that a detector said. The matched text itself is not here, only its keyed digest."""

    label: Label
    score: Score
    category: CategoryId | None = None
    """Risk category of the label by the vendor's vocabulary; null if the vocabulary does not know the label."""
    span: Span | None = None
    message: Annotated[int, Field(ge=0, le=999)] | None = None
    """Index of the message that the span is in; null where the content is one text."""
    below_threshold: bool = False
    """Whether the policy wants a higher score for this label: reported, and counted for nothing."""
    declared: CanonicalId | None = None
    """What the detector's registration says that the label means, where the catalogue does not know the label."""
    meant: CanonicalId | None = None
    """What the tenant's own vocabulary or its reviewers say that the label means; null where they say nothing of it."""
    digest: Annotated[str, Field(pattern=r"^hmac-sha256:[0-9a-f]{64}$")] | None = None
    """HMAC-SHA-256 of the matched text under the tenant's key; equal text gives equal digests within a tenant."""


class DetectorFault(Contract):
    """Why a detector did not answer."""

    code: Identifier
    message: ShortText


class DetectorResult(Contract):
    """What one selected detector did, whatever became of it."""

    detector: Identifier
    vendor: Identifier
    vendor_version: VersionText
    status: DetectorStatus
    output: Label
    """The label with the highest score, `clean` if it answered and found nothing, otherwise the status."""
    confidence: Score
    """Of `output`; for `clean` the confidence that the policy gives this detector's silence; 0 if it did not answer."""
    categories: Annotated[tuple[CategoryId, ...], Field(max_length=64)] = ()
    """Risk categories that it was asked to judge."""
    findings: Annotated[tuple[Finding, ...], Field(max_length=1000)] = ()
    findings_dropped: Count = 0
    """Findings beyond the limit of 1,000, weakest first; they count for nothing else."""
    language_supported: bool | None = None
    """Whether the detector is made for the content's language; null if the language is not known."""
    mode: DetectorMode = DetectorMode.ENFORCE
    """`monitor`: the policy wants it reported, and its findings and failures counted for nothing."""
    substitute_for: Identifier | None = None
    """The detector that it stands in for, because that one could not be asked."""
    fault: DetectorFault | None = None
    processing_time_ms: Milliseconds
    metadata: Metadata = Field(default_factory=dict)


class CategoryOutcome(Contract):
    """What the detectors of one risk category amount to together."""

    category: CategoryId
    flagged: bool
    score: Score
    """Of the resolved outcome; 0 where nothing was found."""
    severity: Severity
    method: ConflictMethod
    conflict: bool
    """Whether detectors that judged this category disagreed."""
    flagged_by: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()
    cleared_by: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()


class AggregationSummary(Contract):
    """All detectors' results, resolved within each risk category and counted."""

    categories: Annotated[tuple[CategoryOutcome, ...], Field(max_length=128)] = ()
    detectors_selected: Count = 0
    detectors_succeeded: Count = 0
    findings: Count = 0
    conflicts: Count = 0


class CoverageGap(Contract):
    """Something that the policy required and that was not judged."""

    subject: Identifier
    """A detector, or a risk category."""
    reason: ShortText


class CoverageReport(Contract):
    """What part of what the policy required was really judged."""

    method: CoverageMethod
    achieved: Score
    threshold: Score
    sufficient: bool
    gaps: Annotated[tuple[CoverageGap, ...], Field(max_length=256)] = ()


class RoutingPlan(Contract):
    """Which detectors the policy chose and how long they may take."""

    primary_detectors: Annotated[tuple[Identifier, ...], Field(max_length=64)]
    """Required: each one that does not answer lowers the coverage."""
    secondary_detectors: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()
    """Run and reported, not required."""
    coverage_requirements: dict[Identifier, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default_factory=dict, max_length=128
    )
    """Weight of each required detector or category."""
    timeout_ms: Annotated[int, Field(ge=1, le=600_000)]
    monitored_detectors: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()
    """Those of the above that are reported and not enforced."""
    redaction: dict[Annotated[str, Field(max_length=128)], RedactionStyle] = Field(default_factory=dict, max_length=128)
    """How findings are replaced where the verdict is `redact`: by risk category, domain (`pii.*`) or `*`."""
    mapping: MappingTerms | None = None
    """What the policy says of how the labels found are mapped; null where it says nothing."""


class PolicyLevel(StrEnum):
    """For whom a policy bundle was activated, nearest first; the nearest decides."""

    KEY = "key"
    TENANT = "tenant"
    GLOBAL = "global"
    SHIPPED = "shipped"


class PolicyTraceStep(Contract):
    """One activation of the named bundle that was considered for a request."""

    level: PolicyLevel
    bundle: Identifier
    version: VersionText | None
    """Null where the bundle was taken out of force at this level."""
    chosen: bool
    reason: ShortText


class PolicyDecision(Contract):
    """Which policy decided, what it chose, and why."""

    selected_detectors: Annotated[tuple[Identifier, ...], Field(max_length=64)]
    policy_applied: Identifier
    """`bundle@version`."""
    policy_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    routing_reason: ShortText
    coverage_method: CoverageMethod
    plan: RoutingPlan
    policy_trace: Annotated[tuple[PolicyTraceStep, ...], Field(max_length=32)] = ()
    """Every activation that was considered, in this order; one of them was chosen."""


class VerdictReason(Contract):
    """One rule that contributed to the verdict."""

    action: VerdictAction
    code: Identifier
    """`category_flagged`, `detector_failed_closed` or `coverage_insufficient`."""
    subject: Identifier
    """The risk category or the detector."""
    score: Score | None = None
    threshold: Score | None = None
    message: ShortText
    enforced: bool = True
    """False where only monitored detectors say so, or the whole policy is monitored."""


class Verdict(Contract):
    """What the policy says to do, with every reason: the enforced ones first, each kind strongest first."""

    action: VerdictAction
    """The strongest action of an enforced reason; `allow` where there is none."""
    would: VerdictAction | None = None
    """What the action would be if everything monitored were enforced; null where nothing would differ."""
    reasons: Annotated[tuple[VerdictReason, ...], Field(max_length=256)] = ()
    policy_applied: Identifier


class ShadowVerdict(Contract):
    """What another policy, activated for watching only, makes of the same content."""

    policy_applied: Identifier
    policy_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    coverage: CoverageReport
    verdict: Verdict


class RedactedMessage(Contract):
    """One message with what was found in it replaced."""

    role: Role
    content: Annotated[str, Field(max_length=CONTENT_LIMIT * 8)]


class Redacted(Contract):
    """The content with what was found replaced. It is answered and never stored."""

    content: Annotated[str, Field(max_length=CONTENT_LIMIT * 8)] | None = None
    """The text, where the request had one."""
    messages: Annotated[tuple[RedactedMessage, ...], Field(max_length=1000)] = ()
    """The messages, where the request had messages."""
    replaced: Count
    """Places that were replaced."""
    complete: bool
    """False where something that should be redacted has no place in the text, because its detector gave no span, or a
    detector found more than a record can hold."""
    unplaced: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Labels of what could not be placed, each once."""


class OrchestrationResponse(Contract):
    """Every selected detector's result, resolved, covered and judged."""

    request_id: Identifier
    tenant_id: TenantId
    content_type: ContentType
    content_length: Count
    """Length of the content in code points."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    """ISO 639 code of the content's language, where a detector told it."""
    detector_results: Annotated[tuple[DetectorResult, ...], Field(max_length=64)]
    aggregation_summary: AggregationSummary
    coverage_achieved: Score
    coverage: CoverageReport
    policy: PolicyDecision
    verdict: Verdict
    shadows: Annotated[tuple[ShadowVerdict, ...], Field(max_length=8)] = ()
    """What policies that are activated for watching only would have said."""
    processing_time_ms: Milliseconds
    version_info: VersionInfo
    provenance: Annotated[tuple[ProvenanceEntry, ...], Field(max_length=PROVENANCE_LIMIT)]


class OrchestrationAnswer(OrchestrationResponse):
    """What the HTTP door answers: the response, and the content redacted where the verdict is `redact`."""

    redacted: Redacted | None = None


class DetectorInfo(Contract):
    """What a detector declares about itself, and whether it can be asked now."""

    name: Identifier
    vendor: Identifier
    vendor_version: VersionText
    categories: Annotated[tuple[CategoryId, ...], Field(max_length=64)]
    labels: Annotated[tuple[Label, ...], Field(max_length=1024)]
    """Its closed vocabulary; empty if the vocabulary lives in the catalogue under its vendor."""
    languages: Annotated[tuple[str, ...], Field(max_length=64)]
    """ISO 639 codes; empty means that language does not matter."""
    cost_ms_per_kchar: Annotated[float, Field(ge=0.0, le=1e6)]
    """Processor milliseconds for 1,000 characters, as measured."""
    granularity: Granularity = Granularity.SENTENCE
    remote: bool = False
    """Whether it runs in somebody else's process."""
    ready: bool
    reason: ShortText = ""
    """Why it is not ready."""
    source: DetectorSource | None = None
    """Where it comes from; null where that is not told."""
    revision: Annotated[int, Field(ge=1)] | None = None
    """Of its definition; null for a detector that is not defined by one."""
    health: DetectorHealth | None = None
    """What is known of its health; null where nobody watches it."""


class PolicyInfo(Contract):
    """A policy bundle that requests may name."""

    bundle: Identifier
    version: VersionText
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    description: ShortText


class DetectorList(Contract):
    """All detectors."""

    items: Annotated[tuple[DetectorInfo, ...], Field(max_length=1024)]


class PolicyList(Contract):
    """The tenant's policy bundles."""

    items: Annotated[tuple[PolicyInfo, ...], Field(max_length=1024)]


class OrchestrationApi(Protocol):
    """Runs the detectors that a policy asks for.

    Raises `DETECTOR_OVERLOADED` where too many requests are being judged already, `POLICY_NOT_FOUND`,
    `CATEGORY_NOT_FOUND`, `CONTENT_TOO_LARGE`, and `ALL_DETECTORS_UNAVAILABLE` where not
    one selected detector answered. A single failing detector raises nothing: its status says so.
    """

    async def orchestrate(self, request: OrchestrationRequest) -> OrchestrationResponse:
        """Judge `request.content` for `request.tenant_id` (which must be set) within the policy's deadline."""
        ...

    async def detectors(self) -> tuple[DetectorInfo, ...]:
        """Every detector that policies may choose, by name."""
        ...

    async def policies(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """The policy bundles that `tenant_id` may name."""
        ...
