"""The stages after the catalogue, and their combination, as methods of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.evaluation.ports import SubjectAnswer
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.cascade.subjects import CascadeTrial
    from llama_mapper.entrypoints.containers.models_on_test import ModelTrials
    from llama_mapper.entrypoints.settings import Settings

Trials = Callable[[bool], "dict[str, CascadeTrial]"]
"""Methods by name, with or without the shipped synonyms; made once, so that they share what they remember."""

WITHOUT_SYNONYMS = "-without-synonyms"
TRIED = ("lexical", "embedding", "cascade-lexical", "cascade")
ASKS_MODEL = ("model", "model-shortlist", "cascade-model")
"""Methods that cost money or time: they run where they are named, and with a model."""


def asks_model(name: str) -> bool:
    """Whether the method called `name` asks a language model."""
    return name.removesuffix(WITHOUT_SYNONYMS) in ASKS_MODEL


def trials_of(settings: Settings, models: ModelTrials | None = None) -> Trials:
    """The methods that can run here; with a model where there is one."""
    from llama_mapper.entrypoints.containers.mapping_stages import cascade_trials

    def made(lexicon: bool) -> dict[str, CascadeTrial]:
        asking = {} if models is None else models.named(lexicon=lexicon)
        return {**cascade_trials(settings, lexicon=lexicon), **asking}

    return cache(made)


class TriedSubject:
    """Keeps `Subject` over one of them."""

    def __init__(self, name: str, trial: CascadeTrial) -> None:
        self.name = name
        self._trial = trial

    @property
    def version(self) -> str:
        """What exactly was asked, of a method that asks a model."""
        return self._trial.version

    async def fit(self, known: Sequence[KnownLabel], seed: int) -> None:
        """Forget everything; know these labels."""
        await self._trial.fit(known, seed)

    async def answer(self, labels: Sequence[LabelKey]) -> Sequence[SubjectAnswer]:
        """One answer a label, in order, before any threshold."""
        return [
            SubjectAnswer(
                canonical=tried.canonical,
                confidence=tried.confidence,
                stage=tried.judgement.stage,
                prompt_tokens=tried.prompt_tokens,
                completion_tokens=tried.completion_tokens,
                suggestions=tried.suggestions,
                id_confidence=tried.judgement.subcategory_confidence,
            )
            for tried in await self._trial.answer(labels)
        ]


def tried_subject(name: str, trials: Trials) -> TriedSubject:
    """The method called `name`; raise `CONFIGURATION_INVALID` if it cannot run here."""
    found = trials(not name.endswith(WITHOUT_SYNONYMS)).get(name.removesuffix(WITHOUT_SYNONYMS))
    if found is None:
        raise ConfigurationError(
            f"the strategy '{name}' needs the weights of an embedding model: set mapping_embedding_model"
        )
    return TriedSubject(name, found)
