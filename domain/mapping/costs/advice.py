"""Which forecast to recommend, and why."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.cost_optimisation import Basis, Forecast, Recommendation
from llama_mapper.domain.contracts.mapping_settings import MappingSettings
from llama_mapper.domain.mapping.costs.optimiser import AS_IT_WAS

_WORTH = 0.01
"""The share of the cost that a change must save."""

ESTIMATES = (
    "Counts, tokens and money of the window as it was are counted; everything else is inferred from them.",
    "Right and wrong answers are expected from the stages' confidences. Those of stages after the catalogue were "
    "measured on vendors that were held out, those of the catalogue are judgement; neither on your own labels.",
    "Labels that were mapped under another strategy are taken to come to the same shares as those that were mapped "
    "under the one in question.",
    "What a model would answer of labels that it was not asked for is taken from those it was asked for, which are the "
    "harder ones; its price is the mean price of a label that it was asked for.",
    "Confidences are kept in steps of a hundredth. What a lower threshold would have answered may be no more than "
    "a label's category.",
)


def advice(found: Sequence[Forecast], *, labels: int, cost: float, max_loss: float, min_labels: int) -> Recommendation:
    """The forecast that saves most of those that lose no more than `max_loss`; of equal ones the one that loses least,
    then the strictest.

    Nothing is changed for fewer labels than `min_labels`, for a saving of less than a hundredth of the cost, and for a
    forecast of which nobody can tell what it would lose.
    """
    if labels < min_labels:
        return _leave(f"{labels} labels are fewer than the {min_labels} that a recommendation rests on")
    if cost <= 0.0:
        return _leave("nothing was paid for models, so nothing can be saved")
    fit = [
        one
        for one in found
        if one.name != AS_IT_WAS
        and one.loss is not None
        and one.saving is not None
        and one.loss <= max_loss
        and one.saving >= _WORTH * cost
    ]
    best = min(
        fit,
        key=lambda one: (-(one.saving or 0.0), one.loss or 0.0, -(one.min_confidence or 0.0), one.name),
        default=None,
    )
    if best is None:
        return _leave(f"no cheaper way is expected to lose at most {max_loss:.2%} of the labels")
    saving, loss = best.saving or 0.0, best.loss or 0.0
    inferred = "" if best.basis is Basis.DERIVED else " (an estimate)"
    return Recommendation(
        forecast=best.name,
        change=True,
        strategy=best.strategy,
        min_confidence=best.min_confidence,
        offline=best.offline,
        saving=saving,
        loss=loss,
        reason=f"{best.name} would have saved {saving:.6f} of {cost:.6f} USD, {saving / cost:.0%}{inferred}, and lost "
        f"{max(0.0, loss):.2%} of the labels, at most {max_loss:.2%} may be lost",
    )


def changed_settings(settings: MappingSettings, advised: Recommendation) -> MappingSettings:
    """The tenant's settings with what is recommended; the rest stays as it is."""
    changes: dict[str, object] = {}
    if advised.strategy is not None:
        changes["strategy"] = advised.strategy
    if advised.offline is not None:
        changes["offline"] = advised.offline
    if advised.min_confidence is not None:
        changes |= {"min_confidence": advised.min_confidence, "stage_confidence": {}}
    return settings.model_copy(update=changes)


def _leave(reason: str) -> Recommendation:
    return Recommendation(forecast=AS_IT_WAS, change=False, reason=reason)
