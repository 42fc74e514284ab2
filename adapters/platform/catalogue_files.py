"""The shipped catalogue, read from package data with PyYAML."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

from llama_mapper.domain.kernel.errors import CatalogueError
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.crosswalks.accuracy import ControlCase, cases_of
from llama_mapper.domain.mapping.taxonomies.migrations import Migration, migration_document_problems, migrations_of

_DATA = "llama_mapper.domain.mapping.catalogue.data"
_CASES = "llama_mapper.domain.mapping.crosswalks.data"


def load_catalogue() -> Catalogue:
    """The catalogue that ships with this package; raise `CATALOGUE_INVALID` if its files contradict themselves."""
    return Catalogue(load_raw_catalogue())


def load_migrations() -> tuple[Migration, ...]:
    """The way from every earlier version of the taxonomy to the shipped one; raise `CATALOGUE_INVALID` if broken."""
    text = (resources.files(_DATA) / "migrations.yaml").read_text(encoding="utf-8")
    document = parse_document(text, "migrations")
    if problems := list(migration_document_problems(document)):
        where, what = problems[0]
        raise CatalogueError(f"the taxonomy's migrations have {len(problems)} problems: {where}: {what}")
    return migrations_of(document)


def load_crosswalk_cases() -> tuple[ControlCase, ...]:
    """The test cases of the shipped crosswalk."""
    text = (resources.files(_CASES) / "cases.yaml").read_text(encoding="utf-8")
    return cases_of(parse_document(text, "cases"))


def load_raw_catalogue() -> RawCatalogue:
    """The shipped documents as plain data, not validated yet."""
    data = resources.files(_DATA)
    return RawCatalogue(
        **{
            name: parse_document((data / f"{name}.yaml").read_text(encoding="utf-8"), name)
            for name in ("taxonomy", "vocabularies", "frameworks", "crosswalk")
        }
    )


def parse_document(text: str, name: str) -> dict[str, Any]:
    """A YAML document as plain data; raise `CATALOGUE_INVALID` for bad YAML, a repeated key, or no mapping."""
    try:
        document = yaml.load(text, _UniqueKeyLoader)  # noqa: S506 - a safe loader that also refuses repeated keys
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise CatalogueError(f"{name}: not readable as YAML{place}") from error
    if not isinstance(document, dict):
        raise CatalogueError(f"{name}: must be a mapping")
    return document


_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_SafeLoader):  # type: ignore[misc]  # the C loader, where PyYAML was built with it
    """YAML permits a reader to drop a repeated key silently; a catalogue may not lose an entry that way."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of `node`; raise a YAML error at a key that is there twice."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is there more than once", node.start_mark)
        return mapping
