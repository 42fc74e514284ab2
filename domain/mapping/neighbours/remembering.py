"""Embeddings that are computed once for each text, for work that asks for the same texts many times."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.mapping.neighbours.ports import Embeddings, Vector


class RememberingEmbeddings:
    """Keeps `Embeddings`' promise over another one, and every vector in memory for as long as it lives."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._vectors: dict[str, Vector] = {}

    @property
    def version(self) -> str:
        """The model and its weights."""
        return self._embeddings.version

    @property
    def dimensions(self) -> int:
        """Numbers a vector has."""
        return self._embeddings.dimensions

    async def current_version(self) -> str:
        """The version as it is now."""
        return await self._embeddings.current_version()

    async def close(self) -> None:
        """Close the other one and forget."""
        self._vectors.clear()
        await self._embeddings.close()

    async def embed(self, texts: Sequence[str], *, within_s: float) -> Sequence[Vector]:
        """One unit vector a text, in order."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if missing:
            vectors = await self._embeddings.embed(missing, within_s=within_s)
            self._vectors.update(zip(missing, vectors, strict=True))
        return [self._vectors[text] for text in texts]
