"""What was learnt from held-out vendors: how to weigh the stages' evidence, and how often such an answer is right."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import CatalogueError
from llama_mapper.domain.mapping.cascade.evidence import category_features, subcategory_features
from llama_mapper.domain.mapping.isotonic import Isotonic

Identities = Mapping[MappingStage, str]
"""Stage → what exactly ranked, of stages that are not always the same: `Ranking.identity`."""

_NO_IDENTITIES: Identities = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Weighing:
    """A logistic regression, and the curve from its probability to the share of answers that were right."""

    coefficients: tuple[float, ...]
    curve: Isotonic


@dataclass(frozen=True, slots=True)
class Combination:
    """How answers of exactly these stages are weighed together.

    `alone` weighs categories where nothing else of the vendor is known, `company` where other labels of the vendor
    stand beside. `subcategory` weighs the labels of the chosen category; its curve is over the product of both.
    `identities` says what exactly was measured of stages that ask a model: another model's answers are unmeasured.
    """

    stages: tuple[MappingStage, ...]
    alone: Weighing
    company: Weighing
    subcategory: Weighing
    identities: Identities = field(default_factory=lambda: _NO_IDENTITIES)

    def __post_init__(self) -> None:
        of_category, within = category_features(len(self.stages)), subcategory_features(len(self.stages))
        for weighing, expected in ((self.alone, of_category), (self.company, of_category), (self.subcategory, within)):
            if len(weighing.coefficients) != expected + 1:
                raise ValueError("a weighing has an intercept and one coefficient for each feature")
        if not set(self.identities) <= set(self.stages):
            raise ValueError("a combination identifies no stage but its own")

    def fits(self, stages: Collection[MappingStage], identities: Identities) -> bool:
        """Whether its stages are among `stages`, and those that it identifies are what was measured."""
        return all(stage in stages for stage in self.stages) and all(
            identities.get(stage) == identity for stage, identity in self.identities.items()
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """Combinations of stages that were measured. `fitted_on` says on which data: name → version."""

    version: str
    fitted_on: Mapping[str, str]
    number_of_categories: int
    combinations: tuple[Combination, ...] = ()

    def measured(self, stages: Collection[MappingStage], identities: Identities = _NO_IDENTITIES) -> Combination | None:
        """The combination of the most of these stages, the earlier listed of several; None if none was measured."""
        fitting = [one for one in self.combinations if one.fits(stages, identities)]
        return max(fitting, key=lambda one: len(one.stages), default=None)


def calibration_document(calibration: Calibration) -> dict[str, Any]:
    """The calibration as plain data, for a file; `calibration_from` reads it again."""
    return {
        "version": calibration.version,
        "fitted_on": dict(calibration.fitted_on),
        "number_of_categories": calibration.number_of_categories,
        "combinations": [
            {
                "stages": [stage.value for stage in one.stages],
                "alone": _plain(one.alone),
                "company": _plain(one.company),
                "subcategory": _plain(one.subcategory),
                **({"identities": _named(one.identities)} if one.identities else {}),
            }
            for one in calibration.combinations
        ],
    }


def calibration_from(document: Mapping[str, Any]) -> Calibration:
    """The calibration of a parsed document; raise `CATALOGUE_INVALID` if it is none."""
    try:
        calibration = Calibration(
            version=_text(document["version"]),
            fitted_on={_text(name): _text(version) for name, version in document["fitted_on"].items()},
            number_of_categories=int(document["number_of_categories"]),
            combinations=tuple(_combinations(document["combinations"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogueError(f"the calibration is not valid: {error}") from error
    if unknown := set(document) - {"version", "fitted_on", "number_of_categories", "combinations"}:
        raise CatalogueError(f"the calibration has unknown keys: {', '.join(sorted(unknown))}")
    return calibration


def _combinations(listed: Sequence[Mapping[str, Any]]) -> Iterator[Combination]:
    for one in listed:
        yield Combination(
            tuple(MappingStage(stage) for stage in one["stages"]),
            _weighing(one["alone"]),
            _weighing(one["company"]),
            _weighing(one["subcategory"]),
            _identities(one),
        )


def _identities(one: Mapping[str, Any]) -> Identities:
    identities = {MappingStage(stage): _text(name) for stage, name in one.get("identities", {}).items()}
    if MappingStage.MODEL.value in one["stages"] and not identities.get(MappingStage.MODEL):
        raise ValueError("a combination with the stage 'model' identifies the model")
    return identities


def _named(identities: Identities) -> dict[str, str]:
    return {stage.value: identity for stage, identity in identities.items()}


def _plain(weighing: Weighing) -> dict[str, list[float]]:
    return {
        "coefficients": [round(value, 5) for value in weighing.coefficients],
        "scores": [round(value, 5) for value in weighing.curve.scores],
        "shares": [round(value, 5) for value in weighing.curve.shares],
    }


def _weighing(plain: Mapping[str, Sequence[float]]) -> Weighing:
    shares = tuple(float(value) for value in plain["shares"])
    if any(not 0.0 <= share <= 1.0 for share in shares):
        raise ValueError("shares lie between 0 and 1")
    scores = tuple(float(value) for value in plain["scores"])
    return Weighing(tuple(float(value) for value in plain["coefficients"]), Isotonic(scores, shares))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a version must be a text")
    return value
