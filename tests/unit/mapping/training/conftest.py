from __future__ import annotations

from dataclasses import replace

import pytest

from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.training.dataset import DataSet, Recipe
from llama_mapper.domain.mapping.training.knowledge import Knowledge, knowledge_of
from llama_mapper.domain.mapping.training.mapper_data import build_mapper_data

SOME = ("openai_moderation", "presidio", "llm_guard", "aws_comprehend_pii", "perspective", "detoxify", "shieldgemma")


@pytest.fixture(scope="session")
def knowledge(shipped: RawCatalogue) -> Knowledge:
    """All that the shipped catalogue knows."""
    return knowledge_of(shipped)


@pytest.fixture(scope="session")
def little(knowledge: Knowledge) -> Knowledge:
    """A few vendors of it, for properties."""
    return replace(knowledge, labels=tuple(label for label in knowledge.labels if label.key.vendor in SOME))


@pytest.fixture(scope="session")
def data(knowledge: Knowledge) -> DataSet:
    """The data set of the default recipe."""
    return build_mapper_data(knowledge, Recipe(), code_version="1.2.3")
