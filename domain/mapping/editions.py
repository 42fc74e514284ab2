"""What mapping answers for one choice of framework editions, remembered per canonical label."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition
from llama_mapper.domain.contracts.mapping import FrameworkControl, FrameworkMapping

_REMEMBERED_COMBINATIONS = 256


class EditionSet:
    """Framework editions to answer for. What it remembers depends on the catalogue alone, so it is never stale."""

    __slots__ = ("_catalogue", "_combinations", "_control_ids", "_editions", "_single", "editions", "text")

    def __init__(self, catalogue: CatalogueView, editions: Sequence[FrameworkEdition]) -> None:
        self._catalogue = catalogue
        self._editions = tuple((edition.ref, edition) for edition in editions)
        self.editions = tuple(editions)
        self._control_ids: dict[str, dict[str, tuple[str, ...]]] = {}
        self._single: dict[tuple[str, str], tuple[FrameworkControl, ...]] = {}
        self._combinations: dict[tuple[str, ...], dict[str, FrameworkMapping]] = {}
        self.text = ",".join(ref for ref, _ in self._editions)
        """`framework:edition` of each, joined by commas."""

    def control_ids(self, canonical: str) -> dict[str, tuple[str, ...]]:
        """`framework:edition` → ids of the controls that the label touches; editions without any are left out."""
        known = self._control_ids.get(canonical)
        if known is None:
            known = {}
            for ref, edition in self._editions:
                if links := self._catalogue.controls(canonical, edition):
                    known[ref] = tuple(link.control_id for link in links)
            self._control_ids[canonical] = known
        return known.copy()

    def framework_mappings(self, taxonomy: tuple[str, ...]) -> dict[str, FrameworkMapping]:
        """`framework:edition` → every control that one of the labels touches, each with the labels that lead to it.

        Every edition is there, with no controls if none is touched. Labels stand in the order of `taxonomy`, controls
        in the order in which those labels lead to them.
        """
        known = self._combinations.get(taxonomy)
        if known is None:
            known = {ref: self._framework_mapping(ref, edition, taxonomy) for ref, edition in self._editions}
            if len(self._combinations) >= _REMEMBERED_COMBINATIONS:
                self._combinations.clear()
            self._combinations[taxonomy] = known
        return known.copy()

    def _framework_mapping(self, ref: str, edition: FrameworkEdition, taxonomy: Sequence[str]) -> FrameworkMapping:
        touched: dict[str, FrameworkControl] = {}
        shared: dict[str, list[str]] = {}
        for canonical in taxonomy:
            for control in self._controls_of(ref, edition, canonical):
                first = touched.setdefault(control.control_id, control)
                if first is not control:
                    shared.setdefault(control.control_id, [*first.canonical_labels]).append(canonical)
        return FrameworkMapping.model_construct(
            framework=edition.framework,
            edition=edition.edition,
            title=edition.title,
            controls=tuple(
                _control(control_id, control.title, shared[control_id]) if control_id in shared else control
                for control_id, control in touched.items()
            ),
        )

    def _controls_of(self, ref: str, edition: FrameworkEdition, canonical: str) -> tuple[FrameworkControl, ...]:
        key = ref, canonical
        known = self._single.get(key)
        if known is None:
            known = tuple(
                _control(link.control_id, link.title, (canonical,))
                for link in self._catalogue.controls(canonical, edition)
            )
            self._single[key] = known
        return known


class EditionSets:
    """The edition sets that requests have asked for lately, by what they wrote."""

    __slots__ = ("_catalogue", "_known", "_limit")

    def __init__(self, catalogue: CatalogueView, limit: int = 64) -> None:
        self._catalogue = catalogue
        self._limit = limit
        self._known: dict[tuple[str, ...], EditionSet] = {}

    def named(self, refs: tuple[str, ...]) -> EditionSet:
        """The set that `refs` name; raise `FRAMEWORK_NOT_FOUND` or `EDITION_NOT_FOUND`."""
        known = self._known.get(refs)
        if known is None:
            known = EditionSet(self._catalogue, self._catalogue.resolve_frameworks(refs))
            if len(self._known) >= self._limit:  # many spellings are possible, so what is remembered is bounded
                self._known.clear()
            self._known[refs] = known
        return known


def _control(control_id: str, title: str, labels: Sequence[str]) -> FrameworkControl:
    # The catalogue was validated against the contract's own patterns; checking each control again costs milliseconds.
    return FrameworkControl.model_construct(control_id=control_id, title=title, canonical_labels=tuple(labels))
