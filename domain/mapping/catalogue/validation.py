"""What must hold of the catalogue's documents before a look-up table is built from them."""

from __future__ import annotations

from dataclasses import dataclass

from llama_mapper.domain.mapping.catalogue import rules
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.catalogue.shape import shape_problems


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: `document/path/to/it`."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def validate_catalogue(raw: RawCatalogue) -> list[Problem]:
    """Every problem of the four documents; empty if `Catalogue` can be built from them.

    Rules: ids are well-formed and unique, and a level-3 id starts with its level-2 id; severities, bases and kinds
    are known; a version lists a label once; canonical labels and controls that are referred to exist; each framework
    has exactly one default edition; each category has a crosswalk entry or is listed as without; aliases name one
    thing.
    """
    # A document of the wrong shape is reported as such, and alone: rules over it would only repeat that.
    if misshapen := [Problem(where, what) for where, what in shape_problems(raw)]:
        return misshapen
    canonical = rules.canonical_labels(raw.taxonomy)
    return [
        Problem(where, what)
        for problems in (
            rules.taxonomy_problems(raw.taxonomy),
            rules.vocabulary_problems(raw.vocabularies, canonical),
            rules.framework_problems(raw.frameworks),
            rules.crosswalk_problems(raw.crosswalk, raw.frameworks, raw.taxonomy, canonical),
        )
        for where, what in problems
    ]
