"""The contract of the life of policy bundles: drafted, validated, approved, activated, taken back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field, JsonValue

from llama_mapper.domain.contracts.base import Contract, Count, Identifier, ShortText, VersionText
from llama_mapper.domain.contracts.orchestration import ContentType, PolicyLevel, ProcessingMode

MAX_MODULES = 64
MAX_VERSIONS = 1000
"""Versions of one bundle, and bundles of one tenant: a draft beyond them is refused."""

PolicyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$")]
"""A bundle's name or version: what a URL can hold and records can name."""

Note = Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Reason = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
PersonName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Whom a credential names: an API key's name, or the person who ran a command."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Percent = Annotated[int, Field(ge=1, le=100)]


class PolicyState(StrEnum):
    """How far one version of a bundle has come."""

    DRAFT = "draft"
    VALIDATED = "validated"
    APPROVED = "approved"
    ACTIVE = "active"
    """In force somewhere, for all or a part of the traffic, or beside another to be monitored."""
    RETIRED = "retired"
    """Was in force, is not now; it may be activated again."""
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class PolicyStep(StrEnum):
    """What happened to a bundle."""

    DRAFTED = "drafted"
    VALIDATED = "validated"
    VALIDATION_FAILED = "validation_failed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    ROLLED_BACK = "rolled_back"


class Enforcement(StrEnum):
    """Whether an activated bundle decides, or only says beside the deciding one what it would have decided."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


class Door(StrEnum):
    """Which way somebody came to take a step."""

    HTTP = "http"
    COMMAND = "command"
    MIGRATION = "migration"


class Waiver(StrEnum):
    """Why an approval counts that no second person has given."""

    KEYLESS = "keyless"
    """The installation has no API keys: nobody's name is proven."""
    SETTING = "policy_four_eyes"
    """The setting `policy_four_eyes` is off."""


class PolicyScope(Contract):
    """For what an activation holds. At most one activation decides for each scope."""

    key: PersonName | None = None
    """The API key, by its name; null: all keys."""
    content_type: ContentType | None = None
    """The route: content of this type; null: content of every type."""
    enforcement: Enforcement = Enforcement.ENFORCE


class PolicyEvent(Contract):
    """One step in the life of a bundle; never changed and never deleted."""

    number: Count
    """Counts up within the bundle, from 1."""
    step: PolicyStep
    version: VersionText | None
    """The version that the step was about; null where a scope is left without one."""
    who: ShortText
    door: Door
    keyless: bool
    """Whether the name was claimed in an installation without API keys."""
    at: datetime
    note: ShortText = ""
    waiver: Waiver | None = None
    """Set on an approval that no second person has given."""
    level: PolicyLevel | None = None
    """Of an activation, a deactivation or a roll back; null for other steps."""
    scope: PolicyScope | None = None
    percent: Percent | None = None


class PolicyHistory(Contract):
    """A bundle's steps, newest first."""

    items: Annotated[tuple[PolicyEvent, ...], Field(max_length=1000)]
    before: Count | None = None
    """Ask for steps before this number to read on; null at the end."""


class PolicyVersionInfo(Contract):
    """One version of a bundle, without its content."""

    bundle: Identifier
    version: VersionText
    digest: Digest
    description: ShortText
    state: PolicyState
    author: ShortText
    drafted_at: datetime


class PolicyVersionList(Contract):
    """A bundle's versions, newest first."""

    items: Annotated[tuple[PolicyVersionInfo, ...], Field(max_length=MAX_VERSIONS)]


class PolicyVersionDetail(PolicyVersionInfo):
    """One version of a bundle with its content."""

    modules: dict[str, str]
    data: dict[str, JsonValue]


class PolicyActivation(Contract):
    """What is in force for one scope."""

    level: PolicyLevel
    scope: PolicyScope
    version: VersionText | None
    """Null: the bundle was taken out of force here, and the next level decides."""
    percent: Percent
    """The share of traffic that it decides for; the rest goes to the next in this list of the same scope."""
    since: datetime
    number: Count
    """The step that brought it."""


class PolicyActivationList(Contract):
    """What is in force of a bundle, in the order in which a request meets it."""

    items: Annotated[tuple[PolicyActivation, ...], Field(max_length=10_000)]


class PolicyDraft(Contract):
    """A new version of a bundle. A version is drafted once; its content never changes."""

    bundle: PolicyName
    version: PolicyName
    description: Note = ""
    modules: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")], str],
        Field(min_length=1, max_length=MAX_MODULES),
    ]
    """Rego v1 modules: path → source."""
    data: dict[str, JsonValue] = Field(default_factory=dict)
    note: Note = ""


class PolicyApproval(Contract):
    """A second person's yes."""

    note: Note = ""
    single_operator: bool = False
    """Approve one's own draft. Only where the installation has no API keys or `policy_four_eyes` is off; it is
    recorded."""


class PolicyRefusal(Contract):
    """A no, with its reason."""

    reason: Reason


class PolicyActivationRequest(Contract):
    """Put an approved version in force."""

    scope: PolicyScope = PolicyScope()
    percent: Percent = 100
    note: Note = ""


class PolicyScopeRequest(Contract):
    """Roll a scope back by one step, or take the bundle out of force there."""

    scope: PolicyScope = PolicyScope()
    note: Note = ""


class ProblemSeverity(StrEnum):
    """Whether a problem keeps a bundle from being validated."""

    ERROR = "error"
    WARNING = "warning"


class PolicyProblem(Contract):
    """One thing that is wrong with a bundle."""

    code: Identifier
    path: Annotated[str, Field(max_length=512)]
    """Where: a module, or a place in the data or the plan; empty for the bundle as a whole."""
    message: Annotated[str, Field(max_length=2048)]
    severity: ProblemSeverity


class PolicyValidation(Contract):
    """What validation found. It is valid without errors; warnings do not hold it up."""

    valid: bool
    version: PolicyVersionInfo
    problems: Annotated[tuple[PolicyProblem, ...], Field(max_length=1000)]


class Change(StrEnum):
    """How a part differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class ModuleDifference(Contract):
    """How one module differs."""

    path: ShortText
    change: Change
    diff: str
    """Unified diff; at most 65,536 characters."""
    truncated: bool


class ValueDifference(Contract):
    """How one value differs."""

    path: str
    """RFC 6901 JSON Pointer; of an element of a list by its place before, or after where it was added."""
    change: Change
    before: JsonValue = None
    """Null where there was none."""
    after: JsonValue = None
    """Null where there is none."""


class DecisionDifference(Contract):
    """How the plans of the two versions differ for one kind of request; an error stands for a plan not given."""

    content_type: ContentType
    processing_mode: ProcessingMode
    differences: Annotated[tuple[ValueDifference, ...], Field(max_length=1000)]
    before_error: Annotated[str, Field(max_length=2048)] | None = None
    after_error: Annotated[str, Field(max_length=2048)] | None = None


class PolicyDifference(Contract):
    """How one version of a bundle differs from another, and what that means for decisions."""

    bundle: Identifier
    before: VersionText
    before_digest: Digest
    after: VersionText
    after_digest: Digest
    modules: Annotated[tuple[ModuleDifference, ...], Field(max_length=10_000)]
    data: Annotated[tuple[ValueDifference, ...], Field(max_length=1000)]
    decisions: Annotated[tuple[DecisionDifference, ...], Field(max_length=64)]
    """Kinds of request whose plans differ; the others' are equal."""
    decisions_compared: Count
    truncated: bool
    """Whether more values differ than are listed."""


class PolicyActor(Contract):
    """Who takes a step."""

    name: PersonName
    door: Door
    keyless: bool
    """Whether the installation has no API keys, so that the name proves nothing."""


class PolicyLifecycleApi(Protocol):
    """The life of a tenant's policy bundles.

    Raises `NOT_FOUND` for a version that the tenant does not have, `POLICY_STATE` for a step that its state does not
    permit, `CONFLICT` for a version that has other content, `FOUR_EYES` for an approval by the author. Every step that
    is taken is recorded; one that raises is not.
    """

    async def draft(self, tenant_id: str, draft: PolicyDraft, actor: PolicyActor) -> PolicyVersionInfo:
        """Store a version; again with the same content it changes nothing."""
        ...

    async def validate(self, tenant_id: str, bundle: str, version: str, actor: PolicyActor) -> PolicyValidation:
        """Examine a draft, or a validated version again, and record the outcome."""
        ...

    async def approve(
        self, tenant_id: str, bundle: str, version: str, approval: PolicyApproval, actor: PolicyActor
    ) -> PolicyVersionInfo:
        """Approve a validated version of another person."""
        ...

    async def reject(
        self, tenant_id: str, bundle: str, version: str, refusal: PolicyRefusal, actor: PolicyActor
    ) -> PolicyVersionInfo:
        """Refuse a version that is not approved yet, for good."""
        ...

    async def withdraw(
        self, tenant_id: str, bundle: str, version: str, refusal: PolicyRefusal, actor: PolicyActor
    ) -> PolicyVersionInfo:
        """Take a version back that was never in force, for good."""
        ...

    async def activate(
        self, tenant_id: str, bundle: str, version: str, request: PolicyActivationRequest, actor: PolicyActor
    ) -> PolicyActivationList:
        """Put an approved version in force for a scope; what is in force of the bundle afterwards."""
        ...

    async def deactivate(
        self, tenant_id: str, bundle: str, request: PolicyScopeRequest, actor: PolicyActor
    ) -> PolicyActivationList:
        """Leave a scope without a version, so that the next level decides."""
        ...

    async def rollback(
        self, tenant_id: str, bundle: str, request: PolicyScopeRequest, actor: PolicyActor
    ) -> PolicyActivationList:
        """Return a scope to what was in force before its last activation or deactivation, whatever that was."""
        ...

    async def versions(self, tenant_id: str, bundle: str) -> PolicyVersionList:
        """Every version of a bundle; raise `NOT_FOUND` if there is none."""
        ...

    async def version(self, tenant_id: str, bundle: str, version: str) -> PolicyVersionDetail:
        """One version with its content."""
        ...

    async def activations(self, tenant_id: str, bundle: str) -> PolicyActivationList:
        """What is in force of a bundle; raise `NOT_FOUND` if nothing ever happened to it."""
        ...

    async def history(
        self, tenant_id: str, bundle: str, *, limit: int = 100, before: int | None = None
    ) -> PolicyHistory:
        """What happened to a bundle, newest first; `limit` is 1 to 1,000."""
        ...

    async def difference(self, tenant_id: str, bundle: str, before: str, after: str) -> PolicyDifference:
        """How two versions differ; either may also be a global or the shipped one of that name."""
        ...
