"""The stages after the catalogue, chosen by settings; each is built when it is first needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import MappingStage, MappingStrategy
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.cascade.cascade import Cascade, CascadeTerms, StageSlot
from llama_mapper.domain.mapping.cascade.deferred import DeferredStage
from llama_mapper.domain.mapping.cascade.metrics import MappingMetrics
from llama_mapper.entrypoints.containers.embeddings import embedding_weights as embedding_weights  # others find it here
from llama_mapper.entrypoints.containers.embeddings import kept_embedding

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.cascade.families import VendorFamilies
    from llama_mapper.domain.mapping.cascade.ports import CandidateStage
    from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial
    from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
    from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
    from llama_mapper.domain.mapping.labels import KnownLabel
    from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
    from llama_mapper.domain.mapping.neighbours.kept import KeptEmbeddingStage
    from llama_mapper.domain.mapping.neighbours.lexical import LexicalStage
    from llama_mapper.domain.mapping.neighbours.ports import Embeddings, VectorIndex
    from llama_mapper.domain.mapping.neighbours.references import Lexicon, Reference
    from llama_mapper.entrypoints.settings import Settings


class Neighbourhood:
    """The texts that labels are compared with. They are read when they are needed: it takes tenths of a second."""

    @cached_property
    def raw(self) -> RawCatalogue:
        """The shipped documents."""
        from llama_mapper.adapters.mapping.neighbour_files import load_shipped

        return load_shipped()

    @cached_property
    def known(self) -> tuple[KnownLabel, ...]:
        """Every label of the vocabularies."""
        from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels

        return known_labels(self.raw.vocabularies)

    @cached_property
    def lexicon(self) -> Lexicon:
        """The synonyms."""
        from llama_mapper.adapters.mapping.neighbour_files import load_lexicon

        return load_lexicon(self.raw)

    @cached_property
    def families(self) -> VendorFamilies:
        """Vendors whose lists come from one source."""
        from llama_mapper.adapters.mapping.neighbour_files import load_families

        return load_families(self.raw)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """The texts."""
        from llama_mapper.domain.mapping.neighbours.references import references_of

        return references_of(self.known, self.raw.taxonomy, self.lexicon)

    @cached_property
    def _counts(self) -> Mapping[str, Mapping[str, float]]:
        counts: dict[str, dict[str, float]] = {}
        for vendor, category, _ in {
            (known.key.vendor, category_of(known.canonical), known.key.label) for known in self.known
        }:
            of_vendor = counts.setdefault(vendor, {})
            of_vendor[category] = of_vendor.get(category, 0.0) + 1.0
        return counts

    def known_of(self, vendor: str) -> Mapping[str, float]:
        """Category → how many of the vendor's known labels fall into it."""
        return self._counts.get(vendor, {})

    def lexical(self) -> LexicalStage:
        """The stage that compares words."""
        from llama_mapper.domain.mapping.neighbours.lexical import LexicalStage

        return LexicalStage(self.references, self.lexicon)

    def embedding(
        self, embeddings: Embeddings, folder: Path | None, index: VectorIndex | None = None
    ) -> EmbeddingStage:
        """The stage that compares meanings; still to be prepared. Without `index` the folder keeps the vectors."""
        from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
        from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage

        return EmbeddingStage(embeddings, index or NumpyVectorIndex(folder), self.references, self.lexicon)


@dataclass(slots=True)
class RunningStages:
    """The cascade, and how its stages are; `wait` waits until those that load in the background have done so."""

    neighbourhood: Neighbourhood
    cascade: Cascade | None = None
    kept: list[KeptEmbeddingStage] = field(default_factory=list)

    def notes(self) -> Mapping[str, str]:
        """Why each stage that cannot be asked now cannot."""
        return {f"mapping.{stage.stage.value}": stage.state for stage in self.kept if stage.state}

    async def wait(self, within_s: float) -> bool:
        """Whether every stage was ready within so many seconds; one that says why it is not is not waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for stage in self.kept:
                    await stage.looked.wait()
        return not any(stage.state for stage in self.kept)

    async def embedding_version(self) -> str:
        """What the embedding model says of its version; empty where there is none, or before it was opened."""
        return ",".join(stage.model_version for stage in self.kept)


@asynccontextmanager
async def running_stages(
    settings: Settings, catalogue: Catalogue, metrics: MappingMetrics | None, more: Sequence[StageSlot] = ()
) -> AsyncIterator[RunningStages]:
    """The stages that the settings name, then `more`, which stand in for those of their name. Embeddings load in the
    background."""
    from llama_mapper.adapters.mapping.neighbour_files import load_calibration

    neighbourhood = Neighbourhood()
    running = RunningStages(neighbourhood)
    slots: list[StageSlot] = []
    replaced = {slot.stage.stage.value for slot in more}
    is_remote = settings.mapping_embeddings == "triton"
    async with AsyncExitStack() as kept:
        for name in settings.mapping_stages:
            if name in replaced:
                continue
            if name == "lexical":
                slots.append(StageSlot(DeferredStage(MappingStage.LEXICAL, neighbourhood.lexical)))
            elif not (is_remote and settings.mapping_offline):
                stage = await kept.enter_async_context(kept_embedding(settings, neighbourhood.embedding))
                running.kept.append(stage)
                slots.append(StageSlot(stage, remote=is_remote))
        slots += [slot for slot in more if not (slot.remote and settings.mapping_offline)]
        if slots:
            running.cascade = Cascade(
                slots,
                load_calibration(settings.mapping_calibration),
                catalogue.labels.keys(),
                neighbourhood.known_of,
                metrics,
                CascadeTerms(
                    strategy=MappingStrategy(settings.mapping_strategy),
                    threshold=settings.mapping_threshold,
                    timeout_s=settings.mapping_stage_timeout_ms / 1000.0,
                ),
            )
        yield running


def cascade_trials(settings: Settings, *, lexicon: bool = True) -> dict[str, CascadeTrial]:
    """The stages and their combination as methods to evaluate, by name; embeddings where their weights are there.

    `lexicon` says whether the shipped synonyms take part, whose author had seen the vocabularies.
    """
    from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
    from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
    from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial
    from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
    from llama_mapper.domain.mapping.neighbours.lexical import LexicalStage
    from llama_mapper.domain.mapping.neighbours.references import NO_LEXICON, references_of
    from llama_mapper.domain.mapping.neighbours.remembering import RememberingEmbeddings

    neighbourhood = Neighbourhood()
    words = neighbourhood.lexicon if lexicon else NO_LEXICON
    categories = sum(len(domain["categories"]) for domain in neighbourhood.raw.taxonomy["domains"])
    try:
        embeddings = RememberingEmbeddings(MiniLmEmbeddings(embedding_weights(settings)))
    except ConfigurationError:
        embeddings = None

    def trial(name: str, stages: Sequence[MappingStage], *, company: bool) -> CascadeTrial:
        async def make(known: Sequence[KnownLabel]) -> Sequence[CandidateStage]:
            references = references_of(known, neighbourhood.raw.taxonomy, words)
            made: list[CandidateStage] = []
            if MappingStage.LEXICAL in stages:
                made.append(LexicalStage(references, words))
            if MappingStage.EMBEDDING in stages and embeddings is not None:
                stage = EmbeddingStage(embeddings, NumpyVectorIndex(), references, words)
                await stage.prepare()
                made.append(stage)
            return made

        unrelated = neighbourhood.lexicon.unrelated
        return CascadeTrial(name, make, neighbourhood.families, categories, company=company, unrelated=unrelated)

    both = (MappingStage.LEXICAL, MappingStage.EMBEDDING)
    trials = {"lexical": trial("lexical", both[:1], company=False)}
    if embeddings is None:
        return {**trials, "cascade": trial("cascade", both[:1], company=True)}
    return {
        **trials,
        "embedding": trial("embedding", both[1:], company=False),
        "cascade-lexical": trial("cascade-lexical", both[:1], company=True),
        "cascade": trial("cascade", both, company=True),
    }
