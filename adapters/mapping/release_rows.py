"""Events of releases as rows and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from llama_mapper.domain.contracts.releases import (
    GateFigure,
    ReleaseDoor,
    ReleaseMode,
    ReleaseStep,
    VariantKind,
    read_start,
)
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.releases.events import Event, Log

_EXPERIMENTS = frozenset({ReleaseMode.AB, ReleaseMode.SHADOW})


def row_of(event: Event) -> dict[str, Any]:
    """The row, without what its order among the kind's settling steps is."""
    detail = {
        "plan": None if event.plan is None else json.loads(event.plan.model_dump_json()),
        "stage": event.stage,
        "seen": event.seen,
        "override": event.override,
        "reasons": list(event.reasons),
        "effects": [json.loads(effect.model_dump_json()) for effect in event.effects],
    }
    return {
        "release_id": event.release_id,
        "number": event.number,
        "kind": event.kind.value,
        "step": event.step.value,
        "settles": event.settles,
        "settled_after": None,
        "at": event.at,
        "who": event.who,
        "door": event.door.value,
        "keyless": event.keyless,
        "holds": event.holds,
        "note": event.note,
        "is_experiment": event.plan is not None and event.plan.mode in _EXPERIMENTS,
        "detail": json.dumps(detail),
    }


def event_of(row: Row[Any]) -> Event:
    """The event; raise `STORE_UNAVAILABLE` if a version of this software wrote it that knows more than this one."""
    try:
        detail = json.loads(row.detail)
        return Event(
            release_id=row.release_id,
            number=row.number,
            kind=VariantKind(row.kind),
            step=ReleaseStep(row.step),
            at=row.at,
            who=row.who,
            door=ReleaseDoor(row.door),
            keyless=row.keyless,
            holds=row.holds,
            note=row.note,
            plan=None if detail["plan"] is None else read_start(json.dumps(detail["plan"])),
            stage=detail["stage"],
            seen=detail["seen"],
            override=detail["override"],
            settles=row.settles,
            reasons=tuple(detail["reasons"]),
            effects=tuple(GateFigure.model_validate_json(json.dumps(effect)) for effect in detail["effects"]),
        )
    except (ValueError, KeyError) as error:
        raise StoreError("a release was written by another version of this software") from error


def logs_of(rows: Iterable[Row[Any]]) -> list[Log]:
    """The logs of rows that are ordered by release and number, in their order."""
    return [tuple(map(event_of, events)) for _, events in groupby(rows, key=lambda row: str(row.release_id))]
