"""Wiring of language models that are put to the test: for calibrations and evaluations, outside of any service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.evaluation import TokenPrice
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import GenerationFault
from llama_mapper.entrypoints.containers.generation import configured_models, model_stage_of
from llama_mapper.entrypoints.containers.mapping_plugins import mapping_plugins_of
from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood, embedding_weights

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.cascade.ports import CandidateStage
    from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial, ModelTerms
    from llama_mapper.domain.mapping.generation.answers import AnswerJournal
    from llama_mapper.domain.mapping.generation.metering import MeteredGeneration
    from llama_mapper.domain.mapping.generation.unhurried import UnhurriedModelStage
    from llama_mapper.domain.mapping.labels import KnownLabel
    from llama_mapper.domain.mapping.neighbours.ports import Embeddings
    from llama_mapper.entrypoints.settings import Settings

LOADING_S = 120.0
"""A local model may take so long until it can be asked."""

AWAY_S = 15.0
"""A busy server may be silent for so long."""

_POLL_S = 0.25

Advance = Callable[[int, int, str], None]


def no_progress(_: int, __: int, ___: str) -> None:
    """Where nobody watches."""


@dataclass(frozen=True, slots=True)
class ModelOnTest:
    """A configured model by itself, and the version that releases know it by."""

    generation: MeteredGeneration
    release: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it can be called by."""
        return (self.generation.name,) if self.release is None else (self.release, self.generation.name)


@asynccontextmanager
async def models_on_test(settings: Settings, name: str | None = None) -> AsyncIterator[list[ModelOnTest]]:
    """The models of the settings, each by itself and ready to be asked; those called `name` alone, if that is given.

    Raises `CONFIGURATION_INVALID` where there is none, `ModelServingError` where one cannot be asked.
    """
    models = configured_models(settings, plugins=mapping_plugins_of(settings).generations)
    every = [ModelOnTest(one, release) for release, one in models.released.items()]
    every += [ModelOnTest(one) for one in models.always]
    try:
        chosen = [one for one in every if name is None or name in one.names]
        if not chosen:
            known = ", ".join(one.names[0] for one in every) or "none: see the setting 'generation'"
            raise ConfigurationError(f"no model {'is set up' if name is None else repr(name)}; known are {known}")
        for one in chosen:
            await _ready(one.generation)
        yield chosen
    finally:
        await models.close()


def answer_journal(state: Path | None) -> AbstractContextManager[AnswerJournal]:
    """Where answers are kept: in a file, or in memory alone."""
    from llama_mapper.adapters.mapping.jsonl_answer_journal import open_answer_journal
    from llama_mapper.domain.mapping.generation.answers import MemoryAnswerJournal

    return nullcontext(MemoryAnswerJournal()) if state is None else open_answer_journal(state)


def unhurried(
    settings: Settings,
    model: ModelOnTest,
    neighbourhood: Neighbourhood,
    journal: AnswerJournal,
    progress: Advance,
    *,
    hinted: bool,
) -> UnhurriedModelStage:
    """The stage that asks a model as the service would, and without haste."""
    from llama_mapper.domain.mapping.generation.unhurried import UnhurriedModelStage

    stage = model_stage_of(settings, model.generation, neighbourhood.raw.taxonomy, release=model.release)
    return UnhurriedModelStage(stage, journal, hinted=hinted, progress=progress)


@dataclass(frozen=True, slots=True)
class ModelTrials:
    """Methods of an evaluation that ask a model.

    `model` asks it among all categories, `model-shortlist` among what the stages of `mapping_stages` rank first;
    `cascade-model` is the whole cascade, which asks the model for what those stages leave unsure. About `labels` labels
    it is asked in each fit.
    """

    settings: Settings
    model: ModelOnTest
    journal: AnswerJournal
    labels: int | None
    progress: Advance

    @property
    def price(self) -> TokenPrice:
        """What the model's tokens cost, for a million."""
        price = self.model.generation.price
        return TokenPrice(prompt=float(price.prompt_per_1k * 1_000), completion=float(price.completion_per_1k * 1_000))

    def named(self, *, lexicon: bool) -> dict[str, CascadeTrial]:
        """The methods, with or without the shipped synonyms."""
        from llama_mapper.domain.mapping.cascade.subjects import ModelTerms

        alone = frozenset({MappingStage.MODEL})
        early = tuple(MappingStage(name) for name in self.settings.mapping_stages)
        in_doubt = ModelTerms(labels=self.labels, below=self.settings.mapping_threshold)
        return {
            "model": self._trial("model", (), lexicon, ModelTerms(labels=self.labels)),
            "model-shortlist": self._trial(
                "model-shortlist", early, lexicon, ModelTerms(labels=self.labels, weighed=alone)
            ),
            "cascade-model": self._trial("cascade-model", early, lexicon, in_doubt, company=True),
        }

    def _trial(
        self, name: str, early: Sequence[MappingStage], lexicon: bool, terms: ModelTerms, *, company: bool = False
    ) -> CascadeTrial:
        from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial
        from llama_mapper.domain.mapping.neighbours.references import NO_LEXICON

        neighbourhood = Neighbourhood()
        words = neighbourhood.lexicon if lexicon else NO_LEXICON
        embeddings = embeddings_on_test(self.settings) if MappingStage.EMBEDDING in early else None

        async def make(known: Sequence[KnownLabel]) -> Sequence[CandidateStage]:
            from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
            from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
            from llama_mapper.domain.mapping.neighbours.lexical import LexicalStage
            from llama_mapper.domain.mapping.neighbours.references import references_of

            references = references_of(known, neighbourhood.raw.taxonomy, words)
            made: list[CandidateStage] = []
            if MappingStage.LEXICAL in early:
                made.append(LexicalStage(references, words))
            if embeddings is not None:
                stage = EmbeddingStage(embeddings, NumpyVectorIndex(), references, words)
                await stage.prepare()
                made.append(stage)
            model = unhurried(self.settings, self.model, neighbourhood, self.journal, self.progress, hinted=bool(early))
            return [*made, model]

        categories = sum(len(domain["categories"]) for domain in neighbourhood.raw.taxonomy["domains"])
        unrelated = neighbourhood.lexicon.unrelated
        return CascadeTrial(
            name, make, neighbourhood.families, categories, company=company, unrelated=unrelated, models=terms
        )


def embeddings_on_test(settings: Settings) -> Embeddings:
    """The embedding model, which remembers what it embedded; raise `CONFIGURATION_INVALID` if there is none."""
    from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
    from llama_mapper.domain.mapping.neighbours.remembering import RememberingEmbeddings

    return RememberingEmbeddings(MiniLmEmbeddings(embedding_weights(settings)))


async def _ready(generation: MeteredGeneration) -> None:
    """Wait while a local model is loaded or a server is silent."""
    began = monotonic()
    while (fault := await generation.unready()) is not None:
        if monotonic() - began > (LOADING_S if fault is GenerationFault.MODEL_NOT_LOADED else AWAY_S):
            raise serving_error(generation.name, fault)
        await asyncio.sleep(_POLL_S)
