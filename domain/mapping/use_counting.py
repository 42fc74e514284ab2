"""From the answers of one call to what is counted of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from llama_mapper.domain.contracts.mapping import MappedLabel
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.mapping.cascade.cascade import CascadeAnswers
from llama_mapper.domain.mapping.costs.uses import Use, UseKind, bucket_of
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.monitoring.observed import Answered, abstains


def uses_of(
    strategy: MappingStrategy,
    given: Mapping[Answered, int],
    mapped: Sequence[MappedLabel],
    keys: Sequence[LabelKey],
    found: CascadeAnswers,
) -> Iterable[tuple[Use, int]]:
    """How the labels of a call were answered.

    `given` counts the answers of `mapped`; `found` is what the stages said of `keys`, which the catalogue does not
    know.
    """
    for (stage, _, _, confidence), labels in given.items():
        if stage is not MappingStage.ABSTAINED:
            yield Use(strategy, UseKind.ANSWERED, stage, bucket_of(confidence)), labels
    if abstains(given):
        sure = {key: answer.sureness for key, answer in zip(keys, found.answers, strict=False)}
        for label in mapped:
            if label.abstained:
                # What the catalogue knows and was not sure enough of suggests itself.
                refused = label.suggestions[0].confidence if label.suggestions else 0.0
                best = sure.get(LabelKey(label.vendor, label.vendor_version, label.label), refused)
                yield Use(strategy, UseKind.ANSWERED, MappingStage.ABSTAINED, bucket_of(best)), 1
    for use in found.used:
        yield Use(strategy, UseKind.ASKED, use.stage), use.labels
        yield Use(strategy, UseKind.REMEMBERED, use.stage), use.remembered
    for answer in found.answers:
        if answer.passed_on is not None:
            yield Use(strategy, UseKind.PASSED_ON, answer.decision.stage, bucket_of(answer.passed_on)), 1
