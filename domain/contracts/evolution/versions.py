"""The committed versions of every published schema, and which of them a document is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from llama_mapper.domain.contracts.evolution.changes import Comparison, Containment, Side, comparable, compare
from llama_mapper.domain.contracts.evolution.plans import Plan, chain, propose
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, NotFoundError, ValidationError

_ID = re.compile(r"urn:llama-mapper:schema:(?P<model>[A-Za-z]{1,64}):(?P<major>[0-9]{1,4})(\.(?P<minor>[0-9]{1,6}))?")


@dataclass(frozen=True, slots=True, order=True)
class SchemaVersion:
    """Grows in `major` when somebody has to change with it, in `minor` when nobody has to."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def schema_id(model: str, version: SchemaVersion) -> str:
    """The name of a published schema: its `$id`."""
    return f"urn:llama-mapper:schema:{model}:{version}"


def named_schema(text: str) -> tuple[str, int]:
    """Model and major version that an id names, with or without the minor; raise `INVALID_REQUEST` for other text."""
    match = _ID.fullmatch(text)
    if match is None:
        raise ValidationError("a schema is named urn:llama-mapper:schema:MODEL:MAJOR")
    return match["model"], int(match["major"])


@dataclass(frozen=True, slots=True)
class Published:
    """One committed version of one model's schema. A major version is committed in its newest minor version alone."""

    model: str
    version: SchemaVersion
    side: Side
    schema: Mapping[str, Any]


class State(StrEnum):
    """How the schema of the code stands to what is committed."""

    SAME = "same"
    REWORDED = "reworded"
    """Only words differ: the same version."""
    NEW = "new"
    """The model was not published before."""
    MINOR = "minor"
    """Compatible for whom it has to be."""
    MAJOR = "major"
    """It breaks somebody: a new major version with a plan."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model's schema stands, and what has to be committed: `due`, and the `plan` of a new major version."""

    model: str
    state: State
    due: Published
    comparison: Comparison
    plan: Plan | None = None


class SchemaVersions:
    """Every committed schema and plan. Built once; look-ups are in memory."""

    def __init__(self, published: Mapping[tuple[str, int], Published], plans: tuple[Plan, ...]) -> None:
        """Raise `CONFIGURATION_INVALID` if a plan is undecided or leads nowhere, or a major version has none."""
        self._published = published
        self._newest = {model: published[model, major] for model, major in sorted(published)}
        self._plans = {model: tuple(plan for plan in plans if plan.model == model) for model, _ in published}
        for plan in plans:
            if plan.undecided:
                raise ConfigurationError(f"the plan of {plan.model} has to be decided: {'; '.join(plan.undecided)}")
            if (plan.model, plan.origin) not in published or (plan.model, plan.target) not in published:
                raise ConfigurationError(f"the plan of {plan.model} is for a version that is not published")
        for (model, major), one in published.items():
            newest = self.newest(model).version.major
            way = (major, newest) if one.side is Side.READER else (newest, major)
            try:
                tuple(chain(self._plans[model], *way))
            except KeyError as error:
                raise ConfigurationError(f"no plan leads from {model} {way[0]} to {way[1]}") from error

    def all(self) -> tuple[Published, ...]:
        """Every version, by model, newest first."""
        return tuple(self._published[key] for key in sorted(self._published, key=lambda key: (key[0], -key[1])))

    def newest(self, model: str) -> Published:
        """The newest version; raise KeyError for a model that is not published."""
        return self._newest[model]

    def get(self, model: str, major: int) -> Published:
        """One version; raise `NOT_FOUND` where there is none."""
        found = self._published.get((model, major))
        if found is None:
            raise NotFoundError(f"no schema of {model} in version {major} is published")
        return found

    def upgraded(self, model: str, major: int, document: Any) -> Any:
        """A request of an older major version as one of the newest; raise `SCHEMA_UNKNOWN` for a version not served."""
        return self._moved(self._asked(model, major, Side.READER), major, document)

    def downgraded(self, model: str, major: int, document: Any) -> Any:
        """An answer of the newest version as an older major version has it; raise `SCHEMA_UNKNOWN` as above."""
        return self._moved(self._asked(model, major, Side.WRITER), major, document)

    def _asked(self, model: str, major: int, side: Side) -> Published:
        found = self._published.get((model, major))
        if found is None or found.side is not side:
            known = sorted(number for name, number in self._published if name == model)
            raise ValidationError(
                f"version {major} of the schema {model} is not served; served are {known}", ErrorCode.SCHEMA_UNKNOWN
            )
        return found

    def _moved(self, found: Published, major: int, document: Any) -> Any:
        newest = self.newest(found.model).version.major
        way = (major, newest) if found.side is Side.READER else (newest, major)
        for plan in chain(self._plans[found.model], *way):
            document = plan.apply(document)
        return document


def standing(
    model: str, side: Side, schema: Mapping[str, Any], committed: Published | None, contains: Containment
) -> Standing:
    """What has to be committed for the code's schema of a model; `side` is whom it must not break."""
    if committed is None:
        first = _named(model, SchemaVersion(1, 0), side, schema)
        return Standing(model, State.NEW, first, Comparison((), frozenset(Side)))
    version = committed.version
    same = _named(model, version, side, schema)
    if comparable(schema) == comparable(committed.schema):
        state = State.SAME if same.schema == committed.schema else State.REWORDED
        return Standing(model, state, same, Comparison((), frozenset(Side)))
    comparison = compare(committed.schema, schema, contains)
    if side in comparison.compatible:
        minor = _named(model, SchemaVersion(version.major, version.minor + 1), side, schema)
        return Standing(model, State.MINOR, minor, comparison)
    major = SchemaVersion(version.major + 1, 0)
    if side is Side.READER:
        plan = propose(model, version.major, major.major, committed.schema, schema, comparison)
    else:
        back = compare(schema, committed.schema, contains)
        plan = propose(model, major.major, version.major, schema, committed.schema, back)
    return Standing(model, State.MAJOR, _named(model, major, side, schema), comparison, plan)


def _named(model: str, version: SchemaVersion, side: Side, schema: Mapping[str, Any]) -> Published:
    return Published(model, version, side, {**schema, "$id": schema_id(model, version)})
