"""Which vendors learn together and which are kept for asking: whole families of vendors, never parts of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

from llama_mapper.domain.mapping.catalogue.normalisation import normalise
from llama_mapper.domain.mapping.labels import KnownLabel
from llama_mapper.domain.mapping.training.dataset import Recipe, Split

SHARED = 0.5
"""Share of the smaller vocabulary's labels that two vendors of one family have in common."""

_SHARED_LABELS = 5
"""Fewer labels in common say nothing: half the field has labels for hate, sexual content, violence and self-harm."""


def families_of(labels: Iterable[KnownLabel], told: Mapping[str, str] | None = None) -> dict[str, str]:
    """Vendor → family: vendors that `told` puts together, and vendors that have most of their labels in common.

    A family is named after its first vendor in the alphabet. Vendors that only `told` knows are left out.
    """
    forms: dict[str, set[str]] = {}
    for label in labels:
        forms.setdefault(label.key.vendor, set()).add(normalise(label.key.label))
    parent = {vendor: vendor for vendor in sorted(forms)}

    def root(vendor: str) -> str:
        while parent[vendor] != vendor:
            vendor = parent[vendor]
        return vendor

    def join(first: str, second: str) -> None:
        low, high = sorted((root(first), root(second)))
        parent[high] = low

    named: dict[str, str] = {}
    for vendor, family in sorted((told or {}).items()):
        if vendor in parent:
            join(vendor, named.setdefault(family, vendor))
    vendors = list(parent)
    for place, first in enumerate(vendors):
        for second in vendors[place + 1 :]:
            common = len(forms[first] & forms[second])
            if common >= _SHARED_LABELS and common >= SHARED * min(len(forms[first]), len(forms[second])):
                join(first, second)
    return {vendor: root(vendor) for vendor in vendors}


def split_families(sizes: Mapping[str, int], recipe: Recipe, held_out: frozenset[str]) -> dict[str, Split]:
    """Family → split. `sizes` is family → labels, `held_out` the families that must be asked.

    Families come in an order by seed; each is for asking if there is room for it in the test split, then in the
    validation split, else for learning. The largest family is never for asking unless it is held out. Where no family
    fits, the smallest one does.
    """
    order = sorted(sizes)
    Random(f"{recipe.seed}:families").shuffle(order)  # noqa: S311  # not a secret
    splits = {family: Split.TEST for family in order if family in held_out}
    free = [family for family in order if family not in held_out]
    if free:
        largest = max(free, key=lambda family: sizes[family])
        free.remove(largest)
        splits[largest] = Split.TRAIN
    total = sum(sizes.values())
    taken = {Split.TEST: sum(sizes[family] for family in splits if splits[family] is Split.TEST), Split.VALIDATION: 0}
    rooms = {Split.TEST: recipe.test_share * total, Split.VALIDATION: recipe.validation_share * total}
    for split, room in rooms.items():
        for family in [family for family in free if family not in splits]:
            if taken[split] + sizes[family] <= room:
                splits[family] = split
                taken[split] += sizes[family]
        left = [family for family in free if family not in splits]
        if room and not taken[split] and left:
            smallest = min(left, key=lambda family: (sizes[family], family))
            splits[smallest] = split
            taken[split] += sizes[smallest]
    return splits | {family: Split.TRAIN for family in free if family not in splits}
