"""How many controls a set of canonical labels reaches, weighted: the regulatory side of the risk formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from llama_mapper.domain.analysis.risk.weights import CONDITIONAL, KIND
from llama_mapper.domain.contracts.catalogue import CatalogueView, FrameworkEdition


def control_exposure(labels: Iterable[str], editions: Sequence[FrameworkEdition], catalogue: CatalogueView) -> float:
    """Distinct entries of `editions` that `labels` touch, each counted by its kind, and half if conditional.

    More labels never give less: an entry that one label touches unconditionally counts in full.
    """
    touched: dict[tuple[str, str], float] = {}
    for label in labels:
        for edition in editions:
            kind = KIND[edition.kind]
            for link in catalogue.controls(label, edition):
                weight = kind * (CONDITIONAL if link.condition or edition.applies_when else 1.0)
                key = (edition.ref, link.control_id)
                if weight > touched.get(key, 0.0):
                    touched[key] = weight
    return fsum(touched.values())
