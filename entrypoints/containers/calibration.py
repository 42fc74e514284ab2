"""Fitting the shipped calibration, or an installation's own, anew."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.mapping import MappingStrategy
from llama_mapper.domain.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
    from llama_mapper.domain.mapping.cascade.calibration import Calibration
    from llama_mapper.domain.mapping.cascade.ports import CandidateStage
    from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood
    from llama_mapper.entrypoints.containers.models_on_test import Advance
    from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsToCalibrate:
    """That models are measured too: about how many drawn labels each is asked (None: all), and the file that keeps what
    they answered. `name` is the one to measure; None: each that is set up."""

    labels: int | None = None
    state: Path | None = None
    name: str | None = None


async def calibrate_stages(
    settings: Settings,
    output: Path,
    seed: int,
    models: ModelsToCalibrate | None = None,
    progress: Advance | None = None,
) -> Calibration:
    """Fit to every label of the vocabularies with the stages that can run here, and write the result.

    The version is made of the versions of everything that it was fitted on: the same data and seed give the same file.
    With `models` the early stages are those of the setting `mapping_stages`, since a model chooses among what they
    rank; of other models, what `output` has is kept where it was fitted on the same data.
    """
    from llama_mapper.adapters.mapping.neighbour_files import write_calibration
    from llama_mapper.domain.mapping.cascade.fitting import fit_calibration
    from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood

    neighbourhood = Neighbourhood()
    raw = neighbourhood.raw
    async with AsyncExitStack() as stack:
        stages = await _neighbours(settings, neighbourhood, stack, named=models is not None)
        fitted_on = {
            "vocabularies": raw.vocabularies["version"],
            "taxonomy": raw.taxonomy["version"],
            "synonyms": neighbourhood.lexicon.version,
            "families": neighbourhood.families.version,
            **{stage.stage.value: stage.version for stage in stages},
        }
        if models is not None:
            stages += await _models(settings, neighbourhood, models, progress, stack)
        try:
            calibration = await fit_calibration(
                stages,
                neighbourhood.known,
                neighbourhood.families,
                sum(len(domain["categories"]) for domain in raw.taxonomy["domains"]),
                seed=seed,
                version=f"{raw.vocabularies['version']}-{neighbourhood.lexicon.version}-{seed}",
                fitted_on=fitted_on,
                unrelated=neighbourhood.lexicon.unrelated,
                models_asked=None if models is None else models.labels,
            )
        except ValueError as error:
            raise ConfigurationError(f"there is too little to calibrate on: {error}") from error
    if models is not None:
        calibration = _with_other_models(calibration, output)
    write_calibration(calibration, output)
    return calibration


async def _neighbours(
    settings: Settings, neighbourhood: Neighbourhood, stack: AsyncExitStack, *, named: bool
) -> list[CandidateStage]:
    """The stages that the setting names, or all that can run here."""
    from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
    from llama_mapper.domain.mapping.neighbours.remembering import RememberingEmbeddings
    from llama_mapper.entrypoints.containers.mapping_stages import embedding_weights

    stages: list[CandidateStage] = []
    if not named or "lexical" in settings.mapping_stages:
        stages.append(neighbourhood.lexical())
    if named and "embedding" not in settings.mapping_stages:
        return stages
    embeddings: MiniLmEmbeddings
    try:
        embeddings = MiniLmEmbeddings(embedding_weights(settings))
    except ConfigurationError:
        if named:
            raise
        return stages  # without weights the calibration is for the lexical stage alone, and names that
    stack.push_async_callback(embeddings.close)
    stage = neighbourhood.embedding(RememberingEmbeddings(embeddings), None)
    await stage.prepare()
    return [*stages, stage]


async def _models(
    settings: Settings,
    neighbourhood: Neighbourhood,
    models: ModelsToCalibrate,
    progress: Advance | None,
    stack: AsyncExitStack,
) -> Sequence[CandidateStage]:
    from llama_mapper.entrypoints.containers.models_on_test import (
        answer_journal,
        models_on_test,
        no_progress,
        unhurried,
    )

    journal = stack.enter_context(answer_journal(models.state))
    ready = await stack.enter_async_context(models_on_test(settings, models.name))
    hinted = MappingStrategy(settings.mapping_strategy) is not MappingStrategy.MODEL_FIRST
    return [unhurried(settings, one, neighbourhood, journal, progress or no_progress, hinted=hinted) for one in ready]


def _with_other_models(calibration: Calibration, output: Path) -> Calibration:
    """With what the file has of models that were not measured now."""
    from llama_mapper.adapters.mapping.neighbour_files import load_calibration

    if not output.exists():
        return calibration
    before = load_calibration(output)
    if (before.fitted_on, before.version) != (calibration.fitted_on, calibration.version):
        return calibration
    measured = {tuple(one.identities.values()) for one in calibration.combinations}
    kept = [one for one in before.combinations if one.identities and tuple(one.identities.values()) not in measured]
    return replace(calibration, combinations=(*calibration.combinations, *kept))
