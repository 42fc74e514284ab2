"""The use cases of the registry: register, update, switch, delete, look, try."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

from llama_mapper.domain.contracts.detectors import (
    DetectorChange,
    DetectorDefinition,
    DetectorHistory,
    DetectorRegistration,
    DetectorRevision,
    DetectorSource,
    ProbeOutcome,
    ProbeReport,
    RegisteredDetector,
)
from llama_mapper.domain.contracts.orchestration import DetectorInfo
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import (
    ErrorCode,
    NotFoundError,
    OrchestrationError,
    ServiceError,
    StoreError,
    ValidationError,
)
from llama_mapper.domain.orchestration.findings import FindingReader
from llama_mapper.domain.orchestration.registry.checks import check_definition, check_secret
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.model import Offer, Revision, digest_of, offers_of
from llama_mapper.domain.orchestration.registry.ports import (
    DetectorCatalogue,
    MakeDetector,
    ReleaseDetector,
    RevisionStore,
)
from llama_mapper.domain.orchestration.registry.trial import TRIAL_LIMIT_S, try_detector

MAX_REGISTERED = 256
"""Detectors in the registry at one time."""

MAX_REVISIONS = 10_000
"""Revisions of one name."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class DetectorRegistryService:
    """Keeps `DetectorRegistryApi`.

    `make` makes a detector to be tried, which `release` ends. `announce` brings this process to the new state; the
    others follow by themselves.
    """

    def __init__(
        self,
        store: RevisionStore,
        fleet: DetectorFleet,
        catalogue: DetectorCatalogue,
        reader: FindingReader,
        make: MakeDetector,
        release: ReleaseDetector,
        announce: Callable[[], Awaitable[None]],
        clock: Clock,
        trial_limit_s: float = TRIAL_LIMIT_S,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._catalogue = catalogue
        self._reader = reader
        self._make = make
        self._release = release
        self._announce = announce
        self._clock = clock
        self._trial_limit_s = trial_limit_s

    async def register(self, definition: DetectorDefinition, by: str, *, probe: bool = True) -> DetectorRegistration:
        """Put a new detector into service; see `DetectorRegistryApi`."""
        warnings = self._checked(definition)
        newest = await self._newest()
        last = newest.get(definition.name)
        if last is not None and not last.is_deletion:
            raise _taken(definition.name, DetectorSource.REGISTRY)
        self._require_free(definition.name)
        if sum(not each.is_deletion for each in newest.values()) >= MAX_REGISTERED:
            raise _conflict(f"there are {MAX_REGISTERED} registered detectors, which is the most that may be")
        report = await self._tried(definition) if probe else None
        revision = await self._added(last, definition, DetectorChange.REGISTERED, _outcome(probe), by)
        return self._registration(revision, report, warnings)

    async def update(
        self, name: str, definition: DetectorDefinition, by: str, *, probe: bool = True
    ) -> DetectorRegistration:
        """Replace a registered detector's definition; see `DetectorRegistryApi`."""
        if definition.name != name:
            raise ValidationError("the definition has another name; a detector cannot be renamed")
        last = await self._registered(name)
        warnings = self._checked(definition)
        if definition == last.definition:
            return self._registration(last, None, warnings)
        report = await self._tried(definition) if probe else None
        revision = await self._added(last, definition, DetectorChange.UPDATED, _outcome(probe), by)
        return self._registration(revision, report, warnings)

    async def enable(self, name: str, by: str) -> DetectorRegistration:
        """Put a disabled detector back into service."""
        return await self._switched(name, by, enabled=True)

    async def disable(self, name: str, by: str) -> DetectorRegistration:
        """Take a detector out of service and keep its definition."""
        return await self._switched(name, by, enabled=False)

    async def delete(self, name: str, by: str) -> DetectorRegistration:
        """Take a detector out of service and free its name; its history stays."""
        last = await self._registered(name)
        change, outcome = DetectorChange.DELETED, ProbeOutcome.NOT_NEEDED
        return self._registration(await self._added(last, last.definition, change, outcome, by))

    async def list(self) -> tuple[RegisteredDetector, ...]:
        """Every detector that a definition made or would make, by name."""
        registered = offers_of((await self._newest()).values())
        others = [offer for offer in self._fleet.offered() if offer.source is not DetectorSource.REGISTRY]
        return tuple(
            self._fleet.registered(offer) for offer in sorted([*registered, *others], key=lambda each: each.name)
        )

    async def show(self, name: str) -> RegisteredDetector:
        """One of them; raise `DETECTOR_NOT_FOUND`."""
        return self._fleet.registered(await self._offer(name))

    async def history(self, name: str) -> DetectorHistory:
        """Every revision of a name; raise `DETECTOR_NOT_FOUND` if it was never registered."""
        revisions = await self._store.history(name)
        if not revisions:
            raise _unknown(name)
        return DetectorHistory(name=name, items=tuple(_published(each) for each in revisions))

    async def probe(self, name: str) -> ProbeReport:
        """Try a detector; raise `DETECTOR_NOT_FOUND`."""
        return await self._report((await self._offer(name)).definition)

    def described(self, infos: tuple[DetectorInfo, ...]) -> tuple[DetectorInfo, ...]:
        """The same with each one's source, revision and health."""
        return self._fleet.described(infos)

    async def _newest(self) -> dict[str, Revision]:
        return {each.name: each for each in (await self._store.newest()).revisions}

    async def _registered(self, name: str) -> Revision:
        last = (await self._newest()).get(name)
        if last is None or last.is_deletion:
            holder = self._fleet.holder(name)
            if holder is not None and holder is not DetectorSource.REGISTRY:
                raise _conflict(f"'{name}' is not registered but from {holder.value}, and changed there")
            raise _unknown(name)
        return last

    async def _offer(self, name: str) -> Offer:
        for offer in (*offers_of((await self._newest()).values()), *self._fleet.offered()):
            if offer.name == name:
                return offer
        raise _unknown(name)

    def _require_free(self, name: str) -> None:
        holder = self._fleet.holder(name)
        if holder is not None and holder is not DetectorSource.REGISTRY:
            raise _taken(name, holder)

    def _checked(self, definition: DetectorDefinition) -> tuple[str, ...]:
        check_secret(definition)
        return check_definition(definition, self._catalogue)

    async def _switched(self, name: str, by: str, *, enabled: bool) -> DetectorRegistration:
        last = await self._registered(name)
        if last.definition.enabled is enabled:
            return self._registration(last)
        definition = last.definition.model_copy(update={"enabled": enabled})
        change = DetectorChange.ENABLED if enabled else DetectorChange.DISABLED
        return self._registration(await self._added(last, definition, change, ProbeOutcome.NOT_NEEDED, by))

    async def _tried(self, definition: DetectorDefinition) -> ProbeReport:
        report = await self._report(definition)
        if not report.passed:
            why = report.fault.message if report.fault else "no reason"
            raise OrchestrationError(
                f"the detector did not answer as it should ({why}); nothing is stored", ErrorCode.DETECTOR_PROBE_FAILED
            )
        return report

    async def _report(self, definition: DetectorDefinition) -> ProbeReport:
        try:
            detector = self._make(definition)
        except ServiceError as error:
            raise ValidationError(error.message, ErrorCode.DETECTOR_INVALID) from error
        try:
            return await try_detector(detector, self._reader, self._trial_limit_s)
        finally:
            self._release(detector)

    async def _added(
        self,
        last: Revision | None,
        definition: DetectorDefinition,
        change: DetectorChange,
        outcome: ProbeOutcome,
        by: str,
    ) -> Revision:
        number = 1 if last is None else last.revision + 1
        if number > MAX_REVISIONS:
            raise _conflict(f"'{definition.name}' has {MAX_REVISIONS} revisions; register it under another name")
        by = _CONTROL.sub(" ", by).strip()[:256] or "unnamed"
        revision = Revision(definition, number, change, digest_of(definition), outcome, self._clock(), by)
        await self._store.add(revision)
        with suppress(ServiceError):  # it is stored; this process then follows like the others
            await self._announce()
        return revision

    def _registration(
        self, revision: Revision, report: ProbeReport | None = None, warnings: tuple[str, ...] = ()
    ) -> DetectorRegistration:
        offer = Offer(
            DetectorSource.REGISTRY, revision.definition, revision.revision, revision.digest, revision.at, revision.by
        )
        return DetectorRegistration(detector=self._fleet.registered(offer), probe=report, warnings=warnings)


def _published(revision: Revision) -> DetectorRevision:
    return DetectorRevision(
        revision=revision.revision,
        change=revision.change,
        definition=revision.definition,
        digest=revision.digest,
        probe=revision.probe,
        changed_at=revision.at,
        changed_by=revision.by,
    )


def _outcome(probe: bool) -> ProbeOutcome:
    return ProbeOutcome.PASSED if probe else ProbeOutcome.WAIVED


def _conflict(message: str) -> StoreError:
    return StoreError(message, ErrorCode.CONFLICT, retryable=False)


def _taken(name: str, holder: DetectorSource) -> StoreError:
    whose = "already registered" if holder is DetectorSource.REGISTRY else f"the name of a detector from {holder.value}"
    return _conflict(f"'{name}' is {whose}")


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no such detector as '{name[:128]}'", ErrorCode.DETECTOR_NOT_FOUND)
