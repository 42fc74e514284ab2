"""Vendors whose label lists come from one source: what is learnt from one of them is no proof for another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.kernel.errors import CatalogueError


@dataclass(frozen=True, slots=True)
class Family:
    """Vendors that are left out together, and why."""

    name: str
    vendors: tuple[str, ...]
    reason: str


class VendorFamilies:
    """Which vendors belong together; a vendor that is in no family is one of its own."""

    __slots__ = ("_members", "families", "version")

    def __init__(self, version: str, families: Sequence[Family]) -> None:
        """Raise `CATALOGUE_INVALID` if a vendor is in two families, or in one twice."""
        self.version = version
        self.families = tuple(families)
        self._members: dict[str, frozenset[str]] = {}
        for family in families:
            members = frozenset(family.vendors)
            for vendor in family.vendors:
                if vendor in self._members:
                    raise CatalogueError(f"families: '{vendor}' is there more than once")
                self._members[vendor] = members

    def of(self, vendor: str) -> frozenset[str]:
        """The vendor and those that belong with it."""
        return self._members.get(vendor) or frozenset((vendor,))

    def name_of(self, vendor: str) -> str:
        """The family's name; a vendor's own where it is in none."""
        return next((family.name for family in self.families if vendor in family.vendors), vendor)


NO_FAMILIES = VendorFamilies("none", ())


def families_from(document: Mapping[str, Any], vendors: Mapping[str, Any]) -> VendorFamilies:
    """The families of a parsed document; raise `CATALOGUE_INVALID`, saying where it is wrong."""
    if problems := list(_problems(document, vendors)):
        raise CatalogueError(f"families: {'; '.join(problems[:5])}")
    return VendorFamilies(
        document["version"],
        [Family(name, tuple(entry["vendors"]), entry["reason"]) for name, entry in document["families"].items()],
    )


def _problems(document: Mapping[str, Any], vendors: Mapping[str, Any]) -> Iterator[str]:
    if set(document) != {"version", "families"} or not isinstance(document["families"], Mapping):
        yield "must have a version and families"
        return
    if not isinstance(document["version"], str):
        yield "the version must be a text"
    for name, entry in document["families"].items():
        if not isinstance(entry, Mapping) or set(entry) != {"vendors", "reason"} or not entry["reason"]:
            yield f"'{name}' must have vendors and a reason"
            continue
        for vendor in entry["vendors"]:
            if vendor not in vendors:
                yield f"'{name}' names '{vendor}', which has no vocabulary"
