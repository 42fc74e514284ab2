"""Opening the API keys alone, for the commands that manage them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from llama_mapper.domain.kernel.credentials import ApiKeys
from llama_mapper.entrypoints.containers.databases import open_database
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True)
class Identity:
    """The key records and the secret under which they are hashed."""

    keys: ApiKeys
    pepper: bytes


@asynccontextmanager
async def open_api_keys(settings: Settings) -> AsyncIterator[Identity]:
    """The installation's API keys."""
    container = PlatformContainer(settings=settings)
    async with open_database(container.database()):
        yield Identity(container.api_keys(), container.pepper())
