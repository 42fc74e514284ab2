"""Vector search in PostgreSQL with pgvector, for installations whose processes should compute the vectors once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import TextClause, text

from llama_mapper.adapters.mapping.pgvector_table import VECTOR_PLACE
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ServiceError, StoreError
from llama_mapper.domain.mapping.neighbours.ports import Neighbour, Vector

KEPT = 8
"""Versions that are kept: those of processes that run an older release or another model, and of the way back."""

_TURN_POLL_S = 0.25
_TRY_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('llama_mapper.neighbour_vectors.turn'))")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('llama_mapper.neighbour_vectors.replace'))")
_HOLDS = text("SELECT EXISTS (SELECT 1 FROM neighbour_vectors WHERE version = :version)")
_FORGET = text("DELETE FROM neighbour_vectors WHERE version = :version")
_FORGET_OLD = text(
    "DELETE FROM neighbour_vectors WHERE version NOT IN "
    "(SELECT version FROM neighbour_vectors WHERE number = 0 ORDER BY made_at DESC, version LIMIT :kept)"
)
_INSERT = (
    "INSERT INTO neighbour_vectors (version, number, embedding, made_at) "
    "SELECT :version, listed.number - 1, listed.vector::SCHEMA.vector, clock_timestamp() "
    "FROM unnest(CAST(:vectors AS text[])) WITH ORDINALITY AS listed (vector, number)"
)
# <#> is the negative scalar product, which for unit vectors is the negative cosine. The queries are materialised, or
# their texts would be read again for every row.
_NEAREST = (
    "WITH asked AS MATERIALIZED (SELECT listed.place, listed.vector::SCHEMA.vector AS vector "
    "FROM unnest(CAST(:queries AS text[])) WITH ORDINALITY AS listed (vector, place)) "
    "SELECT asked.place, near.number, near.cosine FROM asked CROSS JOIN LATERAL ("
    "SELECT number, -(embedding OPERATOR(SCHEMA.<#>) asked.vector) AS cosine FROM neighbour_vectors "
    "WHERE version = :version ORDER BY embedding OPERATOR(SCHEMA.<#>) asked.vector, number LIMIT :limit"
    ") AS near ORDER BY asked.place, near.cosine DESC, near.number"
)


@dataclass(frozen=True, slots=True)
class _Statements:
    """Those that name the extension's type, which may be in any schema: `schema` is quoted."""

    insert: TextClause
    nearest: TextClause

    @classmethod
    def of(cls, schema: str) -> _Statements:
        return cls(*(text(statement.replace("SCHEMA", schema)) for statement in (_INSERT, _NEAREST)))


class PgvectorIndex:
    """Keeps `VectorIndex`' promise on the mapping schema; the newest 8 versions stay, for other processes.

    The database is opened when it is first needed. Raises `CONFIGURATION_INVALID` where pgvector or the table is
    missing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements: _Statements | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One process at a time; a process that dies loses its turn with its connection."""
        await self._ready()
        over = False
        while not over:
            try:
                async with self._database.writing() as connection:
                    if await connection.scalar(_TRY_TURN):
                        yield
                        over = True
            except StoreError:
                if not over:
                    raise
                return  # the turn's own connection broke after all was done
            if not over:
                await asyncio.sleep(_TURN_POLL_S)

    async def holds(self, version: str) -> bool:
        """Whether the vectors of this version are in the table: they come in all at once."""
        await self._ready()
        async with self._database.reading() as connection:
            return bool((await connection.execute(_HOLDS, {"version": version})).scalar())

    async def replace(self, version: str, vectors: Sequence[Vector]) -> None:
        """Hold these vectors under this version, in one transaction."""
        statements = await self._ready()
        async with self._database.writing() as connection:
            await connection.execute(_LOCK)
            await connection.execute(_FORGET, {"version": version})
            listed = [_plain(vector) for vector in vectors]
            await connection.execute(statements.insert, {"version": version, "vectors": listed})
            await connection.execute(_FORGET_OLD, {"kept": KEPT})

    async def nearest(
        self, version: str, queries: Sequence[Vector], limit: int, *, within_s: float
    ) -> Sequence[Sequence[Neighbour]]:
        """For each query the `limit` nearest vectors, best first, then by number."""
        found: list[list[Neighbour]] = [[] for _ in queries]
        asked = {"version": version, "queries": [_plain(query) for query in queries], "limit": limit}
        try:
            async with asyncio.timeout(within_s):
                statements = await self._ready()
                async with self._database.reading() as connection:
                    for place, number, cosine in await connection.execute(statements.nearest, asked):
                        found[place - 1].append(Neighbour(number, cosine))
        except TimeoutError as error:
            raise ServiceError("the vector search took too long", ErrorCode.REQUEST_TIMEOUT, True) from error
        return found

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    async def _ready(self) -> _Statements:
        if self._statements is None:
            await self._database.open()
            async with self._database.reading() as connection:
                has_table, schema = (await connection.execute(VECTOR_PLACE)).one()
            if schema is None:
                raise ConfigurationError(
                    "PostgreSQL has no extension pgvector in this database: install it there and run 'llama-mapper db "
                    "migrate', or set mapping_vectors to memory"
                )
            if not has_table:
                raise ConfigurationError("the mapping schema has no table for vectors: run 'llama-mapper db migrate'")
            self._statements = _Statements.of(schema)
        return self._statements


def _plain(vector: Vector) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"
