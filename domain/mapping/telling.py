"""What answers and traces say of how an answer came about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.base import ProvenanceEntry, VersionInfo
from llama_mapper.domain.contracts.mapping import MappedLabel, MappingStage, TokenUsage
from llama_mapper.domain.kernel.tracing import Step
from llama_mapper.domain.mapping.cascade.cascade import StageUse
from llama_mapper.domain.mapping.tenants.standing import View

StageWarning = Callable[[MappingStage], str | None]
"""What is to be said of the models behind a stage's answers, if anything."""


def no_warning(_: MappingStage) -> str | None:
    """For installations whose models nobody registers."""
    return None


def tell_catalogue(at: Step, view: View, mapped: Sequence[MappedLabel]) -> None:
    """What the catalogue made of the labels of a call."""
    versions = view.catalogue.versions
    at.set(
        {
            "llama_mapper.mapping.stage": "catalogue",
            "llama_mapper.mapping.stage.version": f"{versions.taxonomy}/{versions.vocabulary}",
            "llama_mapper.labels.asked": len(mapped),
            "llama_mapper.labels.answered": sum(not label.abstained for label in mapped),
        }
    )


def with_models(info: VersionInfo, used: Sequence[StageUse]) -> VersionInfo:
    """The versions with those of the models that took part, separated by commas."""
    models = dict.fromkeys(use.version for use in used if use.stage is MappingStage.MODEL)
    return info.model_copy(update={"model_version": ",".join(models)[:128]}) if models else info


def tokens_of(used: Sequence[StageUse]) -> TokenUsage | None:
    """What the models counted; None where none took part."""
    asked = [use for use in used if use.stage is MappingStage.MODEL]
    if not asked:
        return None
    return TokenUsage(
        prompt_tokens=sum(use.prompt_tokens for use in asked),
        completion_tokens=sum(use.completion_tokens for use in asked),
    )


def provenance_of(used: Sequence[StageUse], warning: StageWarning) -> tuple[ProvenanceEntry, ...]:
    """One entry for each version of a stage that took part."""
    return tuple(
        ProvenanceEntry(
            stage="mapping",
            component=f"{use.stage.value}_stage",
            version=use.version[:128],
            duration_ms=use.seconds * 1e3,
            detail=_detail(use, warning(use.stage)),
        )
        for use in used
    )


def _detail(use: StageUse, warning: str | None) -> str:
    asked = f"labels that the catalogue does not know: {use.labels} ranked, {use.remembered} remembered"
    return asked if warning is None else f"{asked}; {warning}"[:512]
