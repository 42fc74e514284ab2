"""What a data set is: questions with answers in three splits, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from llama_mapper.domain.mapping.training.spec import digest_of


class Split(StrEnum):
    """What an example is for. No vendor family, and no normalised form of a label, is in two splits."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Source(StrEnum):
    """Where an example's meaning comes from."""

    VOCABULARY = "vocabulary"
    VARIANT = "variant"
    """A vocabulary's or reviewer's label in another format or other words."""
    REVIEWED = "reviewed"
    TAXONOMY = "taxonomy"
    """A name or id of the taxonomy itself, as if a vendor had used it."""
    CROSSWALK = "crosswalk"
    """A title of a framework of risks or techniques that exactly one canonical label is linked to."""
    MEANINGLESS = "meaningless"
    """A label that says nothing, or that gives orders instead: the answer is "none of these"."""
    FACTS = "facts"
    """Facts of an analysis, made from the domain's own vocabulary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a data set is made; the same recipe over the same knowledge gives the same data set."""

    seed: int = 0
    variants: int = 3
    """Further formats and wordings of each label in the training split."""
    options: int = 8
    """Canonical labels that a question offers, besides "none of these"."""
    none_share: float = 0.1
    """Share of the labels whose question leaves the right answer out, so that "none of these" is right."""
    meaningless_share: float = 0.08
    """Meaningless labels, as a share of all others of the split."""
    unnamed_share: float = 0.3
    """Share of the training split's questions that name no known vendor: most vendors will be new."""
    per_canonical: int = 24
    """Labels of one canonical label in a split at the most, so that vocabularies of secrets do not drown the rest."""
    validation_share: float = 0.1
    test_share: float = 0.12
    hold_out: tuple[str, ...] = ()
    """Vendors that are in the test split, with their families."""
    exclude: tuple[str, ...] = ()
    """Vendors that are in no split, with their families."""
    examples: int = 1_200
    """Of tasks whose examples are made rather than known: how many, over all splits."""

    def __post_init__(self) -> None:
        if (
            min(self.seed, self.variants) < 0
            or not 2 <= self.options <= 24
            or min(self.per_canonical, self.examples) < 1
        ):
            raise ValueError("seed and variants are 0 or more, options 2 to 24, per_canonical and examples 1 or more")
        shares = (self.none_share, self.meaningless_share, self.unnamed_share)
        if not all(0.0 <= share < 1.0 for share in shares):
            raise ValueError("shares are from 0 to below 1")
        if min(self.validation_share, self.test_share) < 0 or self.validation_share + self.test_share >= 1.0:
            raise ValueError("validation and test leave something to train on")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """One question and its answer. `choices` is answer → canonical id or None; empty where answers are not listed."""

    split: Split
    source: Source
    vendor: str
    subject: str
    """The canonical label, "none", or the category that the facts are about: what the card counts by."""
    form: str
    """The label's normalised form, by which leaks between splits are found; of made facts, a digest."""
    system: str
    user: str
    answer: str
    choices: Mapping[str, str | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """As the trainer reads it."""
        return {
            "system": self.system,
            "user": self.user,
            "answer": self.answer,
            "choices": dict(self.choices),
            "vendor": self.vendor,
            "source": self.source.value,
        }


@dataclass(frozen=True, slots=True)
class DataSet:
    """Examples of all splits, in order; `card` says where they come from."""

    examples: tuple[TrainingExample, ...]
    card: Mapping[str, Any]

    def of(self, split: Split) -> tuple[TrainingExample, ...]:
        """The examples of one split, in order."""
        return tuple(example for example in self.examples if example.split is split)

    @property
    def digest(self) -> str:
        """`sha256:` of every row, in order."""
        return rows_digest(self.examples)


def rows_digest(examples: tuple[TrainingExample, ...]) -> str:
    """`sha256:` of the rows with their splits."""
    return digest_of([[example.split.value, example.row()] for example in examples])


def leaks(examples: tuple[TrainingExample, ...], families: Mapping[str, str]) -> tuple[str, ...]:
    """What is in two splits although it must not be: `family:NAME` and `form:FORM`. Empty for a sound data set.

    Examples of no vendor's (the taxonomy's own, meaningless ones) have a vendor that is in no family.
    """
    where: dict[str, set[Split]] = {}
    for example in examples:
        if example.vendor in families:
            where.setdefault(f"family:{families[example.vendor]}", set()).add(example.split)
        where.setdefault(f"form:{example.form}", set()).add(example.split)
    return tuple(sorted(name for name, splits in where.items() if len(splits) > 1))
