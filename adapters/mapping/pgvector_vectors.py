"""Vector search in PostgreSQL with pgvector, for installations whose processes should compute the vectors once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import text

from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.mapping.neighbours.ports import Neighbour, Vector

_HOLDS = text("SELECT EXISTS (SELECT 1 FROM neighbour_vectors WHERE version = :version)")
_FORGET = text("DELETE FROM neighbour_vectors WHERE version = :version")
_INSERT = text(
    "INSERT INTO neighbour_vectors (version, number, embedding) "
    "SELECT :version, listed.number - 1, listed.vector::public.vector "
    "FROM unnest(CAST(:vectors AS text[])) WITH ORDINALITY AS listed (vector, number)"
)
# <#> is the negative scalar product, which for unit vectors is the negative cosine.
_NEAREST = text(
    "SELECT asked.place, near.number, near.cosine "
    "FROM unnest(CAST(:queries AS text[])) WITH ORDINALITY AS asked (vector, place) "
    "CROSS JOIN LATERAL ("
    "SELECT number, -(embedding OPERATOR(public.<#>) asked.vector::public.vector) AS cosine FROM neighbour_vectors "
    "WHERE version = :version ORDER BY embedding OPERATOR(public.<#>) asked.vector::public.vector, number LIMIT :limit"
    ") AS near ORDER BY asked.place, near.cosine DESC, near.number"
)


def vector_table(dimensions: int) -> tuple[str, ...]:
    """The statements that make the table in the mapping schema, for its owner; the extension needs a superuser's right
    where it is not trusted. The vectors are of shipped texts and belong to no tenant."""
    return (
        "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public",
        "CREATE TABLE IF NOT EXISTS neighbour_vectors (version text NOT NULL, number integer NOT NULL, "
        f"embedding public.vector({int(dimensions)}) NOT NULL, PRIMARY KEY (version, number))",
    )


class PgvectorIndex:
    """Keeps `VectorIndex`' promise on the mapping context's database; versions of other processes stay."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holds(self, version: str) -> bool:
        """Whether the vectors of this version are in the table: they come in all at once."""
        async with self._database.reading() as connection:
            return bool((await connection.execute(_HOLDS, {"version": version})).scalar())

    async def replace(self, version: str, vectors: Sequence[Vector]) -> None:
        """Hold these vectors under this version, in one transaction."""
        async with self._database.writing() as connection:
            await connection.execute(_FORGET, {"version": version})
            await connection.execute(_INSERT, {"version": version, "vectors": [_plain(vector) for vector in vectors]})

    async def nearest(
        self, version: str, queries: Sequence[Vector], limit: int, *, within_s: float
    ) -> Sequence[Sequence[Neighbour]]:
        """For each query the `limit` nearest vectors, best first, then by number."""
        found: list[list[Neighbour]] = [[] for _ in queries]
        asked = {"version": version, "queries": [_plain(query) for query in queries], "limit": limit}
        try:
            async with asyncio.timeout(within_s), self._database.reading() as connection:
                for place, number, cosine in await connection.execute(_NEAREST, asked):
                    found[place - 1].append(Neighbour(number, cosine))
        except TimeoutError as error:
            raise ServiceError("the vector search took too long", ErrorCode.REQUEST_TIMEOUT, True) from error
        return found


def _plain(vector: Vector) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"
