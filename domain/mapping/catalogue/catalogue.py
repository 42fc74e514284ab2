"""The catalogue itself: every answer is a look-up in tables made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from llama_mapper.domain.contracts.base import Severity
from llama_mapper.domain.contracts.catalogue import CatalogueVersions, ControlLink, FrameworkEdition, LabelMatch
from llama_mapper.domain.kernel.errors import CatalogueError, ErrorCode, ValidationError
from llama_mapper.domain.mapping.catalogue.crosswalk import control_links, frameworks_of, references_of
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.catalogue.validation import validate_catalogue
from llama_mapper.domain.mapping.catalogue.vocabulary import unlisted_tables, vendor_tables

_NO_LINKS: tuple[ControlLink, ...] = ()


class Catalogue:
    """Taxonomy, vendor vocabularies and crosswalk; keeps what `CatalogueView` promises and never changes."""

    __slots__ = (
        "_categories",
        "_defaults",
        "_editions",
        "_evidence",
        "_frameworks",
        "_links",
        "_names",
        "_references",
        "_severities",
        "_tables",
        "_unlisted",
        "_versions",
    )

    def __init__(self, raw: RawCatalogue) -> None:
        """Build the tables; raise `CATALOGUE_INVALID`, naming the first problems, if the data contradict themselves."""
        if problems := validate_catalogue(raw):
            shown = "; ".join(str(problem) for problem in problems[:5])
            raise CatalogueError(f"the catalogue has {len(problems)} problems: {shown}")
        self._versions = CatalogueVersions(
            taxonomy=raw.taxonomy["version"],
            vocabulary=raw.vocabularies["version"],
            crosswalk=raw.crosswalk["version"],
        )
        self._names: dict[str, str] = {}
        self._severities: dict[str, Severity] = {}
        categories: dict[str, Severity] = {}
        for domain in raw.taxonomy["domains"]:
            for category in domain["categories"]:
                severity = Severity(category["severity"])
                categories[category["id"]] = severity
                labels: dict[str, str] = {category["id"]: category["name"], **category["subcategories"]}
                self._names |= labels
                self._severities |= dict.fromkeys(labels, severity)
        self._categories = MappingProxyType(categories)
        self._tables = vendor_tables(raw.vocabularies)
        self._unlisted = unlisted_tables(raw.vocabularies, self._tables)
        self._frameworks = frameworks_of(raw.frameworks)
        self._references = references_of(raw.frameworks, self._frameworks)
        by_framework = [tuple(framework.editions.values()) for framework in self._frameworks.values()]
        self._defaults = tuple(editions[0] for editions in by_framework)
        self._editions = self._defaults + tuple(edition for editions in by_framework for edition in editions[1:])
        self._links = control_links(raw.frameworks, raw.crosswalk, self._names)
        self._evidence: dict[tuple[str, str], dict[str, str]] = {
            (framework, edition): {
                control_id: control["evidence"] for control_id, control in listed["controls"].items()
            }
            for framework, entry in raw.frameworks["frameworks"].items()
            for edition, listed in entry["editions"].items()
        }

    @property
    def versions(self) -> CatalogueVersions:
        """Versions to put on every record; the crosswalk's also speaks for the frameworks."""
        return self._versions

    @property
    def categories(self) -> Mapping[str, Severity]:
        """Every risk category (level-2 id) and its default severity."""
        return self._categories

    @property
    def labels(self) -> Mapping[str, str]:
        """Every canonical label, of level 2 and 3, and its human name."""
        return MappingProxyType(self._names)

    @property
    def vendors(self) -> frozenset[str]:
        """Every vendor that has a vocabulary."""
        return frozenset(self._unlisted)

    def match(self, vendor: str, vendor_version: str | None, label: str) -> LabelMatch | None:
        """The canonical label of a vendor's label: exactly, then normalised; None where the vocabulary lacks it.

        A version that is not listed is matched against the vendor's newest vocabulary, with less confidence.
        """
        table = self._tables.get((vendor, vendor_version))
        if table is None:
            table = self._unlisted.get(vendor)
            if table is None:
                return None
        return table.exact.get(label) or table.find(label)

    def has_vocabulary(self, vendor: str, vendor_version: str) -> bool:
        """Whether exactly this version of the vendor's labels is listed; an alias stands for one version."""
        any_version = self._tables.get((vendor, None))
        is_alias = any_version is not None and self._unlisted.get(vendor) is any_version
        return is_alias or (vendor, vendor_version) in self._tables

    def severity(self, canonical: str) -> Severity:
        """Default severity of a canonical label (level 3 has its level-2 parent's); raise KeyError if unknown."""
        return self._severities[canonical]

    def name(self, canonical: str) -> str:
        """Human name of a canonical label; raise KeyError if unknown."""
        return self._names[canonical]

    def frameworks(self) -> Sequence[FrameworkEdition]:
        """Every edition of every framework, default editions first."""
        return self._editions

    def resolve_frameworks(self, refs: Sequence[str]) -> tuple[FrameworkEdition, ...]:
        """The editions that `refs` name, in order, each once; all default editions for no refs.

        Raises `FRAMEWORK_NOT_FOUND` or `EDITION_NOT_FOUND`, naming what is known.
        """
        if not refs:
            return self._defaults
        resolved: dict[tuple[str, str], FrameworkEdition] = {}
        for ref in refs:
            edition = self._references.get(ref)
            if edition is None:
                raise self._unknown(ref)
            resolved[edition.framework, edition.edition] = edition
        return tuple(resolved.values())

    def controls(self, canonical: str, edition: FrameworkEdition) -> tuple[ControlLink, ...]:
        """Controls of `edition` that the label touches; a level-3 entry replaces its level-2 entry. Empty if none."""
        links = self._links.get((edition.framework, edition.edition))
        return _NO_LINKS if links is None else links.get(canonical, _NO_LINKS)

    def evidence_requirement(self, control_id: str, edition: FrameworkEdition) -> str:
        """What an auditor would ask to see for a control, in one sentence; empty if unknown."""
        return self._evidence.get((edition.framework, edition.edition), {}).get(control_id, "")

    def _unknown(self, ref: str) -> ValidationError:
        framework, _, edition = ref.partition(":")
        known = self._frameworks.get(framework)
        if known is None:
            names = ", ".join(self._frameworks)
            return ValidationError(f"no framework '{framework}'; known are {names}", ErrorCode.FRAMEWORK_NOT_FOUND)
        names = ", ".join(known.editions)
        return ValidationError(
            f"no edition '{edition}' of '{framework}'; known are {names}", ErrorCode.EDITION_NOT_FOUND
        )
