"""What a plugin of this context is: an object that an installed package names, and that says what it brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.kernel.plugins import BasePlugin
from llama_mapper.domain.mapping.cascade.ports import CandidateStage
from llama_mapper.domain.mapping.generation.ports import Generation
from llama_mapper.domain.mapping.validation.validator import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingPlugin(BasePlugin):
    """A plugin that adds to mapping. All makers are optional and called once, at start.

    - `stages` gives ways to map labels that the catalogue does not know, asked in their order before any model;
    - `fallbacks` gives the same, asked last, for what everything before left open;
    - `generations` gives language models, which the setting `generation` may name;
    - `checks` gives further checks of documents.
    """

    stages: Callable[[Any], Sequence[CandidateStage]] | None = None
    fallbacks: Callable[[Any], Sequence[CandidateStage]] | None = None
    generations: Callable[[Any], Sequence[Generation]] | None = None
    checks: Callable[[Any], Sequence[Check]] | None = None
