"""Which activation decides a request: key before tenant before all tenants before what ships with the product.

Within a level an activation for the request's content type stands before one for every type. Everything here is
worked out once for each change; a request is a look-up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.orchestration import (
    ContentType,
    PolicyDecision,
    PolicyLevel,
    PolicyTraceStep,
)
from llama_mapper.domain.contracts.policies import Enforcement
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log, Slot
from llama_mapper.domain.orchestration.ports import PolicyBundle

TRACED = 32
SHADOWS = 6
_EXPLAINED = 64


@dataclass(frozen=True, slots=True)
class Resolution:
    """The bundle that decides, everything that was considered, and the bundles to run beside it without effect."""

    bundle: PolicyBundle
    trace: tuple[PolicyTraceStep, ...]
    shadows: tuple[PolicyBundle, ...] = ()
    _explained: dict[int, tuple[PolicyDecision, PolicyDecision]] = field(default_factory=dict, compare=False)

    def explain(self, decision: PolicyDecision) -> PolicyDecision:
        """The decision with the trace that led to its bundle; a decision that is used again is made once."""
        known = self._explained.get(id(decision))
        if known is not None and known[0] is decision:
            return known[1]
        explained = decision.model_copy(update={"policy_trace": self.trace})
        if len(self._explained) >= _EXPLAINED:
            self._explained.clear()
        self._explained[id(decision)] = (decision, explained)
        return explained


@dataclass(frozen=True, slots=True)
class Split:
    """Resolutions by part of the traffic: `resolutions[i]` holds for shares below `bounds[i]`, the last for the rest.

    None stands for no bundle at all.
    """

    bounds: tuple[int, ...]
    resolutions: tuple[Resolution | None, ...]

    def at(self, share: int) -> Resolution | None:
        """What holds for a share from 0 to 99."""
        return self.resolutions[bisect_right(self.bounds, share)]


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is in force of one bundle for one tenant.

    `own` and `everyone` are the chains of the tenant's and the global activations; `bundles` holds the content of
    every version in them, by whether it is the tenant's own and its version.
    """

    name: str
    own: Mapping[Slot, Log]
    everyone: Mapping[Slot, Log]
    bundles: Mapping[tuple[bool, str], PolicyBundle]
    shipped: PolicyBundle | None
    _splits: dict[tuple[str | None, ContentType | None], Split] = field(default_factory=dict, compare=False)
    _keys: frozenset[str] = field(init=False, compare=False)
    _types: frozenset[ContentType] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        slots = (*self.own, *self.everyone)
        object.__setattr__(self, "_keys", frozenset(slot.key for slot in self.own if slot.key is not None))
        types = frozenset(slot.content_type for slot in slots if slot.content_type is not None)
        object.__setattr__(self, "_types", types)

    def split(self, key: str | None, content_type: ContentType) -> Split:
        """What holds for requests of the API key `key` (None: no key) with content of this type."""
        at = (key if key in self._keys else None, content_type if content_type in self._types else None)
        found = self._splits.get(at)
        if found is None:
            found = self._splits[at] = self._worked_out(*at)
        return found

    def all_splits(self, key: str | None) -> tuple[Split, ...]:
        """What holds for requests of the API key, by content type; what holds for most types first."""
        at = key if key in self._keys else None
        return tuple(self._worked_out(at, content_type) for content_type in (None, *sorted(self._types)))

    def _worked_out(self, key: str | None, content_type: ContentType | None) -> Split:
        enforced = self._met(key, content_type, Enforcement.ENFORCE)
        monitored = self._met(key, content_type, Enforcement.MONITOR)
        shares = {event.percent or 100 for met in (enforced, monitored) for _, chain, _ in met for event in chain}
        bounds = tuple(sorted(shares - {100}))
        return Split(bounds, tuple(self._resolved(enforced, monitored, share) for share in (0, *bounds)))

    def _met(
        self, key: str | None, content_type: ContentType | None, enforcement: Enforcement
    ) -> list[tuple[PolicyLevel, Log, bool]]:
        """Level, chain and whether it is the tenant's own, in the order of precedence."""
        types = (content_type, None) if content_type is not None else (None,)
        found: list[tuple[PolicyLevel, Log, bool]] = []
        if key is not None:
            found += [(PolicyLevel.KEY, self.own.get(Slot(key, each, enforcement), ()), True) for each in types]
        found += [(PolicyLevel.TENANT, self.own.get(Slot(None, each, enforcement), ()), True) for each in types]
        found += [(PolicyLevel.GLOBAL, self.everyone.get(Slot(None, each, enforcement), ()), False) for each in types]
        return [entry for entry in found if entry[1]]

    def _resolved(
        self,
        enforced: list[tuple[PolicyLevel, Log, bool]],
        monitored: list[tuple[PolicyLevel, Log, bool]],
        share: int,
    ) -> Resolution | None:
        trace: list[PolicyTraceStep] = []
        chosen: PolicyBundle | None = None
        for level, chain, is_own in enforced:
            for event in chain:
                takes = chosen is None and event.version is not None and share < (event.percent or 100)
                if takes and event.version is not None:
                    chosen = self.bundles[is_own, event.version]
                reason = _reason(level, event, share, chosen=takes, decided=chosen is not None)
                trace.append(self._step(level, event.version, takes, reason))
        if self.shipped is not None:
            takes = chosen is None
            chosen = chosen or self.shipped
            reason = "ships with the product" if takes else "ships with the product; a nearer level decides"
            trace.append(self._step(PolicyLevel.SHIPPED, self.shipped.version, takes, reason))
        if chosen is None:
            return None
        shadows: dict[str, PolicyBundle] = {}
        for level, chain, is_own in monitored:
            met = next((event for event in chain if share < (event.percent or 100)), None)
            if met is None or met.version is None:
                continue
            shadow = self.bundles[is_own, met.version]
            reason = f"{_whom(level, met)}, to be monitored only"
            if shadow.digest != chosen.digest and len(shadows) < SHADOWS:
                shadows.setdefault(shadow.digest, shadow)
            else:
                reason += "; it is what decides" if shadow.digest == chosen.digest else ""
            trace.append(self._step(level, met.version, False, reason))
        return Resolution(chosen, tuple(trace[:TRACED]), tuple(shadows.values()))

    def _step(self, level: PolicyLevel, version: str | None, chosen: bool, reason: str) -> PolicyTraceStep:
        return PolicyTraceStep(level=level, bundle=self.name, version=version, chosen=chosen, reason=reason)


def _reason(level: PolicyLevel, event: Event, share: int, *, chosen: bool, decided: bool) -> str:
    if event.version is None:
        return f"taken out of force {_whom(level, event).removeprefix('activated ')}"
    reason = _whom(level, event)
    if event.percent is not None and event.percent < 100:
        among = "among them" if share < event.percent else "not among them"
        reason += f", {event.percent} % of requests, this one {among}"
    return reason if chosen or not decided else f"{reason}; a nearer one decides"


def _whom(level: PolicyLevel, event: Event) -> str:
    whom = {PolicyLevel.KEY: "the caller's API key", PolicyLevel.TENANT: "the tenant"}.get(level, "all tenants")
    kind = event.slot.content_type if event.slot is not None else None
    return f"activated for {whom}" + (f" and {kind} content" if kind is not None else "")
