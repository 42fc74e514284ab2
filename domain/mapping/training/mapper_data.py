"""The data set that teaches a model which canonical label a vendor label means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.mapping.catalogue.normalisation import normalise, without_tag
from llama_mapper.domain.mapping.generation.label_prompt import (
    NONE,
    answer_text,
    choices_of,
    label_prompt,
    template_version,
)
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.training.augmentation import is_opaque, variants_of
from llama_mapper.domain.mapping.training.card import card_of
from llama_mapper.domain.mapping.training.dataset import DataSet, Recipe, Source, Split, TrainingExample, leaks
from llama_mapper.domain.mapping.training.knowledge import Knowledge
from llama_mapper.domain.mapping.training.meaningless import meaningless_label
from llama_mapper.domain.mapping.training.negatives import HardNegatives
from llama_mapper.domain.mapping.training.spec import TrainingTask
from llama_mapper.domain.mapping.training.splits import families_of, split_families

_ANYONE = ("vendor", "detector", "unknown", "custom", "guard", "scanner", "classifier", "my-detector")
"""Names that a vendor has who is nobody in particular. None of them is in a vocabulary's place."""

_TAXONOMY = "taxonomy"
_UNMEANING = "meaningless"
_ORDER = (Split.TRAIN, Split.VALIDATION, Split.TEST)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A label to ask about. `right` is its canonical label and those that it also covers; empty: it means nothing."""

    split: Split
    source: Source
    key: LabelKey
    right: tuple[str, ...]

    @property
    def form(self) -> str:
        return form_of(self.key.label)


def form_of(label: str) -> str:
    """The spelling by which two labels count as one: normalised, and without a tagging prefix."""
    return normalise(without_tag(label) or label)


def build_mapper_data(
    knowledge: Knowledge,
    recipe: Recipe,
    *,
    families: Mapping[str, str] | None = None,
    code_version: str = "unknown",
) -> DataSet:
    """Questions and answers in the words of serving, in three splits; the same for the same arguments.

    `families` is vendor → family, besides what `families_of` sees by itself. A label of the validation or test split
    whose normalised form was learnt is left out there, so that asking never meets what was learnt.
    """
    known = _without_opaque(_merged(knowledge))
    family = families_of(known, families)
    excluded = {family.get(vendor, vendor) for vendor in recipe.exclude}
    known = [label for label in known if family[label.key.vendor] not in excluded]
    sizes: dict[str, int] = {}
    for label in known:
        sizes[family[label.key.vendor]] = sizes.get(family[label.key.vendor], 0) + 1
    held_out = frozenset(family[vendor] for vendor in recipe.hold_out if vendor in family)
    splits = split_families(sizes, recipe, held_out)
    by_vendor = {vendor: splits[name] for vendor, name in family.items() if name in splits}
    subjects = _subjects(knowledge, known, by_vendor)
    asked = _without_leaks(_capped(subjects, recipe))
    examples = tuple(_questions(_without_leaks([*asked, *_meaningless(asked, recipe)]), knowledge.meanings, recipe))
    if leaks(examples, family):
        raise AssertionError("a vendor family or a label is in two splits")
    card = card_of(
        TrainingTask.MAPPER,
        examples,
        recipe,
        knowledge=knowledge,
        families=family,
        template=template_version(),
        code_version=code_version,
        left_out=len(subjects) - sum(subject.source is not Source.VARIANT for subject in asked),
    )
    return DataSet(examples, card)


def _merged(knowledge: Knowledge) -> list[KnownLabel]:
    """Every label with a meaning, each once; what reviewers decided comes before a vocabulary."""
    found = {(label.key.vendor, label.key.label): label for label in knowledge.reviewed}
    for label in knowledge.labels:  # newest versions come first
        found.setdefault((label.key.vendor, label.key.label), label)
    return list(found.values())


def _without_opaque(labels: Iterable[KnownLabel]) -> list[KnownLabel]:
    return [label for label in labels if not is_opaque(label.key.label)]


def _subjects(knowledge: Knowledge, known: Sequence[KnownLabel], splits: Mapping[str, Split]) -> list[_Subject]:
    reviewed = {label.key for label in knowledge.reviewed}
    found = []
    for label in known:
        source = Source.REVIEWED if label.key in reviewed else Source.VOCABULARY
        found.append(_Subject(splits[label.key.vendor], source, label.key, (label.canonical, *label.also)))
    for canonical, meaning in knowledge.meanings.items():
        name = meaning.partition(":")[0]
        for text in dict.fromkeys((name, canonical.rsplit(".", 1)[-1])):
            if not is_opaque(text):
                key = LabelKey(_TAXONOMY, None, text[:128])
                found.append(_Subject(Split.TRAIN, Source.TAXONOMY, key, (canonical,)))
    for framework, title, canonical in knowledge.titles:
        found.append(_Subject(Split.TRAIN, Source.CROSSWALK, LabelKey(framework, None, title), (canonical,)))
    return found


def _capped(subjects: Sequence[_Subject], recipe: Recipe) -> list[_Subject]:
    """Each form once a split and meaning, at most `per_canonical` of a meaning, and the training split's variants."""
    random = Random(f"{recipe.seed}:cap")  # noqa: S311  # not a secret
    shuffled = list(subjects)
    random.shuffle(shuffled)
    shuffled.sort(key=lambda subject: subject.source is Source.VOCABULARY)  # the rest are few, and all are taken
    seen: set[tuple[Split, str, str]] = set()
    counts: dict[tuple[Split, str], int] = {}
    chosen: list[_Subject] = []
    for subject in shuffled:
        once, place = (subject.split, subject.form, subject.right[0]), (subject.split, subject.right[0])
        if once in seen or not subject.form or counts.get(place, 0) >= recipe.per_canonical:
            continue
        seen.add(once)
        counts[place] = counts.get(place, 0) + 1
        chosen.append(subject)
    return [*chosen, *_variants(chosen, recipe)]


def _variants(chosen: Sequence[_Subject], recipe: Recipe) -> Iterator[_Subject]:
    for subject in chosen:
        if subject.split is not Split.TRAIN or subject.source in (Source.TAXONOMY, Source.CROSSWALK):
            continue
        key = subject.key
        random = Random(f"{recipe.seed}:variants:{key.vendor}:{key.label}")  # noqa: S311  # not a secret
        for variant in variants_of(key.label, recipe.variants, random):
            yield _Subject(
                Split.TRAIN, Source.VARIANT, LabelKey(key.vendor, key.vendor_version, variant), subject.right
            )


def _meaningless(subjects: Sequence[_Subject], recipe: Recipe) -> Iterator[_Subject]:
    meaningful = {subject.form for subject in subjects}
    for split in _ORDER:
        random = Random(f"{recipe.seed}:meaningless:{split}")  # noqa: S311  # not a secret
        wanted = round(recipe.meaningless_share * sum(subject.split is split for subject in subjects))
        for _ in range(wanted):
            label = meaningless_label(random)
            if form_of(label) not in meaningful:
                yield _Subject(split, Source.MEANINGLESS, LabelKey(_UNMEANING, None, label), ())


def _without_leaks(subjects: Sequence[_Subject]) -> list[_Subject]:
    """Without those whose form is in an earlier split: what was learnt is not asked."""
    first: dict[str, Split] = {}
    for split in _ORDER:
        for subject in subjects:
            if subject.split is split:
                first.setdefault(subject.form, split)
    return [subject for subject in subjects if first[subject.form] is subject.split]


def _questions(subjects: Sequence[_Subject], meanings: Mapping[str, str], recipe: Recipe) -> Iterator[TrainingExample]:
    negatives = HardNegatives(meanings)
    for split in _ORDER:
        own = [subject for subject in subjects if subject.split is split]
        Random(f"{recipe.seed}:order:{split}").shuffle(own)  # noqa: S311  # not a secret
        for subject in own:
            yield _question(subject, negatives, meanings, recipe)


def _question(
    subject: _Subject, negatives: HardNegatives, meanings: Mapping[str, str], recipe: Recipe
) -> TrainingExample:
    key, right = subject.key, subject.right
    random = Random(f"{recipe.seed}:question:{subject.split}:{key.vendor}:{key.label}")  # noqa: S311  # not a secret
    offered = bool(right) and random.random() >= recipe.none_share
    barred = list(right)
    if right and not offered:
        # With the category or a subcategory among the options "none of these" would be wrong.
        barred += [each for each in meanings if _is_kin(each, right[0])]
    # Serving offers what its earlier stages found, which is not always the same number.
    count = (
        random.randint(max(2, recipe.options // 2), recipe.options) if subject.split is Split.TRAIN else recipe.options
    )
    candidates = negatives.options(key.label, barred, count - offered, random)
    if offered:
        candidates.append(right[0])
    random.shuffle(candidates)
    unnamed = subject.source in (Source.TAXONOMY, Source.MEANINGLESS) or (
        subject.split is Split.TRAIN and random.random() < recipe.unnamed_share
    )
    vendor = random.choice(_ANYONE) if unnamed else key.vendor
    boundary = f"{random.getrandbits(64):016x}"
    shown = LabelKey(vendor, None if unnamed else key.vendor_version, key.label)
    prompt = label_prompt(shown, candidates, meanings, boundary)
    choices = choices_of(candidates)
    answer = right[0] if offered else NONE
    return TrainingExample(
        split=subject.split,
        source=subject.source,
        vendor=key.vendor,
        subject=answer,
        form=subject.form,
        system=prompt.system,
        user=prompt.user,
        answer=answer_text(answer, choices),
        choices={
            answer_text(canonical, choices): None if canonical == NONE else canonical for canonical in choices.values()
        },
    )


def _is_kin(first: str, second: str) -> bool:
    return category_of(first) == category_of(second)
