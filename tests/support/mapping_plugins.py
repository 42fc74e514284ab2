"""Plugins of the mapping context, good or bad in one way each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.validation import ValidationFault
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault, Prompt
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.plugins import MappingPlugin
from llama_mapper.domain.orchestration.plugins import Plugin

HERE = "tests.support.mapping_plugins"


class Constant:
    """A stage that has one idea."""

    version = "constant-1"

    def __init__(self, canonical: str, stage: MappingStage = MappingStage.LEXICAL) -> None:
        self.canonical = canonical
        self.stage = stage

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        """The same for every label."""
        return [Ranking((Candidate(self.canonical, 1.0),)) for _ in labels]


class Parrot:
    """A model that repeats."""

    def __init__(self, name: str = "parrot/one") -> None:
        self.name = name

    async def model_version(self) -> str:
        """One."""
        return "1"

    async def unready(self) -> GenerationFault | None:
        """Always ready."""
        return None

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        """What was said."""
        return [Generated(prompt.user, 1, 1) for prompt in prompts]

    async def stream(self, prompt: Prompt, *, within_s: float) -> AsyncIterator[str]:
        """What was said, at once."""
        yield prompt.user

    async def close(self) -> None:
        """Nothing is held."""


def no_faults(value: Contract, catalogue: CatalogueView) -> Iterator[ValidationFault]:
    """Nothing is wrong."""
    return iter(())


whole = MappingPlugin(
    name="whole",
    version="1",
    api=(1, 1),
    settings=dict,
    stages=lambda settings: [Constant(settings["canonical"])],
    fallbacks=lambda settings: [Constant(settings["canonical"])],
    generations=lambda _: [Parrot()],
    checks=lambda _: [no_faults],
)
parrot = MappingPlugin(name="parrot", version="1", api=(1, 1), generations=lambda _: [Parrot()])
twin = MappingPlugin(name="twin", version="1", api=(1, 1), generations=lambda _: [Parrot()])
nameless = MappingPlugin(name="nameless", version="1", api=(1, 1), generations=lambda _: [Parrot("no name at all")])
sure = MappingPlugin(
    name="sure",
    version="1",
    api=(1, 1),
    stages=lambda _: [Constant("pii.health_records", MappingStage.CATALOGUE_EXACT)],
)
_NO_FUNCTIONS: list[Any] = ["no function"]
uncallable = MappingPlugin(name="uncallable", version="1", api=(1, 1), checks=lambda _: _NO_FUNCTIONS)
detecting = Plugin(name="detecting", version="1", api=(1, 1), detectors=lambda _: [])
