"""A second version of two published schemas, for tests: version 2 are the real ones, and version 1 was before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from dependency_injector import providers

from llama_mapper.adapters.platform.published_schemas import shipped_schema_versions
from llama_mapper.domain.contracts.evolution.changes import Side
from llama_mapper.domain.contracts.evolution.plans import Plan, Step, StepKind
from llama_mapper.domain.contracts.evolution.versions import Published, SchemaVersion, SchemaVersions, schema_id
from llama_mapper.domain.contracts.published import published_schemas
from llama_mapper.entrypoints.containers.platform import PlatformContainer

ASKED, TOLD = "LabelMappingRequest", "LabelMappingResponse"


def two_versions(*, with_others: bool = False, broken: bool = False) -> SchemaVersions:
    """Version 1 called a label's vendor its `source`.

    `with_others` adds all that is shipped; with `broken` the plan from the answer's version 2 to 1 is wrong.
    """
    others = [one for one in shipped_schema_versions().all() if one.model not in (ASKED, TOLD)] if with_others else []
    published = {(one.model, one.version.major): one for one in others}
    plans = []
    for model, side in ((ASKED, Side.READER), (TOLD, Side.WRITER)):
        place = ("labels", "*") if side is Side.READER else ("mappings", "*")
        now = published_schemas()[model]
        before = copy.deepcopy(now)
        for definition in before["$defs"].values():
            if "vendor" in definition.get("properties", {}):
                definition["properties"]["source"] = definition["properties"].pop("vendor")
                definition["required"] = [n if n != "vendor" else "source" for n in definition["required"]]
        for major, schema in ((1, before), (2, now)):
            version = SchemaVersion(major, 0)
            published[model, major] = Published(model, version, side, {**schema, "$id": schema_id(model, version)})
        names = ("source", "vendor") if side is Side.READER else ("vendor", "sauce" if broken else "source")
        way = (1, 2) if side is Side.READER else (2, 1)
        plans.append(Plan(model, *way, (Step(StepKind.RENAME, (*place, names[0]), to=names[1]),)))
    return SchemaVersions(published, tuple(plans))


@contextmanager
def serving_schemas(versions: SchemaVersions) -> Iterator[None]:
    """Whatever starts within the block serves these versions."""
    with PlatformContainer.schemas.override(providers.Object(lambda: versions)):
        yield


def profile(model: str, major: int) -> str:
    """The media type that names a version."""
    return f'application/json; profile="urn:llama-mapper:schema:{model}:{major}"'


def link(model: str, major: int) -> str:
    """The `Link` header that names one."""
    return f'<urn:llama-mapper:schema:{model}:{major}>; rel="profile"'
