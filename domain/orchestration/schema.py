"""Which form a policy bundle is written in, and how an older one becomes today's.

`bundle.json` names the form in `schema`; without it the form is 1. Form 2 adds to a detector's terms `mode`,
`substitutes`, `retries`, `hedge_after_ms` and `thresholds`, and to the plan `enforcement` and `redaction`; all of them
have defaults, so that a bundle of form 1 decides in form 2 what it decided before. A migration is a chain of steps from
one form to the next, each a pure function of manifest and data; modules are their author's and stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError

CURRENT_SCHEMA = 2
"""The form that this version writes and evaluates."""

FIRST_SCHEMA = 1
"""The form of a bundle that names none."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What of a bundle a migration looks at and changes: the object of `bundle.json`, and that of `data.json`."""

    manifest: Mapping[str, Any]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Migrated:
    """A draft in a newer form, and what was changed, in sentences for people; nothing if it was new enough."""

    draft: Draft
    from_schema: int
    to_schema: int
    changes: tuple[str, ...]


Step = Callable[[Draft], tuple[Draft, tuple[str, ...]]]


def schema_of(manifest: Mapping[str, Any]) -> int:
    """The form that a manifest names.

    Raises `POLICY_SCHEMA_UNSUPPORTED` for one that is newer than this version knows, `POLICY_INVALID` for none at all.
    """
    named = manifest.get("schema", FIRST_SCHEMA)
    if isinstance(named, bool) or not isinstance(named, int) or named < FIRST_SCHEMA:
        raise PolicyEnforcementError("bundle.json: 'schema' is a whole number from 1")
    if named > CURRENT_SCHEMA:
        raise PolicyEnforcementError(
            f"the bundle is of schema {named} and this version knows up to {CURRENT_SCHEMA}: use a newer version",
            ErrorCode.POLICY_SCHEMA_UNSUPPORTED,
        )
    return named


def migrate(draft: Draft) -> Migrated:
    """The draft in the current form; raises what `schema_of` raises. What was given is not changed."""
    first = schema_of(draft.manifest)
    changes: list[str] = []
    for schema in range(first, CURRENT_SCHEMA):
        draft, made = _STEPS[schema](draft)
        changes += made
    return Migrated(draft, first, CURRENT_SCHEMA, tuple(changes))


_PARTS_OF_2: Mapping[str, Any] = {"enforcement": "enforce", "redaction": {"default": "label", "categories": {}}}
"""What the shipped policy of form 2 reads and that of form 1 did not have."""


def _to_2(draft: Draft) -> tuple[Draft, tuple[str, ...]]:
    """Form 1 to 2: the new parts, at their defaults, where data has the shape of the shipped policy's."""
    manifest = {**draft.manifest, "schema": 2}
    changes = ["bundle.json: schema is 2"]
    version = manifest.get("version")
    if isinstance(version, str):
        # A stored version never changes, so other content needs another version.
        manifest["version"] = f"{version}+schema.2"
        changes.append(f"bundle.json: version is {manifest['version']}")
    data = copy.deepcopy(dict(draft.data))
    defaults = data.get("defaults")
    if isinstance(defaults, dict) and "detector_defaults" in defaults:
        for key, value in _PARTS_OF_2.items():
            if key not in defaults:
                defaults[key] = copy.deepcopy(value)
                changes.append(f"data.json: defaults.{key} is added with its default")
    return Draft(manifest, data), tuple(changes)


_STEPS: Mapping[int, Step] = {1: _to_2}
"""Form → the step from it to the next one."""
