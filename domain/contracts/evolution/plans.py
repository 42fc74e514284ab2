"""Migration plans: how a document of one major version becomes one of the next, or of the one before.

A plan is data, committed beside the schemas and read by people before it is used. Its steps are few on purpose: what
they cannot say is a change that should not be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from llama_mapper.domain.contracts.evolution.changes import ChangeKind, Comparison
from llama_mapper.domain.contracts.evolution.places import ANY, Place, place_of, places_of, text_of
from llama_mapper.domain.kernel.errors import ConfigurationError

UNDECIDED = "decide"
"""The key of a proposed step that a person has to complete; a plan that has one cannot be used."""


class StepKind(StrEnum):
    """What a step does at its place."""

    DROP = "drop"
    """Take the property away."""
    RENAME = "rename"
    """Give the property the name `to`."""
    DEFAULT = "default"
    """Set `value` where the property is missing."""
    VALUES = "values"
    """Replace texts by `values`; one that is not listed stays."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a document at every spot that `at` names; `*` in it stands for each element."""

    kind: StepKind
    at: Place
    to: str | None = None
    value: Any = None
    values: Mapping[str, str] | None = None
    decide: str | None = None

    def as_document(self) -> dict[str, Any]:
        """The step as it is committed."""
        document: dict[str, Any] = {"step": self.kind.value, "at": text_of(self.at)}
        if self.kind is StepKind.RENAME:
            document["to"] = self.to
        elif self.kind is StepKind.DEFAULT:
            document["value"] = self.value
        elif self.kind is StepKind.VALUES:
            document["values"] = dict(sorted((self.values or {}).items()))
        return document if self.decide is None else {**document, UNDECIDED: self.decide}


@dataclass(frozen=True, slots=True)
class Plan:
    """How documents of `model` get from major version `origin` to `target`, one step after another."""

    model: str
    origin: int
    target: int
    steps: tuple[Step, ...]

    @property
    def undecided(self) -> tuple[str, ...]:
        """What a person still has to decide."""
        return tuple(f"{text_of(step.at)}: {step.decide}" for step in self.steps if step.decide is not None)

    def apply(self, document: Any) -> Any:
        """A migrated copy of a document, which is valid under `origin`'s schema; the document itself stays as it is."""
        for step in self.steps:
            document = _at(document, step.at, _ACTIONS[step.kind](step))
        return document

    def as_document(self) -> dict[str, Any]:
        """The plan as it is committed."""
        steps = [step.as_document() for step in self.steps]
        return {"model": self.model, "from": self.origin, "to": self.target, "steps": steps}


def plan_from(document: Mapping[str, Any]) -> Plan:
    """A committed plan; raise `CONFIGURATION_INVALID`, naming the step, if it is not one."""
    try:
        steps = tuple(_step_from(step) for step in document["steps"])
        return Plan(str(document["model"]), int(document["from"]), int(document["to"]), steps)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"not a migration plan: {error}") from error


def propose(
    model: str, origin: int, target: int, old: Mapping[str, Any], new: Mapping[str, Any], comparison: Comparison
) -> Plan:
    """A first plan from documents of `old` to documents of `new`; what cannot be known is left to decide.

    `comparison` is of the same two schemas, in this order.
    """
    after = places_of(new)
    steps: list[Step] = []
    for change in comparison.changes:
        place, kind = change.place, change.kind
        if not place or place[-1] == ANY:
            continue
        if kind is ChangeKind.REMOVED:
            steps.append(Step(StepKind.DROP, place))
        elif (kind is ChangeKind.ADDED and after[place].required) or kind is ChangeKind.REQUIRED:
            default = after[place].default
            decide = None if default else "what stands here in a document that has it not?"
            steps.append(Step(StepKind.DEFAULT, place, value=default[0] if default else None, decide=decide))
        elif kind is ChangeKind.VALUES:
            gone = _gone(places_of(old)[place].values, after[place].values)
            if gone:
                decide = "which of the other side's values stands for each of these?"
                steps.append(Step(StepKind.VALUES, place, values=dict.fromkeys(gone, ""), decide=decide))
        elif kind in (ChangeKind.TYPES, ChangeKind.BOUNDS, ChangeKind.TEXT):
            steps.append(
                Step(StepKind.DROP, place, decide=f"{change.what}: what becomes of a value that does not fit?")
            )
    return Plan(model, origin, target, tuple(steps))


def _gone(old: frozenset[str] | None, new: frozenset[str] | None) -> list[str]:
    return sorted(old - new) if old is not None and new is not None else []


def _step_from(document: Mapping[str, Any]) -> Step:
    kind = StepKind(document["step"])
    unknown = set(document) - {"step", "at", "to", "value", "values", UNDECIDED}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    if kind is StepKind.RENAME and not isinstance(document["to"], str):
        raise ValueError("'to' is a name")
    return Step(
        kind,
        place_of(document["at"]),
        to=document["to"] if kind is StepKind.RENAME else None,
        value=document["value"] if kind is StepKind.DEFAULT else None,
        values=dict(document["values"]) if kind is StepKind.VALUES else None,
        decide=document.get(UNDECIDED),
    )


_Change = Callable[[dict[str, Any], str], dict[str, Any]]


def _dropped(_: Step) -> _Change:
    return lambda owner, name: {key: value for key, value in owner.items() if key != name}


def _renamed(step: Step) -> _Change:
    to = step.to or ""
    return lambda owner, name: {(to if key == name else key): value for key, value in owner.items()}


def _defaulted(step: Step) -> _Change:
    return lambda owner, name: owner if name in owner else {**owner, name: step.value}


def _valued(step: Step) -> _Change:
    values = step.values or {}

    def change(owner: dict[str, Any], name: str) -> dict[str, Any]:
        if name not in owner:
            return owner
        found = owner[name]
        if isinstance(found, list):
            return {**owner, name: [_replaced(value, values) for value in found]}
        return {**owner, name: _replaced(found, values)}

    return change


def _replaced(value: Any, values: Mapping[str, str]) -> Any:
    return values.get(value, value) if isinstance(value, str) else value


_ACTIONS: Mapping[StepKind, Callable[[Step], _Change]] = {
    StepKind.DROP: _dropped,
    StepKind.RENAME: _renamed,
    StepKind.DEFAULT: _defaulted,
    StepKind.VALUES: _valued,
}


def _at(node: Any, place: Sequence[str], change: _Change) -> Any:
    """A copy of `node` with the object that owns `place` changed, wherever there is one."""
    if len(place) == 1:
        return change(node, place[0]) if isinstance(node, dict) else node
    return _copied(node, place[0], lambda below: _at(below, place[1:], change))


def _copied(node: Any, name: str, change: Callable[[Any], Any]) -> Any:
    if name == ANY:
        if isinstance(node, list):
            return [change(below) for below in node]
        return {key: change(below) for key, below in node.items()} if isinstance(node, dict) else node
    if isinstance(node, dict) and name in node:
        return {**node, name: change(node[name])}
    return node


def chain(plans: Sequence[Plan], origin: int, target: int) -> Iterator[Plan]:
    """The plans that lead from one major version to another, in order; raise KeyError if one is missing."""
    by_origin = {(plan.origin, plan.target): plan for plan in plans}
    step = 1 if target > origin else -1
    for at in range(origin, target, step):
        yield by_origin[at, at + step]
