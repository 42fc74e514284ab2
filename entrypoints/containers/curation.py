"""Opening a tenant's own catalogue alone, for the commands that work on it; running servers follow by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.mapping import MappingApi
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.contracts.taxonomies import TaxonomyDifference, TaxonomyPlan
from llama_mapper.domain.kernel.errors import ConfigurationError, DocumentError, ValidationError
from llama_mapper.entrypoints.containers.identity import open_api_keys
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.containers.running import MappingDesks
from llama_mapper.entrypoints.settings import Settings

_FILE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Curation:
    """The desks, and who works at them here."""

    desks: MappingDesks
    mapping: MappingApi
    curator: Curator


@asynccontextmanager
async def open_curation(settings: Settings, person: str) -> AsyncIterator[Curation]:
    """The installation's mapping database, for the person who runs the command; the name is taken as it is given."""
    async with open_api_keys(settings) as identity:
        keyless = not await identity.keys.list()
    try:
        curator = Curator(name=person, door=Door.COMMAND, role="operator", keyless=keyless)
    except ValueError:
        raise ValidationError("a person's name has 1 to 128 printable characters") from None
    async with running_mapping(PlatformContainer(settings=settings)) as container:
        yield Curation(container.desks(), container.service(), curator)


def read_document(file: Path) -> dict[str, Any]:
    """The YAML or JSON document in `file`; raise `DOCUMENT_INVALID` or `CONFIGURATION_INVALID`."""
    from llama_mapper.adapters.platform.catalogue_files import parse_document
    from llama_mapper.domain.kernel.errors import CatalogueError

    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    if len(raw) > _FILE_LIMIT:
        raise DocumentError(f"{file} is larger than {_FILE_LIMIT} bytes")
    try:
        return parse_document(raw.decode("utf-8"), file.name)
    except (CatalogueError, UnicodeDecodeError) as error:
        raise DocumentError(error.message if isinstance(error, CatalogueError) else f"{file} is not UTF-8") from None


def compare_taxonomies(
    before: Path, after: Path, migration_file: Path | None
) -> tuple[TaxonomyDifference, TaxonomyPlan]:
    """How two taxonomy documents differ, and what becomes of the old one's ids; raise `DOCUMENT_INVALID`."""
    from llama_mapper.domain.mapping.catalogue.rules import taxonomy_problems
    from llama_mapper.domain.mapping.catalogue.shape import TAXONOMY
    from llama_mapper.domain.mapping.documents.book import invalid
    from llama_mapper.domain.mapping.taxonomies.differences import difference, plan_report
    from llama_mapper.domain.mapping.taxonomies.entries import entries_of
    from llama_mapper.domain.mapping.taxonomies.migrations import (
        Migration,
        migration_document_problems,
        migration_problems,
        migrations_of,
    )
    from llama_mapper.domain.mapping.taxonomies.plans import plan_of

    documents = [read_document(before), read_document(after)]
    for document in documents:
        if problems := list(TAXONOMY(document, "taxonomy")) or list(taxonomy_problems(document)):
            raise invalid(problems)
    old, new = (entries_of(document) for document in documents)
    versions = [str(document["version"]) for document in documents]
    migration = Migration(versions[0], versions[1])
    if migration_file is not None:
        written = read_document(migration_file)
        if problems := list(migration_document_problems(written)):
            raise invalid(problems)
        steps = [each for each in migrations_of(written) if [each.before, each.after] == versions]
        if not steps:
            raise DocumentError(f"{migration_file} has no migration from {versions[0]} to {versions[1]}")
        migration = steps[0]
        if problems := list(migration_problems(migration, old, new)):
            raise invalid(problems)
    found = difference(old, new, migration)
    return found, plan_report(plan_of(migration, old, new.__contains__), found.proposals)
