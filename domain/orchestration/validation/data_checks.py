"""What can be wrong with data of the shipped policy's shape: entries that no request ever comes to.

Data of another shape is the author's own; nothing is said about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode
from llama_mapper.domain.orchestration.validation.report import Problem, ProblemCode, warning

_LISTS = ("auxiliary_detectors", "required_detectors", "excluded_detectors")


def data_problems(
    data: Mapping[str, Any], tenant_id: str, detectors: Collection[str], selected: Collection[str]
) -> Iterator[Problem]:
    """Entries of `data` that have no effect for the tenant; `selected` are the detectors of all trials together."""
    parts = {"data.defaults": data.get("defaults"), f"data.tenants.{tenant_id}": _of(data.get("tenants"), tenant_id)}
    for path, part in parts.items():
        if isinstance(part, Mapping):
            yield from _unreachable(part, path)
            yield from _unused(part, path, detectors, selected)


def _unreachable(part: Mapping[str, Any], path: str) -> Iterator[Problem]:
    known = {
        "content_types": [each.value for each in ContentType],
        "timeouts_ms": [each.value for each in ProcessingMode],
    }
    for name, values in known.items():
        for key in _keys(part.get(name)):
            if key not in values:
                message = f"no request has '{key}'; there are {', '.join(values)}"
                yield warning(ProblemCode.PROFILE_UNREACHABLE, f"{path}.{name}.{key}", message)


def _unused(
    part: Mapping[str, Any], path: str, detectors: Collection[str], selected: Collection[str]
) -> Iterator[Problem]:
    for name in _keys(part.get("detectors")):
        if name not in selected:
            message = f"these terms are for '{name}', which {_why(name, detectors)}"
            yield warning(ProblemCode.TERMS_UNUSED, f"{path}.detectors.{name}", message)
    for key in _LISTS:
        for name in _items(part.get(key)):
            if name not in detectors:
                message = f"no detector '{name}' is registered"
                yield warning(ProblemCode.UNKNOWN_DETECTOR, f"{path}.{key}", message)
    profiles = part.get("content_types")
    missing: dict[str, list[str]] = {}
    for profile in _keys(profiles):
        for name in _items(_of(_of(profiles, profile), "primary_detectors")):
            if name not in detectors:
                missing.setdefault(name, []).append(profile)
    for name, where in missing.items():
        message = f"no detector '{name}' is registered, which is primary for {', '.join(where)}"
        yield warning(ProblemCode.UNKNOWN_DETECTOR, f"{path}.content_types", message)


def _why(name: str, detectors: Collection[str]) -> str:
    return "is never selected" if name in detectors else "nobody registered"


def _of(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _keys(value: object) -> list[str]:
    return [str(key) for key in value] if isinstance(value, Mapping) else []


def _items(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
