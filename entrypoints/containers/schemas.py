"""The published schemas: what is committed, and how the code stands to it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.adapters.platform.jsoncompat_containment import contains
from llama_mapper.adapters.platform.published_schemas import (
    read_schemas,
    schema_files,
    shipped_schema_versions,
    write_plan,
    write_schema,
)
from llama_mapper.domain.contracts.evolution.versions import SchemaVersions, Standing, State, standing
from llama_mapper.domain.contracts.published import models, published_schemas, sides
from llama_mapper.domain.mapping.validation.validator import Validator

COMMITTED = Path("domain/contracts/schemas")
"""Where a checkout keeps them."""


@cache
def schema_versions() -> SchemaVersions:
    """What ships with this package, read at the first call."""
    return shipped_schema_versions()


def standings(folder: Path) -> tuple[Standing, ...]:
    """How every published model stands to what `folder` has committed."""
    published, _ = read_schemas(schema_files(folder))
    newest = {model: max(major for name, major in published if name == model) for model, _ in published}
    of_side = sides()
    return tuple(
        standing(model, of_side[model], schema, published.get((model, newest.get(model, 0))), contains)
        for model, schema in published_schemas().items()
    )


def commit(folder: Path) -> tuple[Path, ...]:
    """Write what is due into `folder`; the files written. Plans of new major versions are for a person to complete."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for each in standings(folder):
        if each.state is not State.SAME:
            written.append(write_schema(folder, each.due))
        if each.plan is not None:
            written.append(write_plan(folder, each.plan))
    return tuple(written)


def checked(folder: Path) -> SchemaVersions:
    """The committed versions of a checkout; raise `CONFIGURATION_INVALID` if they contradict one another."""
    return SchemaVersions(*read_schemas(schema_files(folder)))


def document_validator() -> Validator:
    """What `/v1/validate` does, without a server."""
    return Validator(load_catalogue(), schema_versions, models())
