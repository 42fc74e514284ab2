"""The contract of crosswalk versions: tried on test cases, deployed to a share of the traffic, rolled back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    CategoryId,
    Contract,
    ControlId,
    Count,
    FrameworkRef,
    Score,
    ShortText,
    VersionText,
)
from llama_mapper.domain.contracts.curation import Curator, DocumentDifference, Role
from llama_mapper.domain.contracts.own_catalogue import OwnVersion, Sentence
from llama_mapper.domain.contracts.policies import Digest, Door, Note, Percent

_Controls = Annotated[tuple[ControlId, ...], Field(max_length=256)]
_EditionRef = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}:[A-Za-z0-9][A-Za-z0-9_.-]{0,30}$")]


class CrosswalkEntry(Contract):
    """Which controls a canonical label touches, by edition, and why."""

    rationale: Sentence
    controls: Annotated[dict[_EditionRef, _Controls], Field(min_length=1, max_length=64)]


class CrosswalkCase(Contract):
    """What must hold of a crosswalk: a label touches these controls of an edition, and does not touch those."""

    label: CanonicalId
    edition: _EditionRef
    must: _Controls = ()
    must_not: _Controls = ()
    why: Sentence


class CrosswalkUpload(Contract):
    """A new version of the crosswalk. A version is uploaded once; its content never changes."""

    version: OwnVersion
    crosswalk: Annotated[dict[CanonicalId, CrosswalkEntry], Field(max_length=1024)]
    """Canonical label → links. A subcategory's entry replaces the entry of its category."""
    based_on_shipped: bool = True
    """Whether labels that are not named keep the shipped links; otherwise every category must be named."""
    without: Annotated[dict[CategoryId, Sentence], Field(max_length=256)] = Field(default_factory=dict)
    """Categories that touch no control, and why."""
    cases: Annotated[tuple[CrosswalkCase, ...], Field(max_length=1000)] = ()
    """Test cases of its own; one for a label and an edition stands in for the shipped ones of the same."""
    note: Note = ""


class CaseFailure(Contract):
    """A test case that does not hold."""

    label: CanonicalId
    edition: FrameworkRef
    missing: _Controls = ()
    """Controls that the label must touch and does not."""
    wrong: _Controls = ()
    """Controls that it must not touch and does."""
    why: ShortText


class EditionAccuracy(Contract):
    """How a version does on the test cases of one edition."""

    edition: FrameworkRef
    cases: Count
    passed: Count
    accuracy: Score
    """Passed of all; 1 where there is no case."""


class CrosswalkAccuracy(Contract):
    """How a version does on the test cases."""

    version: VersionText
    cases: Count
    passed: Count
    accuracy: Score
    gate: Score
    """The least accuracy with which a version may be deployed, for each edition that has cases."""
    passes: bool
    editions: Annotated[tuple[EditionAccuracy, ...], Field(max_length=64)]
    failures: Annotated[tuple[CaseFailure, ...], Field(max_length=2000)]


class CrosswalkStep(StrEnum):
    """What happened to the deployment."""

    DEPLOYED = "deployed"
    ROLLED_BACK = "rolled_back"


class CrosswalkInfo(Contract):
    """One version of the crosswalk."""

    version: VersionText
    shipped: bool
    digest: Digest | None = None
    percent: Annotated[int, Field(ge=0, le=100)]
    """The share of the tenant's traffic that it answers now."""
    who: ShortText | None = None
    at: datetime | None = None
    note: ShortText = ""


class CrosswalkList(Contract):
    """The versions that the tenant may deploy, newest first, the shipped one last."""

    items: Annotated[tuple[CrosswalkInfo, ...], Field(max_length=1001)]


class CrosswalkEvent(Contract):
    """One change of what is deployed; never changed and never deleted."""

    number: Count
    step: CrosswalkStep
    version: VersionText | None
    """Null of a roll back to the shipped version alone."""
    percent: Percent | None
    accuracy: Score | None = None
    who: ShortText
    role: Role
    door: Door
    keyless: bool
    at: datetime
    note: ShortText = ""


class CrosswalkHistory(Contract):
    """The changes of what is deployed, newest first."""

    items: Annotated[tuple[CrosswalkEvent, ...], Field(max_length=1000)]


class CrosswalkDeployment(Contract):
    """Answer this share of the traffic with a version."""

    percent: Percent = 100
    note: Note = ""


class CrosswalkRollback(Contract):
    """Return to what was deployed before the last change."""

    note: Note = ""


class CrosswalkDeskApi(Protocol):
    """A tenant's crosswalk versions.

    Raises `DOCUMENT_INVALID` naming every problem, `CONFLICT` for a version that has other content or where somebody
    else was quicker, `NOT_FOUND` for a version that the tenant does not have, `ACCURACY_TOO_LOW` where the test cases
    forbid to deploy it. What is deployed answers in every process within two seconds.
    """

    async def upload(self, tenant_id: str, upload: CrosswalkUpload, curator: Curator) -> CrosswalkInfo:
        """Store a version; again with the same content it changes nothing."""
        ...

    async def list(self, tenant_id: str) -> CrosswalkList:
        """Its versions and what share each answers."""
        ...

    async def accuracy(self, tenant_id: str, version: str, framework: str | None = None) -> CrosswalkAccuracy:
        """How a version does on the test cases, of all editions or of one framework or edition.

        Raises `FRAMEWORK_NOT_FOUND` or `EDITION_NOT_FOUND` for one that is not shipped.
        """
        ...

    async def difference(self, tenant_id: str, before: str, after: str) -> DocumentDifference:
        """The links of `after` that `before` lacks, and the other way round; editions by name, then labels."""
        ...

    async def deploy(
        self, tenant_id: str, version: str, deployment: CrosswalkDeployment, curator: Curator
    ) -> CrosswalkList:
        """Let a version answer a share of the traffic; whoever is in a share is also in every larger one."""
        ...

    async def rollback(self, tenant_id: str, request: CrosswalkRollback, curator: Curator) -> CrosswalkList:
        """Return to what was deployed before the last change that was not rolled back."""
        ...

    async def history(self, tenant_id: str) -> CrosswalkHistory:
        """The changes of what is deployed."""
        ...
