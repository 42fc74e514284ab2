"""How two texts, two JSON values, and two bundles differ."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode
from llama_mapper.domain.contracts.policies import (
    Change,
    DecisionDifference,
    ModuleDifference,
    ValueDifference,
)
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, PolicyBundle, PolicyEngine

LISTED = 1000
_DIFF_CHARACTERS = 65_536
_ALIGNED = 2_000
"""Elements of lists that are aligned by what they are; longer lists are compared place by place."""


def module_differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[ModuleDifference, ...]:
    """The modules that differ, by path, each as a unified diff."""
    found = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        lines = difflib.unified_diff(
            [] if old is None else old.splitlines(), [] if new is None else new.splitlines(), path, path, lineterm=""
        )
        text = "\n".join(lines)
        found.append(
            ModuleDifference(
                path=path,
                change=Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED,
                diff=text[:_DIFF_CHARACTERS],
                truncated=len(text) > _DIFF_CHARACTERS,
            )
        )
    return tuple(found)


def value_differences(before: Any, after: Any) -> tuple[tuple[ValueDifference, ...], bool]:
    """The first 1,000 places where two JSON values differ, and whether there are more.

    Equal means equal as JSON text: 1, 1.0 and true are three values.
    """
    found = tuple(islice(_walk("", before, after), LISTED + 1))
    return found[:LISTED], len(found) > LISTED


def _walk(path: str, before: Any, after: Any) -> Iterator[ValueDifference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            below = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in after:
                yield ValueDifference(path=below, change=Change.REMOVED, before=before[name])
            elif name not in before:
                yield ValueDifference(path=below, change=Change.ADDED, after=after[name])
            else:
                yield from _walk(below, before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _walk_lists(path, before, after)
    elif _text(before) != _text(after):
        yield ValueDifference(path=path, change=Change.CHANGED, before=before, after=after)


def _walk_lists(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[ValueDifference]:
    for start, end, to_start, to_end in _blocks(before, after):
        paired = min(end - start, to_end - to_start)
        for offset in range(paired):
            yield from _walk(f"{path}/{start + offset}", before[start + offset], after[to_start + offset])
        for at in range(start + paired, end):
            yield ValueDifference(path=f"{path}/{at}", change=Change.REMOVED, before=before[at])
        for at in range(to_start + paired, to_end):
            yield ValueDifference(path=f"{path}/{at}", change=Change.ADDED, after=after[at])


def _blocks(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[int, int, int, int]]:
    """Where the lists differ, as ranges of both."""
    if max(len(before), len(after)) > _ALIGNED:
        yield 0, len(before), 0, len(after)
        return
    matcher = difflib.SequenceMatcher(None, [_text(one) for one in before], [_text(one) for one in after])
    for kind, start, end, to_start, to_end in matcher.get_opcodes():
        if kind != "equal":
            yield start, end, to_start, to_end


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


async def decision_differences(
    engine: PolicyEngine,
    before: PolicyBundle,
    after: PolicyBundle,
    tenant_id: str,
    detectors: Sequence[DetectorDescriptor],
) -> tuple[tuple[DecisionDifference, ...], int]:
    """The kinds of request whose plans differ, and how many kinds were compared.

    A kind is a content type and a processing mode; no categories, no metadata, and every detector ready.
    """
    found, compared = [], 0
    for content_type in ContentType:
        for mode in ProcessingMode:
            facts: dict[str, Any] = {
                "tenant_id": tenant_id,
                "content_type": content_type.value,
                "processing_mode": mode.value,
                "categories": [],
                "metadata": {},
                "detectors": [
                    {
                        "name": detector.name,
                        "categories": list(detector.categories),
                        "languages": list(detector.languages),
                        "ready": True,
                    }
                    for detector in detectors
                ],
            }
            compared += 1
            (old, old_error), (new, new_error) = [await _plan(engine, each, facts) for each in (before, after)]
            differences, _ = value_differences(old, new)
            if differences or old_error != new_error:
                found.append(
                    DecisionDifference(
                        content_type=content_type,
                        processing_mode=mode,
                        differences=differences,
                        before_error=old_error,
                        after_error=new_error,
                    )
                )
    return tuple(found), compared


async def _plan(engine: PolicyEngine, bundle: PolicyBundle, facts: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The plan as the policy wrote it, or None and why it is not a plan."""
    try:
        given = await engine.evaluate(bundle, facts)
        parse_plan(given)
    except PolicyEnforcementError as error:
        return None, error.message[:2048]
    return given, None
