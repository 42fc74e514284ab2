"""Which families of vendors are left out together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem, family_of
from llama_mapper.domain.mapping.labels import KnownLabel


@dataclass(frozen=True, slots=True)
class Fold:
    """Families that are asked about together. `held_out` is False where the method keeps what it knows of them."""

    name: str
    families: frozenset[str]
    held_out: bool = True

    def items(self, items: Iterable[EvaluationItem]) -> list[EvaluationItem]:
        """The items of this fold, in order."""
        return [item for item in items if item.family in self.families]

    def known(self, known: Iterable[KnownLabel], families: Mapping[str, str]) -> list[KnownLabel]:
        """What a method may know in this fold: nothing of any vendor of a family that is left out."""
        return [one for one in known if not self.held_out or family_of(one.key.vendor, families) not in self.families]


def leave_one_family_out(items: Iterable[EvaluationItem]) -> tuple[Fold, ...]:
    """A fold a family, by name."""
    return tuple(Fold(name, frozenset({name})) for name in sorted({item.family for item in items}))


def grouped_folds(items: Sequence[EvaluationItem], folds: int, seed: int) -> tuple[Fold, ...]:
    """At most `folds` folds of whole families, about equally large: the largest family goes where least is.

    Families of the same size are dealt in an order that `seed` decides. Raises `INVALID_REQUEST` for less than
    two folds.
    """
    if folds < 2:
        raise ValidationError("at least two folds are needed, or none could be held against the others")
    sizes = Counter(item.family for item in items)
    names = sorted(sizes)
    random.Random(seed).shuffle(names)  # noqa: S311 - no secret
    names.sort(key=lambda name: -sizes[name])
    dealt: list[list[str]] = [[] for _ in range(min(folds, len(names)))]
    loads = [0] * len(dealt)
    for name in names:
        lightest = loads.index(min(loads))
        dealt[lightest].append(name)
        loads[lightest] += sizes[name]
    return tuple(Fold(f"fold-{number}", frozenset(group)) for number, group in enumerate(dealt, 1))
