"""What is asked in an evaluation: each label of a family once, with the meaning that counts as right."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.catalogue.normalisation import normalise
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey


@dataclass(frozen=True, slots=True)
class EvaluationItem:
    """One label to ask, the canonical label that is right (level 2 or 3), and further ones that would be acceptable.

    `family` is the group of vendors that is left out as one; `form` is the label without case and separators.
    """

    key: LabelKey
    gold: str
    also: tuple[str, ...]
    family: str
    form: str


def category_of(canonical: str) -> str:
    """The level-2 id of a canonical label of level 2 or 3."""
    return ".".join(canonical.split(".", 2)[:2])


def form_of(label: str) -> str:
    """The label's normalised form; the label itself where that is empty (`@`, `--`)."""
    return normalise(label) or label


def family_of(vendor: str, families: Mapping[str, str]) -> str:
    """The family of a vendor; a vendor that `families` does not name is a family of its own."""
    return families.get(vendor, vendor)


def evaluation_items(known: Iterable[KnownLabel], families: Mapping[str, str]) -> tuple[EvaluationItem, ...]:
    """Each label of a family once, in the order given.

    Labels of one family that differ in vendor, version, case or separators alone and mean the same are one item:
    counting every copy would count one judgement several times. Where they differ in meaning each is an item.
    """
    items: dict[tuple[str, str, str, tuple[str, ...]], EvaluationItem] = {}
    for one in known:
        form = form_of(one.key.label)
        family = family_of(one.key.vendor, families)
        identity = (family, form, one.canonical, one.also)
        if identity not in items:
            items[identity] = EvaluationItem(one.key, one.canonical, one.also, family, form)
    return tuple(items.values())


def drawn_items(items: Sequence[EvaluationItem], limit: int | None, seed: int) -> tuple[EvaluationItem, ...]:
    """At most `limit` of the items, drawn evenly and in their order; the same for the same seed."""
    if limit is None or limit >= len(items):
        return tuple(items)
    places = sorted(random.Random(seed).sample(range(len(items)), limit))  # noqa: S311 - no secret
    return tuple(items[place] for place in places)


def known_elsewhere(
    items: Sequence[EvaluationItem], known: Iterable[KnownLabel], families: Mapping[str, str]
) -> list[bool]:
    """For each item, whether a vendor outside its family has a label of the same form."""
    owners: dict[str, set[str]] = {}
    for one in known:
        owners.setdefault(form_of(one.key.label), set()).add(family_of(one.key.vendor, families))
    return [bool(owners.get(item.form, set()) - {item.family}) for item in items]


def of_vendors(known: Iterable[KnownLabel], vendors: Collection[str]) -> tuple[KnownLabel, ...]:
    """The labels of these vendors alone; raise `INVALID_REQUEST` for a vendor without a label."""
    known = tuple(known)
    if unknown := sorted(set(vendors) - {one.key.vendor for one in known}):
        raise ValidationError(f"no vendor '{unknown[0]}' has labels to ask about")
    return tuple(one for one in known if one.key.vendor in vendors)
