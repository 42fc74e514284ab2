"""Wiring of evaluations: the methods by name, the shipped catalogue, own labelled files, the state file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.evaluation import EvaluationKind, LabelledLabel, MappingEvaluation, TokenPrice
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.clock import system_clock
from llama_mapper.domain.kernel.errors import ConfigurationError, ValidationError
from llama_mapper.domain.mapping.evaluation.baselines.catalogue_normalised import NormalisedScorer
from llama_mapper.domain.mapping.evaluation.baselines.majority import MajorityScorer
from llama_mapper.domain.mapping.evaluation.baselines.nearest_spelling import SpellingScorer
from llama_mapper.domain.mapping.evaluation.baselines.scorer import CalibratedBaseline, ScorerKind
from llama_mapper.domain.mapping.evaluation.baselines.shipped_catalogue import ShippedCatalogue
from llama_mapper.domain.mapping.evaluation.digests import plan_digest
from llama_mapper.domain.mapping.evaluation.folds import Fold, grouped_folds, leave_one_family_out
from llama_mapper.domain.mapping.evaluation.items import drawn_items, evaluation_items, of_vendors
from llama_mapper.domain.mapping.evaluation.journal import MemoryJournal
from llama_mapper.domain.mapping.evaluation.ports import FoldJournal, Progress, Subject
from llama_mapper.domain.mapping.evaluation.report import ReportTerms, build_report
from llama_mapper.domain.mapping.evaluation.runner import EvaluationPlan, run_folds
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.entrypoints.containers.evaluation_subjects import (
    ASKS_MODEL,
    TRIED,
    WITHOUT_SYNONYMS,
    Trials,
    TriedSubject,
    asks_model,
    trials_of,
    tried_subject,
)
from llama_mapper.entrypoints.settings import Settings
from llama_mapper.entrypoints.version import service_version

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
    from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
    from llama_mapper.entrypoints.containers.models_on_test import ModelTrials


@dataclass(frozen=True, slots=True)
class Ground:
    """What a method may be made from. `families` is vendor → family, for methods that leave families out themselves."""

    raw: RawCatalogue
    catalogue: Catalogue
    known: tuple[KnownLabel, ...]
    families: Mapping[str, str]
    trials: Trials


@dataclass(frozen=True, slots=True)
class Strategy:
    """A method that can be evaluated. `open` makes it and frees it.

    `as_shipped` is one that keeps what it knows whatever it is fitted with: it can be asked an own labelled file, and
    nothing else would be honest. `price` is what its tokens cost unless the command says otherwise.
    """

    open: Callable[[Ground], AbstractAsyncContextManager[Subject]]
    as_shipped: bool = False
    price: TokenPrice = field(default_factory=TokenPrice)


def _baseline(name: str, kind: ScorerKind, stage: MappingStage) -> Strategy:
    return Strategy(lambda ground: nullcontext(CalibratedBaseline(name, kind, stage, ground.families)))


def _tried(name: str) -> Strategy:
    return Strategy(lambda ground: nullcontext(tried_subject(name, ground.trials)))


STRATEGIES: Mapping[str, Strategy] = {
    "majority": _baseline("majority", MajorityScorer, MappingStage.LEXICAL),
    "catalogue-normalised": _baseline("catalogue-normalised", NormalisedScorer, MappingStage.CATALOGUE_NORMALISED),
    "nearest-spelling": _baseline("nearest-spelling", SpellingScorer, MappingStage.LEXICAL),
    **{name: _tried(name) for name in (*TRIED, *[f"{name}{WITHOUT_SYNONYMS}" for name in TRIED])},
    **{name: _tried(name) for name in (*ASKS_MODEL, *[f"{name}{WITHOUT_SYNONYMS}" for name in ASKS_MODEL[1:]])},
    "catalogue": Strategy(lambda ground: nullcontext(ShippedCatalogue(ground.catalogue)), as_shipped=True),
}
"""Every method by the name that `--strategy` takes; one more is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate, and how. Empty `strategies` means all that fit and ask no model; no `folds` a fold a family.

    `limit_labels` asks about so many drawn labels, and asks a model about no more in each fit. `model` is the one that
    methods ask which ask one; None: the first that is set up.

    `labels` is an own labelled file to ask instead of leaving vendors out. `families` is a YAML or JSON file of
    vendor → family; without it the shipped families hold.
    """

    strategies: tuple[str, ...] = ()
    hold_out: tuple[str, ...] = ()
    folds: int | None = None
    seed: int = 0
    families: Path | None = None
    labels: Path | None = None
    state: Path | None = None
    limit_labels: int | None = None
    model: str | None = None
    precision: float = 0.95
    resamples: int = 1000
    batch: int = 64
    singles: int = 8
    prices: Mapping[str, TokenPrice] = field(default_factory=dict)
    title: str = ""


async def evaluate_mapping(request: EvaluationRequest, settings: Settings, progress: Progress) -> MappingEvaluation:
    """Evaluate as asked; raise `CONFIGURATION_INVALID` or `INVALID_REQUEST` for what cannot be."""
    from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
    from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
    from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels

    raw = load_raw_catalogue()
    catalogue = Catalogue(raw)
    known = known_labels(raw.vocabularies)
    families = read_families(request.families) if request.families else _shipped_families(raw)
    async with AsyncExitStack() as stack:
        models = None
        if any(map(asks_model, request.strategies)):
            models = await stack.enter_async_context(_model_trials(request, settings, progress))
        ground = Ground(raw, catalogue, known, families, trials_of(settings, models))
        chosen = _chosen(request, ground)
        plan = _plan(request, ground)
        subjects = [await stack.enter_async_context(strategy.open(ground)) for strategy in chosen.values()]
        asked = "" if models is None else await models.model.generation.model_version()
        journal = stack.enter_context(_journal(request, plan, catalogue, asked))
        runs = await run_folds(plan, subjects, journal, progress)
    terms = ReportTerms(
        title=request.title or ("Mapping of own labels" if request.labels else "Mapping of unknown labels"),
        made_at=system_clock(),
        service_version=service_version(),
        taxonomy_version=catalogue.versions.taxonomy,
        vocabulary_version=catalogue.versions.vocabulary,
        taxonomy=catalogue.labels,
        kind=EvaluationKind.LABELS if request.labels else EvaluationKind.HOLD_OUT,
        hold_out=request.hold_out,
        prices={
            name: request.prices.get(name) or (models.price if models and asks_model(name) else strategy.price)
            for name, strategy in chosen.items()
        },
        versions={one.name: one.version for one in subjects if isinstance(one, TriedSubject)},
        precision=request.precision,
        resamples=request.resamples,
    )
    return build_report(plan, runs, terms, progress)


@asynccontextmanager
async def _model_trials(
    request: EvaluationRequest, settings: Settings, progress: Progress
) -> AsyncIterator[ModelTrials]:
    """The methods that ask a model: the one that the request names, or the first that is set up."""
    from llama_mapper.entrypoints.containers.models_on_test import ModelTrials, answer_journal, models_on_test

    kept = request.state.with_name(f"{request.state.name}.answers.jsonl") if request.state else None
    async with models_on_test(settings, request.model) as models:
        with answer_journal(kept) as journal:
            yield ModelTrials(settings, models[0], journal, request.limit_labels, progress)


def read_report(path: Path) -> MappingEvaluation:
    """The evaluation that `evaluate mapping --json` wrote; raise `CONFIGURATION_INVALID` if it is not one."""
    from pydantic import ValidationError as PydanticError

    try:
        return MappingEvaluation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except PydanticError as error:
        raise ConfigurationError(f"{path} is not an evaluation of this schema") from error


def read_families(path: Path) -> dict[str, str]:
    """Vendor → family, of a YAML or JSON file."""
    from llama_mapper.adapters.platform.catalogue_files import parse_document

    try:
        document = parse_document(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}") from error
    if not all(
        isinstance(name, str) and name and isinstance(family, str) and family for name, family in document.items()
    ):
        raise ConfigurationError(f"{path}: must name a family for each vendor")
    return document


def read_labels(path: Path, taxonomy: Mapping[str, str]) -> tuple[KnownLabel, ...]:
    """The labels of a JSONL file; raise `INVALID_REQUEST` with the number of the first line that is wrong."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.refusals import refusal_of

    labels = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = LabelledLabel.model_validate_json(line)
        except PydanticError as error:
            raise ValidationError(f"{path}: line {number}: {refusal_of(error)[0].message}") from error
        if unknown := [one for one in (row.canonical, *row.also) if one not in taxonomy]:
            raise ValidationError(f"{path}: line {number}: '{unknown[0]}' is not in the taxonomy")
        labels.append(KnownLabel(LabelKey(row.vendor, row.vendor_version, row.label), row.canonical, row.also))
    if not labels:
        raise ValidationError(f"{path} has no labels")
    return tuple(labels)


def _shipped_families(raw: RawCatalogue) -> dict[str, str]:
    from llama_mapper.adapters.mapping.neighbour_files import load_families

    families = load_families(raw)
    return {vendor: families.name_of(vendor) for vendor in raw.vocabularies["vendors"]}


def _can_run(name: str, ground: Ground) -> bool:
    method = name.removesuffix(WITHOUT_SYNONYMS)
    if method in ASKS_MODEL:
        return False
    return method not in TRIED or method in ground.trials(True)


def _chosen(request: EvaluationRequest, ground: Ground) -> dict[str, Strategy]:
    if unknown := [name for name in request.strategies if name not in STRATEGIES]:
        raise ConfigurationError(f"no strategy '{unknown[0]}'; known are {', '.join(STRATEGIES)}")
    if unpriced := [name for name in request.prices if name not in STRATEGIES]:
        raise ConfigurationError(f"a price for '{unpriced[0]}', which is no strategy")
    names = request.strategies or [
        name for name, one in STRATEGIES.items() if (request.labels or not one.as_shipped) and _can_run(name, ground)
    ]
    chosen = {name: STRATEGIES[name] for name in names}
    for name, strategy in chosen.items():
        if strategy.as_shipped and not request.labels:
            raise ConfigurationError(f"'{name}' cannot leave vendors out; it can be asked a file of own labels")
    return chosen


def _plan(request: EvaluationRequest, ground: Ground) -> EvaluationPlan:
    folds: Sequence[Fold]
    if request.labels:
        if request.hold_out or request.folds:
            raise ConfigurationError(
                "a file of own labels leaves no vendors out: it takes neither --hold-out nor --folds"
            )
        items = evaluation_items(read_labels(request.labels, ground.catalogue.labels), ground.families)
        items = drawn_items(items, request.limit_labels, request.seed)
        folds = (Fold("labels", frozenset(item.family for item in items), held_out=False),)
    else:
        asked = of_vendors(ground.known, request.hold_out) if request.hold_out else ground.known
        items = drawn_items(evaluation_items(asked, ground.families), request.limit_labels, request.seed)
        folds = grouped_folds(items, request.folds, request.seed) if request.folds else leave_one_family_out(items)
    return EvaluationPlan(
        items, ground.known, ground.families, tuple(folds), request.seed, request.batch, request.singles
    )


def _journal(
    request: EvaluationRequest, plan: EvaluationPlan, catalogue: Catalogue, asked: str
) -> AbstractContextManager[FoldJournal]:
    from llama_mapper.adapters.mapping.jsonl_fold_journal import open_fold_journal

    if request.state is None:
        return nullcontext(MemoryJournal())
    versions = [service_version(), catalogue.versions.taxonomy, *([asked] if asked else [])]
    return open_fold_journal(request.state, plan_digest(plan, *versions))
