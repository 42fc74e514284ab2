"""What other strategies would have cost and lost on the labels that a tenant really had. Pure functions over counts.

Labels that the catalogue knows are answered by it under every strategy; only a least confidence can take them away.
For the others a strategy is judged by the labels that were mapped by it, and those that were mapped by another strategy
are taken to have come to the same shares. Right answers are expected from the stages' calibrated confidences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from llama_mapper.domain.contracts.cost_optimisation import Basis, Forecast
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.money import TokenPrice, dollars
from llama_mapper.domain.mapping.costs.spending import NANO, OWN_WORK, Amount
from llama_mapper.domain.mapping.costs.uses import Use, UseKind, confidence_of

AS_IT_WAS = "as_it_was"
THRESHOLDS = tuple(range(30, 100, 5))
"""Hundredths."""

_KNOWING = frozenset(
    {
        MappingStage.CATALOGUE_EXACT,
        MappingStage.CATALOGUE_NORMALISED,
        MappingStage.DECLARED,
        MappingStage.OVERLAY,
    }
)
_BY_MODEL, _ABSTAINED = MappingStage.MODEL, MappingStage.ABSTAINED


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """A model that the installation may ask, and what it charges."""

    name: str
    price: TokenPrice


@dataclass(frozen=True, slots=True)
class Outcome:
    """Labels as expected numbers: they are fractions where they are inferred."""

    answered: float = 0.0
    right: float = 0.0
    labels: float = 0.0
    moved: float = 0.0
    model_asked: float = 0.0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.answered + other.answered,
            self.right + other.right,
            self.labels + other.labels,
            self.moved + other.moved,
            self.model_asked + other.model_asked,
        )

    def times(self, factor: float) -> Outcome:
        """As many labels more."""
        return Outcome(
            self.answered * factor,
            self.right * factor,
            self.labels * factor,
            self.moved * factor,
            self.model_asked * factor,
        )


class Window:
    """The counts of a window, and the shares that follow from them."""

    def __init__(self, uses: Mapping[Use, int], spending: Mapping[str, Amount]) -> None:
        self.uses = uses
        models = {source: amount for source, amount in spending.items() if source != OWN_WORK}
        self.cost = sum(amount.nanodollars for amount in models.values()) / NANO
        self.tokens = (
            sum(amount.prompt_tokens for amount in models.values()),
            sum(amount.completion_tokens for amount in models.values()),
        )
        self.fresh_to_model = self._sum(UseKind.ASKED, _BY_MODEL)
        remembered = self._sum(UseKind.REMEMBERED, _BY_MODEL)
        self.to_model = self.fresh_to_model + remembered
        asked = self._sum(UseKind.ASKED)
        total = asked + self._sum(UseKind.REMEMBERED)
        self.fresh = self.fresh_to_model / self.to_model if self.to_model else asked / total if total else 1.0
        """The share of labels that a stage would not remember."""
        self.labels = self._sum(UseKind.ANSWERED)
        self.unknown = sum(labels for use, labels in self.answered() if use.stage not in _KNOWING)

    @property
    def price_of_one(self) -> float | None:
        """US dollars for a label that a model is asked for; None where none was asked."""
        return self.cost / self.fresh_to_model if self.fresh_to_model else None

    def answered(self, strategy: MappingStrategy | None = None) -> Iterable[tuple[Use, int]]:
        """The labels by how they were answered, of one strategy or of all."""
        return (
            (use, labels)
            for use, labels in self.uses.items()
            if use.kind is UseKind.ANSWERED and strategy in (None, use.strategy)
        )

    def passed_on(self, strategy: MappingStrategy) -> Iterable[tuple[Use, int]]:
        """The labels that early stages left to a late one."""
        return (
            (use, labels)
            for use, labels in self.uses.items()
            if use.kind is UseKind.PASSED_ON and use.strategy is strategy
        )

    def by_model(self, least: int) -> tuple[float, float]:
        """Of a label that the model is asked for: the chance of an answer at least so sure, and of a right one."""
        if not self.to_model:
            return 0.0, 0.0
        sure = [(use, labels) for use, labels in self.answered() if use.stage is _BY_MODEL and use.bucket >= least]
        answers = sum(labels for _, labels in sure)
        right = sum(labels * confidence_of(use.bucket) for use, labels in sure)
        scale = max(self.to_model, answers)
        return answers / scale, right / scale

    def mean_confidence(self, stage: MappingStage) -> float:
        """Of the stage's answers; 0 where it has none, and for an abstention."""
        if stage is _ABSTAINED:
            return 0.0
        own = [(confidence_of(use.bucket), labels) for use, labels in self.answered() if use.stage is stage]
        total = sum(labels for _, labels in own)
        return sum(confidence * labels for confidence, labels in own) / total if total else 0.0

    def _sum(self, kind: UseKind, stage: MappingStage | None = None) -> int:
        return sum(labels for use, labels in self.uses.items() if use.kind is kind and stage in (None, use.stage))


def forecasts(window: Window, models: Sequence[ModelPrice] = ()) -> tuple[Forecast, ...]:
    """The window as it was, then every other way of mapping it that is worth a look.

    Of the cascade nothing is told where unknown labels were mapped by other strategies alone, and of models first
    nothing where no model was asked.
    """
    was = _as_it_was(window)
    found = [_told(window, was, AS_IT_WAS, Basis.COUNTED, was, window.cost)]
    nobody = _known(window) + Outcome(labels=window.unknown, moved=_answers(window))
    found.append(
        _told(window, was, "catalogue-only", Basis.DERIVED, nobody, 0.0, strategy=MappingStrategy.CATALOGUE_ONLY)
    )
    found.extend(one for one in (_cascade(window, was, least) for least in THRESHOLDS) if one is not None)
    if window.to_model:
        if (offline := _offline(window, was)) is not None:
            found.append(offline)
        found.append(_model_first(window, was))
    found.extend(_repriced(window, was, models))
    return tuple(found)


def _as_it_was(window: Window) -> Outcome:
    total = Outcome(model_asked=float(window.fresh_to_model))
    for use, labels in window.answered():
        total += _kept(use, labels)
    return total


def _known(window: Window, least: int = 0) -> Outcome:
    """What the catalogue knows; answers less sure than `least` hundredths abstain."""
    total = Outcome()
    for use, labels in window.answered():
        if use.stage in _KNOWING:
            total += _kept(use, labels) if use.bucket >= least else Outcome(labels=labels, moved=labels)
    return total


def _answers(window: Window) -> int:
    return sum(labels for use, labels in window.answered() if use.stage not in _KNOWING and use.stage is not _ABSTAINED)


def _kept(use: Use, labels: int) -> Outcome:
    if use.stage is _ABSTAINED:
        return Outcome(labels=labels)
    return Outcome(answered=labels, right=labels * confidence_of(use.bucket), labels=labels)


def _spread(window: Window, seen: Outcome) -> Outcome | None:
    """What was seen of a part of the unknown labels, for all of them; None where nothing was seen."""
    if not window.unknown:
        return Outcome()
    if not seen.labels:
        return None
    return seen.times(window.unknown / seen.labels)


def _cascade(window: Window, was: Outcome, least: int) -> Forecast | None:
    """The cascade with a least confidence for every stage; None where it mapped nothing unknown."""
    strategy = MappingStrategy.CASCADE
    answers, right = window.by_model(least)
    asked = Outcome(model_asked=sum(labels for use, labels in window.uses.items() if _is_fresh_model(use, strategy)))
    seen, only_taken = asked, True
    passed: dict[MappingStage, int] = {}
    for use, labels in window.passed_on(strategy):
        passed[use.stage] = passed.get(use.stage, 0) + labels
    of_stage: dict[MappingStage, int] = {}
    for use, labels in window.answered(strategy):
        of_stage[use.stage] = of_stage.get(use.stage, 0) + labels
    for use, labels in window.answered(strategy):
        if use.stage in _KNOWING:
            continue
        sure = use.bucket >= least
        if use.stage is _ABSTAINED:
            if sure and use.bucket:
                only_taken = False
                seen += Outcome(labels, labels * confidence_of(use.bucket), labels, labels)
            else:
                seen += Outcome(labels=labels)
        elif sure:
            seen += _kept(use, labels)
        elif use.stage is _BY_MODEL or not window.to_model:
            seen += Outcome(labels=labels, moved=labels)
        else:
            # What the model confirmed already would not be asked a second time.
            new = labels * max(0.0, 1.0 - passed.get(use.stage, 0) / of_stage[use.stage])
            only_taken = only_taken and not new
            seen += Outcome(new * answers, new * right, labels, labels, new * window.fresh)
    for use, labels in window.passed_on(strategy):
        if use.bucket < least or not use.bucket:
            continue
        # Early stages would have been sure enough: their answer stands, and nobody else is asked. Whether a label that
        # abstained in the end would have been answered, its best suggestion told above.
        only_taken = False
        is_answer = use.stage is not _ABSTAINED
        seen += Outcome(
            right=labels * (confidence_of(use.bucket) - window.mean_confidence(use.stage)) if is_answer else 0.0,
            moved=labels if is_answer else 0.0,
            model_asked=-labels * window.fresh,
        )
    spread = _spread(window, seen)
    foreign = window.unknown > seen.labels
    basis = Basis.DERIVED if only_taken and not foreign else Basis.ESTIMATED
    name, least_confidence = f"cascade@{least / 100:.2f}", least / 100
    if spread is None:
        return None
    total = _bounded(_known(window, least) + spread)
    return _told(
        window, was, name, basis, total, _cost(window, total), strategy=strategy, min_confidence=least_confidence
    )


def _offline(window: Window, was: Outcome) -> Forecast | None:
    """The cascade without the model: what only that could answer abstains."""
    strategy = MappingStrategy.CASCADE
    seen = Outcome()
    for use, labels in window.answered(strategy):
        if use.stage is _BY_MODEL:
            seen += Outcome(labels=labels, moved=labels)
        elif use.stage not in _KNOWING:
            seen += _kept(use, labels)
    spread = _spread(window, seen)
    if spread is None:
        return None
    basis = Basis.DERIVED if window.unknown == seen.labels else Basis.ESTIMATED
    total = _bounded(_known(window) + spread)
    return _told(window, was, "cascade-offline", basis, total, 0.0, strategy=strategy, offline=True)


def _model_first(window: Window, was: Outcome) -> Forecast:
    """Every label that the catalogue does not know goes to the model first."""
    strategy = MappingStrategy.MODEL_FIRST
    seen = Outcome()
    for use, labels in window.answered(strategy):
        if use.stage not in _KNOWING:
            seen += _kept(use, labels)
    if seen.labels:
        seen = replace(
            seen, model_asked=sum(labels for use, labels in window.uses.items() if _is_fresh_model(use, strategy))
        )
    others = window.unknown - seen.labels
    answers, right = window.by_model(0)
    # What the model leaves goes to the neighbours, which answer as much of it as they did of what they were asked.
    early, early_right = _early(window)
    rest = 1.0 - answers
    seen += Outcome(
        others * (answers + rest * early),
        others * (right + rest * early_right),
        others,
        others * answers,
        others * window.fresh,
    )
    basis = Basis.ESTIMATED if others else Basis.DERIVED
    total = _bounded(_known(window) + seen)
    return _told(window, was, "model-first", basis, total, _cost(window, total), strategy=strategy)


def _early(window: Window) -> tuple[float, float]:
    """Of a label that the neighbours are asked for: the chance of an answer, and of a right one."""
    asked = answered = right = 0.0
    for use, labels in window.answered(MappingStrategy.CASCADE):
        if use.stage in _KNOWING:
            continue
        asked += labels
        if use.stage not in (_BY_MODEL, _ABSTAINED):
            answered += labels
            right += labels * confidence_of(use.bucket)
    return (answered / asked, right / asked) if asked else (0.0, 0.0)


def _repriced(window: Window, was: Outcome, models: Sequence[ModelPrice]) -> Iterable[Forecast]:
    """The same tokens at the price of each model; what it would have answered nobody knows."""
    if not any(window.tokens):
        return
    for model in models:
        cost = dollars(model.price.microdollars(*window.tokens))
        told = _told(window, was, f"price:{model.name}"[:128], Basis.ESTIMATED, was, cost)
        unknown = {"right": None, "wrong": None, "loss": None, "model": model.name, "moved": 0}
        note = "the tokens counted, at this model's price; how good it is here was not measured"
        yield told.model_copy(update={**unknown, "note": note})


def _is_fresh_model(use: Use, strategy: MappingStrategy) -> bool:
    return use.kind is UseKind.ASKED and use.stage is _BY_MODEL and use.strategy is strategy


def _cost(window: Window, outcome: Outcome) -> float | None:
    if not outcome.model_asked:
        return 0.0
    price = window.price_of_one
    return None if price is None else outcome.model_asked * price


def _bounded(outcome: Outcome) -> Outcome:
    """Sums of estimates, within what is possible."""
    answered = min(max(outcome.answered, 0.0), outcome.labels)
    return replace(
        outcome,
        answered=answered,
        right=min(max(outcome.right, 0.0), answered),
        moved=min(outcome.moved, outcome.labels),
        model_asked=max(outcome.model_asked, 0.0),
    )


def _told(
    window: Window,
    was: Outcome,
    name: str,
    basis: Basis,
    outcome: Outcome,
    cost: float | None,
    *,
    strategy: MappingStrategy | None = None,
    min_confidence: float | None = None,
    offline: bool | None = None,
) -> Forecast:
    labels = window.labels or 1
    right, wrong = outcome.right / labels, (outcome.answered - outcome.right) / labels
    loss = max(was.right / labels - right, wrong - (was.answered - was.right) / labels)
    return Forecast(
        name=name,
        basis=basis,
        strategy=strategy,
        min_confidence=min_confidence,
        offline=offline,
        answered=round(outcome.answered),
        abstained=max(0, window.labels - round(outcome.answered)),
        moved=round(outcome.moved),
        model_asked=round(outcome.model_asked),
        right=_share(right),
        wrong=_share(wrong),
        loss=round(loss, 6) + 0.0,
        cost=None if cost is None else round(cost, 9),
        saving=None if cost is None else round(window.cost - cost, 9) + 0.0,
    )


def _share(value: float) -> float:
    return min(1.0, max(0.0, round(value, 6)))
