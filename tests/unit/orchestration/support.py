"""A tiny catalogue and detectors that do what a test tells them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import (
    CatalogueVersions,
    ControlLink,
    FrameworkEdition,
    LabelMatch,
    MatchStage,
)
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest
from llama_mapper.domain.contracts.policies import Door, PolicyActor
from llama_mapper.domain.kernel.clock import system_clock
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.hooks import NO_HOOKS, Hooks
from llama_mapper.domain.orchestration.lifecycle.activation import activated
from llama_mapper.domain.orchestration.lifecycle.events import Log, Slot
from llama_mapper.domain.orchestration.lifecycle.ports import Activations
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import (
    Detector,
    DetectorDescriptor,
    Inquiry,
    Inspection,
    PolicyBundle,
    RawFinding,
)
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService

EMAIL, TOXIC, SECRET, ATTACK = (
    "pii.personal_identifiers",
    "content.toxic_language",
    "security.credentials",
    "security.prompt_attack",
)


class SmallCatalogue:
    """Keeps `CatalogueView` for the vendor `acme`; a finding's label is its canonical id, unless it is in `words`."""

    versions = CatalogueVersions("t1", "v1", "x1")
    categories: Mapping[str, Severity] = {
        EMAIL: Severity.HIGH,
        TOXIC: Severity.MEDIUM,
        SECRET: Severity.CRITICAL,
        ATTACK: Severity.HIGH,
        "security.tokens": Severity.CRITICAL,
        "pii.health_records": Severity.CRITICAL,
        "content.violence": Severity.HIGH,
        "content.sexual": Severity.HIGH,
        "meta.outcome": Severity.INFO,
    }
    words: Mapping[str, str] = {"EMAIL": f"{EMAIL}.email", "toxic": TOXIC, "safe": "meta.outcome.safe"} | {
        "controversial": "meta.outcome.ambiguous"
    }

    def match(self, vendor: str, vendor_version: str | None, label: str) -> LabelMatch | None:
        canonical = self.words.get(label) or (label if label in self.categories else None)
        return LabelMatch(canonical, (), MatchStage.EXACT, 1.0) if vendor == "acme" and canonical else None

    def severity(self, canonical: str) -> Severity:
        return self.categories[".".join(canonical.split(".")[:2])]

    def name(self, canonical: str) -> str:
        return canonical

    def frameworks(self) -> Sequence[FrameworkEdition]:
        return ()

    def resolve_frameworks(self, refs: Sequence[str]) -> tuple[FrameworkEdition, ...]:
        return ()

    def evidence_requirement(self, control_id: str, edition: FrameworkEdition) -> str:
        return ""

    def controls(self, canonical: str, edition: FrameworkEdition) -> tuple[ControlLink, ...]:
        return ()


class HmacDigests:
    """Keeps `TextDigests` with the tenant's name as its key."""

    def digest(self, tenant_id: str, text: str) -> str:
        return "hmac-sha256:" + hmac.new(tenant_id.encode(), text.encode(), hashlib.sha256).hexdigest()


class ScriptedDetector:
    """A detector that runs `behave` (by default: finds nothing) and counts how often it was asked and let go."""

    def __init__(
        self,
        name: str,
        categories: tuple[str, ...] = (EMAIL,),
        behave: Callable[[str], Awaitable[Any]] | None = None,
        *,
        languages: tuple[str, ...] = (),
        not_ready: str | None = None,
    ) -> None:
        self.descriptor = DetectorDescriptor(name, "acme", "1.0", categories, (), languages, 0.1)
        self.readiness = not_ready
        self.asked = 0
        self.cancelled = 0
        self._behave = behave

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        self.asked += 1
        if self._behave is None:
            return Inspection()
        try:
            return await self._behave(inquiry.text)  # type: ignore[no-any-return]  # tests return wrong types on purpose
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def says(*findings: tuple[str, float] | RawFinding, language: str | None = None) -> Callable[[str], Awaitable[Any]]:
    """Behaviour: answer at once with these findings."""
    raw = tuple(one if isinstance(one, RawFinding) else RawFinding(*one) for one in findings)

    async def behave(content: str) -> Inspection:
        return Inspection(raw, language)

    return behave


def gives(answer: object) -> Callable[[str], Awaitable[Any]]:
    """Behaviour: return exactly this, well-formed or not."""

    async def behave(content: str) -> object:
        return answer

    return behave


def raises(error: BaseException) -> Callable[[str], Awaitable[Any]]:
    """Behaviour: break."""

    async def behave(content: str) -> object:
        raise error

    return behave


def sleeps(seconds: float) -> Callable[[str], Awaitable[Any]]:
    """Behaviour: answer nothing after a while."""

    async def behave(content: str) -> Inspection:
        await asyncio.sleep(seconds)
        return Inspection()

    return behave


class NoBundles:
    """Keeps `PolicyStandings` in memory, and counts look-ups; what is put is in force for the whole tenant."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], PolicyBundle] = {}
        self.logs: dict[tuple[str, str], Log] = {}
        self.lookups = 0

    async def mark(self, tenant_id: str, bundle: str) -> tuple[int, int]:
        self.lookups += 1
        return len(self.logs.get((tenant_id, bundle), ())), len(self.logs.get((EVERYONE, bundle), ()))

    async def activations(self, tenant_id: str, bundle: str) -> Activations:
        return Activations(self.logs.get((tenant_id, bundle), ()), self.logs.get((EVERYONE, bundle), ()))

    async def get(self, owner: str, bundle: str, version: str) -> PolicyBundle | None:
        return self.kept.get((owner, f"{bundle}@{version}"))

    async def names(self, owner: str) -> Sequence[str]:
        return sorted(name for tenant_id, name in self.logs if tenant_id == owner)

    async def put(self, tenant_id: str, bundle: PolicyBundle, slot: Slot | None = None, percent: int = 100) -> None:
        self.kept[tenant_id, bundle.applied] = bundle
        log = self.logs.get((tenant_id, bundle.name), ())
        actor = PolicyActor(name="somebody", door=Door.COMMAND, keyless=False)
        event = activated(log, bundle.version, slot or Slot(), percent, actor, system_clock, "")
        self.logs[tenant_id, bundle.name] = log if event is None else (*log, event)


class FixedEngine:
    """Keeps `PolicyEngine` with one plan for all, and counts evaluations."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan = plan
        self.evaluations = 0
        self.facts: list[Mapping[str, Any]] = []

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        self.evaluations += 1
        self.facts.append(facts)
        return self.plan


def terms(**changes: Any) -> dict[str, Any]:
    """A detector's terms as a policy writes them."""
    return {"weight": 1, "timeout_ms": 1000, "failure_mode": "fail_open", "clean_confidence": 0.5} | changes


def raw_plan(
    primary: Sequence[str] = (), secondary: Sequence[str] = (), own: Mapping[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A valid plan as a policy writes it; `changes` replace its parts, those of coverage are merged."""
    coverage = {
        "method": "required_set",
        "threshold": 0.8,
        "requirements": {},
        "on_insufficient": "flag",
        "language_gaps": "report",
    } | changes.pop("coverage", {})
    return {
        "categories": [EMAIL, TOXIC],
        "detectors": {
            "primary": list(primary),
            "secondary": list(secondary),
            "terms": {name: terms() | (own or {}).get(name, {}) for name in (*primary, *secondary)},
        },
        "coverage": coverage,
        "conflicts": {"default": "most_restrictive", "categories": {}},
        "actions": {"default": [{"threshold": 0.5, "action": "flag"}], "categories": {}},
        "timeout_ms": 1000,
        "routing_reason": "because",
    } | changes


def service(
    detectors: Sequence[Detector],
    plan: Mapping[str, Any] | None = None,
    *,
    engine: FixedEngine | None = None,
    bundles: NoBundles | None = None,
    data: Mapping[str, Any] | None = None,
    content_limit: int = 1000,
    hooks: Hooks = NO_HOOKS,
) -> OrchestrationService:
    """The service over these detectors, all of them primary unless `plan` says otherwise."""
    fixed = raw_plan([one.descriptor.name for one in detectors]) if plan is None else plan
    parse_plan(fixed)
    return OrchestrationService(
        DetectorRoster(SmallCatalogue(), {one.descriptor.name: one for one in detectors}),
        engine or FixedEngine(fixed),
        bundles or NoBundles(),
        [make_bundle("default", "1.0.0", "for tests", {}, data or {})],
        SmallCatalogue(),
        HmacDigests(),
        "0.0.1",
        content_limit,
        hooks,
    )


def request(content: str = "write to jo@example.org", **changes: Any) -> OrchestrationRequest:
    """A request of the tenant `t1`."""
    return OrchestrationRequest(content=content, **({"tenant_id": "t1"} | changes))
