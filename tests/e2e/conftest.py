"""Servers that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import Server, serving, serving_split


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The monolith with embedded defaults, at the most talkative log level."""
    with serving(tmp_path_factory.mktemp("monolith"), LLAMA_MAPPER_LOG_LEVEL="DEBUG") as running:
        yield running


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The three contexts as three processes."""
    with serving_split(tmp_path_factory.mktemp("split"), LLAMA_MAPPER_LOG_LEVEL="DEBUG") as running:
        yield running
