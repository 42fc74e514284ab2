"""The committed schemas and migration plans, read from package data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from llama_mapper.domain.contracts.evolution.changes import Side
from llama_mapper.domain.contracts.evolution.plans import Plan, plan_from
from llama_mapper.domain.contracts.evolution.versions import Published, SchemaVersion, SchemaVersions, named_schema
from llama_mapper.domain.contracts.published import sides
from llama_mapper.domain.kernel.errors import ConfigurationError, ValidationError

_DATA = "llama_mapper.domain.contracts.schemas"
_MINOR = re.compile(r":[0-9]+\.([0-9]+)$")


def shipped_schema_versions() -> SchemaVersions:
    """What ships with this package; raise `CONFIGURATION_INVALID` if the files contradict one another."""
    return SchemaVersions(*read_schemas(_files()))


def read_schemas(
    files: Iterable[tuple[str, str]],
) -> tuple[dict[tuple[str, int], Published], tuple[Plan, ...]]:
    """(file name, text) pairs as schemas by model and major version, and plans."""
    published: dict[tuple[str, int], Published] = {}
    plans: list[Plan] = []
    of_side = sides()
    for name, text in files:
        try:
            document = json.loads(text)
            if name.endswith(".plan.json"):
                plans.append(plan_from(document))
            else:
                one = _published(document, of_side)
                published[one.model, one.version.major] = one
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ConfigurationError(f"{name} is no committed schema: {error}") from error
    return published, tuple(plans)


def schema_files(folder: Path) -> Iterator[tuple[str, str]]:
    """The same from a folder of a checkout."""
    for path in sorted(folder.glob("*.json")):
        yield path.name, path.read_text(encoding="utf-8")


def write_schema(folder: Path, one: Published) -> Path:
    """Commit a version: the file of its major version, replaced whole."""
    return _written(folder / f"{one.model}.{one.version.major}.json", one.schema)


def write_plan(folder: Path, plan: Plan) -> Path:
    """Commit a plan for people to complete; one that is there already stays as it is."""
    path = folder / f"{plan.model}.{plan.origin}-{plan.target}.plan.json"
    return path if path.exists() else _written(path, plan.as_document())


def _written(path: Path, document: Any) -> Path:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def _files() -> Iterator[tuple[str, str]]:
    for entry in resources.files(_DATA).iterdir():
        if entry.name.endswith(".json"):
            yield entry.name, entry.read_text(encoding="utf-8")


def _published(document: dict[str, Any], of_side: dict[str, Side]) -> Published:
    model, major = named_schema(document["$id"])
    minor = _MINOR.search(document["$id"])
    if minor is None:
        raise ValueError("the id names no minor version")
    return Published(model, SchemaVersion(major, int(minor[1])), of_side.get(model, Side.WRITER), document)
