"""Puts what all sources offer into service, and tells what could not be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.detectors import DetectorHealth, DetectorSource, RegisteredDetector
from llama_mapper.domain.contracts.orchestration import DetectorInfo
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.ports import Detector, DetectorDescriptor, ProbedDetector
from llama_mapper.domain.orchestration.registry.model import Offer, settled
from llama_mapper.domain.orchestration.registry.ports import HealthOf, MakeDetector, ReleaseDetector
from llama_mapper.domain.orchestration.roster import DetectorRoster, check_declaration, info_of, readiness_of

LINGER_S = 60.0
"""How long a replaced detector is kept for the requests that began with it; none may take longer by default."""


@dataclass(frozen=True, slots=True)
class _Served:
    """A detector in service and the offer that it was made from."""

    offer: Offer
    detector: ProbedDetector


def _kept(_: ProbedDetector) -> None:
    return None


def _unwatched(_: Detector) -> DetectorHealth | None:
    return None


class DetectorFleet:
    """Keeps the roster at what the sources offer.

    Each source offers all that it has, as often as it likes. A detector is made anew only when its definition
    changed; requests that run go on with the one they began with, which is released `linger_s` seconds later. An offer
    that cannot be put into service is told by `problems` and `notes`, and touches no other; where it was to replace a
    detector of the same source, that one stays.
    """

    def __init__(
        self,
        roster: DetectorRoster,
        fixed: Mapping[str, tuple[DetectorSource, Detector]],
        make: MakeDetector,
        catalogue: CatalogueView,
        *,
        release: ReleaseDetector = _kept,
        health_of: HealthOf = _unwatched,
        linger_s: float = LINGER_S,
    ) -> None:
        self._roster = roster
        self._fixed = dict(fixed)
        self._make = make
        self._catalogue = catalogue
        self._release = release
        self._health_of = health_of
        self._linger_s = linger_s
        self._offers: dict[DetectorSource, tuple[Offer, ...]] = {}
        self._troubles: dict[DetectorSource, dict[str, str]] = {}
        self._chosen: dict[str, Offer] = {}
        self._served: dict[str, _Served] = {}
        self._refused: dict[str, str] = {}
        self._retired: dict[ProbedDetector, asyncio.TimerHandle] = {}

    def offer(self, source: DetectorSource, offers: Iterable[Offer], troubles: Mapping[str, str] | None = None) -> None:
        """From now on the source offers these; `troubles` is what of it cannot be read: subject → why."""
        self._offers[source] = tuple(offers)
        self._troubles[source] = dict(troubles or {})
        self._apply()

    def trouble(self, source: DetectorSource, why: str | None) -> None:
        """Why the source as a whole cannot be read now, or None: what it offered last stays in service."""
        troubles = self._troubles.setdefault(source, {})
        if why is None:
            troubles.pop("", None)
        else:
            troubles[""] = why

    def close(self) -> None:
        """Release every detector that an offer made."""
        for detector, timer in self._retired.items():
            timer.cancel()
            self._release(detector)
        for served in self._served.values():
            self._release(served.detector)
        self._retired.clear()
        self._served.clear()

    @property
    def problems(self) -> dict[str, str]:
        """`source` or `source.subject` → what is not in service, and why."""
        told = {
            f"{source.value}.{subject}" if subject else source.value: why
            for source, troubles in self._troubles.items()
            for subject, why in troubles.items()
        }
        return told | self._refused

    def notes(self) -> dict[str, str]:
        """The problems, and why each detector in service that cannot be asked now cannot."""
        unready = ((name, readiness_of(served.detector)) for name, served in self._served.items())
        return {f"detector.{name}": why for name, why in unready if why is not None} | self.problems

    def holder(self, name: str) -> DetectorSource | None:
        """Which source has the name, whether or not its detector is enabled."""
        if name in self._fixed:
            return self._fixed[name][0]
        return self._chosen[name].source if name in self._chosen else None

    def offered(self) -> Sequence[Offer]:
        """The offers that have their names, in service or not, by name."""
        return [self._chosen[name] for name in sorted(self._chosen)]

    def descriptors(self) -> Sequence[DetectorDescriptor]:
        """What the detectors in service that definitions made declare, by name."""
        return [self._served[name].detector.descriptor for name in sorted(self._served)]

    def registered(self, offer: Offer) -> RegisteredDetector:
        """An offer as callers see it, with what is known in this process of its detector."""
        served = self._served.get(offer.name)
        live = served.detector if served is not None and served.offer.source is offer.source else None
        return RegisteredDetector(
            definition=offer.definition,
            revision=offer.revision,
            source=offer.source,
            digest=offer.digest,
            registered_at=offer.at,
            registered_by=offer.by,
            info=None if live is None else info_of(live),
            health=None if live is None else self._health_of(live),
        )

    def health(self, name: str) -> DetectorHealth | None:
        """What is known of the health of a detector in service."""
        served = self._served.get(name)
        return None if served is None else self._health_of(served.detector)

    def described(self, infos: Iterable[DetectorInfo]) -> tuple[DetectorInfo, ...]:
        """The same with each one's source, revision and health."""
        described = []
        for info in infos:
            served, fixed = self._served.get(info.name), self._fixed.get(info.name)
            source = served.offer.source if served else fixed[0] if fixed else None
            update = {
                "source": source,
                "revision": served.offer.revision if served else None,
                "health": self.health(info.name),
            }
            described.append(info.model_copy(update=update))
        return tuple(described)

    def _apply(self) -> None:
        fixed = {name: source for name, (source, _) in self._fixed.items()}
        chosen, shadowed = settled(fixed, (offer for offers in self._offers.values() for offer in offers))
        refused = {
            f"{offer.source.value}.{offer.name}": f"the name belongs to a detector from {holder.value}"
            for offer, holder in shadowed
        }
        served: dict[str, _Served] = {}
        for name, offer in chosen.items():
            if not offer.definition.enabled:
                continue
            known = self._served.get(name)
            if known is not None and known.offer.source is not offer.source:
                known = None
            if known is not None and known.offer.digest == offer.digest:
                served[name] = replace(known, offer=offer)
                continue
            try:
                served[name] = _Served(offer, self._made(offer))
            except Exception as error:
                why = error.message if isinstance(error, ServiceError) else type(error).__name__
                stays = "" if known is None else f"; revision {known.offer.revision} stays in service"
                refused[f"{offer.source.value}.{name}"] = f"revision {offer.revision} cannot be used: {why}{stays}"
                if known is not None:
                    served[name] = known
        before = self._served
        self._chosen, self._served, self._refused = chosen, served, refused
        detectors: dict[str, Detector] = {name: detector for name, (_, detector) in self._fixed.items()}
        detectors |= {name: each.detector for name, each in served.items()}
        if detectors != dict(self._roster.detectors):
            self._roster.replace(detectors)
        for name, old in before.items():
            if name not in served or served[name].detector is not old.detector:
                self._retire(old.detector)

    def _made(self, offer: Offer) -> ProbedDetector:
        detector = self._make(offer.definition)
        try:
            check_declaration(offer.name, detector, self._catalogue)
        except BaseException:
            self._release(detector)
            raise
        return detector

    def _retire(self, detector: ProbedDetector) -> None:
        def release() -> None:
            del self._retired[detector]
            self._release(detector)

        self._retired[detector] = asyncio.get_running_loop().call_later(self._linger_s, release)
