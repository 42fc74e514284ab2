"""Mapping: a batch of 1,000 mixed labels by each strategy, and what the cascade costs beside its stages.

Of ten labels six are in the catalogue, three are unknown and like known ones, one is nonsense. Unknown labels
are never asked twice, since rankings are remembered. Every figure stands beside a floor taken by turns with it.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter

from bench.statistics_of import quantile, show
from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
from llama_mapper.adapters.mapping.neighbour_files import load_calibration
from llama_mapper.adapters.platform.catalogue_files import load_catalogue, load_raw_catalogue
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery, MappingStage, MappingStrategy
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.cascade.cascade import Cascade, CascadeTerms, StageSlot
from llama_mapper.domain.mapping.cascade.ports import Candidate, CandidateStage, Ranking
from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood, embedding_weights
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings

BATCH, UNKNOWN, NONSENSE, ROUNDS = 1_000, 300, 100, 3
_WORDS = ("customer", "employee", "client", "suspected", "harmful", "email", "token", "insult", "jailbreak", "address")


class Fresh:
    """Labels that nobody was asked about before."""

    def __init__(self) -> None:
        self._chosen = random.Random(7)
        self._known = [(one.key.vendor, one.key.label) for one in known_labels(load_raw_catalogue().vocabularies)]
        self._unknown, self._nonsense = self._likely(), self._odd()

    def batch(self) -> list[tuple[str, str]]:
        """Vendor and label of each label of a batch, in any order."""
        found = self._chosen.choices(self._known, k=BATCH - UNKNOWN - NONSENSE) + self.unknown()
        self._chosen.shuffle(found)
        return found

    def unknown(self) -> list[tuple[str, str]]:
        """The same of those that the catalogue does not have."""
        labels = [*islice(self._unknown, UNKNOWN), *islice(self._nonsense, NONSENSE)]
        return [("acme", label) for label in labels]

    def _likely(self) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield f"{'_'.join(self._chosen.sample(_WORDS, 2))}_{number}"

    def _odd(self) -> Iterator[str]:
        while True:
            yield "".join(self._chosen.choices("bcdfghjklmnpqrstvwxz", k=14))


class SilentModel:
    """A model that is asked late and knows nothing: what is left is the work around it."""

    stage, version = MappingStage.MODEL, "silent"

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """See `CandidateStage.rank`."""
        return [Ranking((Candidate("pii.personal_identifiers.email", 0.0),)) for _ in labels]


async def run() -> None:
    """Strategies through the service, then the cascade beside its stages."""
    fresh = Fresh()
    await _strategies(fresh)
    await _cascade(fresh)


async def _strategies(fresh: Fresh) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(data_dir=Path(folder), mapping_stage_timeout_ms=60_000)
        async with running_mapping(PlatformContainer(settings=settings)) as container:
            service = container.service()

            async def seconds(strategy: MappingStrategy) -> float:
                labels = tuple(LabelQuery(vendor=vendor, label=label) for vendor, label in fresh.batch())
                request = LabelMappingRequest(labels=labels, frameworks=("soc2",), tenant_id="local", strategy=strategy)
                began = perf_counter()
                answer = await service.map_labels(request)
                took = perf_counter() - began
                assert len(answer.mappings) == BATCH
                return took

            times = await _by_turns({each.value: partial(seconds, each) for each in MappingStrategy})
    floor = times[MappingStrategy.CATALOGUE_ONLY.value]
    for name, took in times.items():
        ratio = "the floor" if took == floor else f"{took / floor:.0f} times {MappingStrategy.CATALOGUE_ONLY.value}"
        show(f"1,000 mixed labels, {name}", f"{took * 1e3:.1f} ms", f"{BATCH / took:,.0f} labels/s", ratio)


async def _cascade(fresh: Fresh) -> None:
    neighbourhood = Neighbourhood()
    stages: list[CandidateStage] = [neighbourhood.lexical()]
    embeddings: MiniLmEmbeddings | None = None
    try:
        embeddings = MiniLmEmbeddings(embedding_weights(Settings.load()))
    except ConfigurationError as error:
        show("embedding stage", "not measured", error.message)
    else:
        prepared = neighbourhood.embedding(embeddings, None)
        await prepared.prepare()
        stages.append(prepared)
    slots = [*[StageSlot(stage) for stage in stages], StageSlot(SilentModel(), late=True)]
    terms = CascadeTerms(timeout_s=600.0)
    admissible = load_catalogue().labels.keys()
    cascade = Cascade(slots, load_calibration(), admissible, neighbourhood.known_of, terms=terms)

    def keys() -> list[LabelKey]:
        return [LabelKey(vendor, None, label) for vendor, label in fresh.unknown()]

    async def alone(asked: Sequence[CandidateStage]) -> float:
        labels = keys()
        began = perf_counter()
        await asyncio.gather(*(stage.rank(labels, within_s=600.0) for stage in asked))
        return perf_counter() - began

    async def through(strategy: MappingStrategy) -> float:
        labels = keys()
        began = perf_counter()
        await cascade.answer(labels, strategy=strategy)
        return perf_counter() - began

    together = "its stages alone"
    measured: dict[str, Callable[[], Awaitable[float]]] = {
        **{f"stage {stage.stage.value}": partial(alone, [stage]) for stage in stages},
        together: lambda: alone(stages),
        "cascade": lambda: through(MappingStrategy.CASCADE),
        "cascade, model-first": lambda: through(MappingStrategy.MODEL_FIRST),
    }
    times = await _by_turns(measured)
    for name, took in times.items():
        ratio = f"{took / times[together]:.2f} of {together}" if name.startswith("cascade") else ""
        show(f"{UNKNOWN + NONSENSE} labels never seen, {name}", f"{(UNKNOWN + NONSENSE) / took:,.0f} labels/s", ratio)
    if embeddings is not None:
        await embeddings.close()


async def _by_turns(measured: dict[str, Callable[[], Awaitable[float]]]) -> dict[str, float]:
    """The median seconds of each, after one round that does not count."""
    samples: dict[str, list[float]] = {name: [] for name in measured}
    for turn in range(ROUNDS + 1):
        for name, measure in measured.items():
            took = await measure()
            if turn:
                samples[name].append(took)
    return {name: quantile(found, 0.5) for name, found in samples.items()}
