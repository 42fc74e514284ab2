"""The facts that every bundle is tried on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode


class Registered(Protocol):
    """What policies see of a detector; its descriptor has it."""

    @property
    def name(self) -> str:
        """By which plans choose it."""
        ...

    @property
    def categories(self) -> tuple[str, ...]:
        """Risk categories that it judges."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639 codes, empty where language does not matter."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """One case: its facts and how to name it. `plain`: nothing was asked for and every detector is ready."""

    name: str
    content_type: ContentType
    facts: dict[str, Any]
    plain: bool


def trials(tenant_id: str, detectors: Sequence[Registered], categories: Collection[str]) -> tuple[Trial, ...]:
    """Every content type in every mode; and each content type with a category asked for, and with nobody ready."""
    asked = sorted({each for detector in detectors for each in detector.categories} or categories)[:1]
    found = []
    for content_type in ContentType:
        found += [_trial(tenant_id, content_type, mode, detectors) for mode in ProcessingMode]
        if asked:
            found.append(_trial(tenant_id, content_type, ProcessingMode.NORMAL, detectors, asked=asked))
        found.append(_trial(tenant_id, content_type, ProcessingMode.NORMAL, detectors, ready=False))
    return tuple(found)


def _trial(
    tenant_id: str,
    content_type: ContentType,
    mode: ProcessingMode,
    detectors: Sequence[Registered],
    *,
    asked: Sequence[str] = (),
    ready: bool = True,
) -> Trial:
    facts: dict[str, Any] = {
        "tenant_id": tenant_id,
        "content_type": content_type.value,
        "processing_mode": mode.value,
        "categories": list(asked),
        "metadata": {},
        "detectors": [
            {
                "name": detector.name,
                "categories": list(detector.categories),
                "languages": list(detector.languages),
                "ready": ready,
            }
            for detector in detectors
        ],
    }
    name = f"{content_type} content in mode {mode}"
    if asked:
        name += f", {', '.join(asked)} asked for"
    if not ready:
        name += ", no detector ready"
    return Trial(name, content_type, facts, plain=ready and not asked)
