"""Reads what a policy gave into a `Plan`, strictly: anything missing, unknown or out of range is an error.

A policy is written by people. A misspelt key that was ignored would quietly run the defaults, so every object is
closed and every error names the path of what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy, MappingTerms
from llama_mapper.domain.contracts.orchestration import (
    ConflictMethod,
    CoverageMethod,
    DetectorMode,
    FailureMode,
    RedactionStyle,
    VerdictAction,
)
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.model import (
    MAX_DETECTORS,
    ActionRule,
    ByCategory,
    CoverageTerms,
    DetectorTerms,
    LanguageGaps,
    Plan,
)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,127}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_CATEGORY = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_LABEL_STYLE: Mapping[str, Any] = {"default": "label", "categories": {}}
_CATEGORY_OR_DOMAIN = re.compile(r"[a-z][a-z0-9_]*\.([a-z][a-z0-9_]*|\*)")


def parse_plan(value: Mapping[str, Any]) -> Plan:
    """The plan in `value`; raise `POLICY_INVALID`, naming the path, for anything that is not exactly as documented."""
    top = _object(
        value,
        "plan",
        ("categories", "detectors", "coverage", "conflicts", "actions", "timeout_ms", "routing_reason"),
        ("enforcement", "redaction", "mapping"),
    )
    detectors = _object(top["detectors"], "plan.detectors", ("primary", "secondary", "terms"))
    primary = _names(detectors["primary"], "plan.detectors.primary", _NAME, MAX_DETECTORS)
    secondary = _names(detectors["secondary"], "plan.detectors.secondary", _NAME, MAX_DETECTORS)
    if both := set(primary) & set(secondary):
        _wrong("plan.detectors.secondary", f"names detectors that are primary: {', '.join(sorted(both))}")
    if len(primary) + len(secondary) > MAX_DETECTORS:
        _wrong("plan.detectors", f"selects more than {MAX_DETECTORS} detectors")
    terms = _map(detectors["terms"], "plan.detectors.terms", _NAME, _terms)
    if odd := set(terms) ^ {*primary, *secondary}:
        _wrong("plan.detectors.terms", f"must name exactly the selected detectors; differs in {', '.join(sorted(odd))}")
    return Plan(
        categories=_names(top["categories"], "plan.categories", _CATEGORY, 128),
        primary=primary,
        secondary=secondary,
        terms=terms,
        coverage=_coverage(top["coverage"], "plan.coverage"),
        conflicts=_by_category(
            top["conflicts"], "plan.conflicts", lambda value, path: _choice(value, path, ConflictMethod)
        ),
        actions=_by_category(top["actions"], "plan.actions", _rules),
        timeout_ms=_integer(top["timeout_ms"], "plan.timeout_ms", 1, 600_000),
        routing_reason=_text(top["routing_reason"], "plan.routing_reason"),
        enforcement=_choice(top.get("enforcement", "enforce"), "plan.enforcement", DetectorMode),
        redaction=_by_category(
            top.get("redaction", _LABEL_STYLE),
            "plan.redaction",
            lambda value, path: _choice(value, path, RedactionStyle),
        ),
        mapping=_mapping(top.get("mapping", {}), "plan.mapping"),
    )


def _wrong(path: str, why: str) -> NoReturn:
    raise PolicyEnforcementError(f"{path} {why}")


def _object(value: object, path: str, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _wrong(path, "must be an object")
    if missing := [key for key in keys if key not in value]:
        _wrong(f"{path}.{missing[0]}", "is missing")
    if len(value) > len(keys):
        unknown = sorted([str(key) for key in value if key not in keys and key not in optional])
        if unknown:
            _wrong(f"{path}.{unknown[0][:64]}", "is not known")
    return value


def _names(value: object, path: str, pattern: re.Pattern[str], limit: int) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > limit:
        _wrong(path, f"must be a list of at most {limit} names")
    for at, name in enumerate(value):
        if not isinstance(name, str) or not pattern.fullmatch(name):
            _wrong(f"{path}[{at}]", "is not a valid name")
    if len(set(value)) != len(value):
        _wrong(path, "names something twice")
    return tuple(value)


def _map(value: object, path: str, pattern: re.Pattern[str], read: Callable[[object, str], T]) -> dict[str, T]:
    if not isinstance(value, Mapping) or len(value) > 128:
        _wrong(path, "must be an object of at most 128 entries")
    found: dict[str, T] = {}
    for key, entry in value.items():
        if not isinstance(key, str) or not pattern.fullmatch(key):
            _wrong(path, "has a key that is not a valid name")
        found[key] = read(entry, f"{path}[{key}]")
    return found


def _number(value: object, path: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _wrong(path, f"must be a number from {low:g} to {high:g}")
    return float(value)


def _integer(value: object, path: str, low: int, high: int) -> int:
    number = _number(value, path, low, high)
    if not number.is_integer():
        _wrong(path, "must be a whole number")
    return int(number)


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > 512:
        _wrong(path, "must be text of at most 512 characters")
    return value


def _choice(value: object, path: str, kind: type[E]) -> E:
    if isinstance(value, str):
        with suppress(ValueError):
            return kind(value)
    _wrong(path, f"must be one of {', '.join(member.value for member in kind)}")


def _score(value: object, path: str) -> float:
    return _number(value, path, 0.0, 1.0)


def _weight(value: object, path: str) -> float:
    return _number(value, path, 0.0, 1000.0)


def _terms(value: object, path: str) -> DetectorTerms:
    entry = _object(
        value,
        path,
        ("weight", "timeout_ms", "failure_mode", "clean_confidence"),
        ("mode", "substitutes", "retries", "hedge_after_ms", "thresholds"),
    )
    hedge = entry.get("hedge_after_ms")
    return DetectorTerms(
        weight=_weight(entry["weight"], f"{path}.weight"),
        timeout_ms=_integer(entry["timeout_ms"], f"{path}.timeout_ms", 1, 600_000),
        failure_mode=_choice(entry["failure_mode"], f"{path}.failure_mode", FailureMode),
        clean_confidence=_score(entry["clean_confidence"], f"{path}.clean_confidence"),
        mode=_choice(entry.get("mode", "enforce"), f"{path}.mode", DetectorMode),
        substitutes=_names(entry.get("substitutes", ()), f"{path}.substitutes", _NAME, 8),
        retries=_integer(entry.get("retries", 0), f"{path}.retries", 0, 5),
        hedge_after_ms=None if hedge is None else _integer(hedge, f"{path}.hedge_after_ms", 1, 600_000),
        thresholds=_map(entry.get("thresholds", {}), f"{path}.thresholds", _LABEL, _score),
    )


def _coverage(value: object, path: str) -> CoverageTerms:
    entry = _object(value, path, ("method", "threshold", "requirements", "on_insufficient", "language_gaps"))
    method = _choice(entry["method"], f"{path}.method", CoverageMethod)
    names = _CATEGORY if method is CoverageMethod.TAXONOMY else _NAME
    return CoverageTerms(
        method=method,
        threshold=_score(entry["threshold"], f"{path}.threshold"),
        requirements=_map(entry["requirements"], f"{path}.requirements", names, _weight),
        on_insufficient=_choice(entry["on_insufficient"], f"{path}.on_insufficient", VerdictAction),
        language_gaps=_choice(entry["language_gaps"], f"{path}.language_gaps", LanguageGaps),
    )


def _mapping(value: object, path: str) -> MappingTerms | None:
    entry = _object(value, path, (), ("strategy", "min_confidence", "stage_confidence", "offline"))
    if not entry:
        return None
    stages = _map(entry.get("stage_confidence", {}), f"{path}.stage_confidence", _NAME, _score)
    offline = entry.get("offline")
    if not isinstance(offline, bool | None):
        _wrong(f"{path}.offline", "must be true or false")
    strategy, least = entry.get("strategy"), entry.get("min_confidence")
    return MappingTerms(
        strategy=None if strategy is None else _choice(strategy, f"{path}.strategy", MappingStrategy),
        min_confidence=None if least is None else _score(least, f"{path}.min_confidence"),
        stage_confidence={
            _choice(stage, f"{path}.stage_confidence", MappingStage): score for stage, score in stages.items()
        },
        offline=offline,
    )


def _rules(value: object, path: str) -> tuple[ActionRule, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 8:
        _wrong(path, "must be a list of 1 to 8 rules")
    rules = []
    for at, one in enumerate(value):
        entry = _object(one, f"{path}[{at}]", ("threshold", "action"))
        rules.append(
            ActionRule(
                _score(entry["threshold"], f"{path}[{at}].threshold"),
                _choice(entry["action"], f"{path}[{at}].action", VerdictAction),
            )
        )
    return tuple(rules)


def _by_category(value: object, path: str, read: Callable[[object, str], T]) -> ByCategory[T]:
    entry = _object(value, path, ("default", "categories"))
    return ByCategory(
        read(entry["default"], f"{path}.default"),
        _map(entry["categories"], f"{path}.categories", _CATEGORY_OR_DOMAIN, read),
    )
