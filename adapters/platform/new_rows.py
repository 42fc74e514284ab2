"""Inserting rows that are not there yet, by the shortest way each database has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.platform.database import Database

_PARAMETER_LIMIT = 32_000  # SQLite takes 32,766 parameters in a statement


class NewRows:
    """Adds rows to a tenant-owned table; a row whose primary key is taken is left out.

    A row is a tuple in the order of the table's columns, of which the first two are the tenant and the row's key.
    """

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._names = [column.name for column in table.columns]
        dialect = sqlite.dialect()
        key = tuple(table.columns)[:2]
        self._one_row = str(sqlite.insert(table).on_conflict_do_nothing().compile(dialect=dialect))
        self._to_sqlite = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
        self._values = "(" + ", ".join("?" * len(self._names)) + ")"
        self._before, self._after = self._one_row.split(self._values)
        self._returning = f" RETURNING {', '.join(column.name for column in key)}"
        self._insert = postgresql.insert(table).on_conflict_do_nothing().returning(*key)

    async def insert(self, rows: list[tuple[Any, ...]]) -> set[tuple[str, str]]:
        """Add the rows in one transaction; return tenant and key of those that were new."""
        if self._fits(rows):
            added = await self._database.sqlite_rows(*self._statement(rows, self._returning))
            return {(tenant, key) for tenant, key in added}
        return await self._insert_in_transaction(rows)

    async def add(self, rows: list[tuple[Any, ...]]) -> None:
        """Add the rows in one transaction, without telling which were new.

        For SQLite that is much less: the driver lets go of the interpreter and takes it back for each row returned.
        """
        if self._fits(rows):
            await self._database.sqlite_rows(*self._statement(rows))
        else:
            await self._insert_in_transaction(rows)

    def insert_now(self, rows: Sequence[Sequence[Any]]) -> list[bool] | None:
        """Add rows, as `bound` gives them, at once and in one transaction, on SQLite alone; tell which were new.

        None if that cannot be without waiting, or one of them is refused: nothing was added, and `insert` is the way.
        """
        added = self._database.sqlite_write_now(self._one_row, rows)
        return None if added is None else [changed == 1 for changed in added]

    def bound(self, row: tuple[Any, ...]) -> list[Any]:
        """The row as SQLite's driver takes it."""
        return [
            value if to_sqlite is None else to_sqlite(value)
            for value, to_sqlite in zip(row, self._to_sqlite, strict=True)
        ]

    def _fits(self, rows: list[tuple[Any, ...]]) -> bool:
        return self._database.is_sqlite and len(rows) * len(self._names) <= _PARAMETER_LIMIT

    def _statement(self, rows: list[tuple[Any, ...]], ending: str = "") -> tuple[str, list[Any]]:
        statement = self._before + ", ".join([self._values] * len(rows)) + self._after + ending
        return statement, [value for row in rows for value in self.bound(row)]

    async def _insert_in_transaction(self, rows: Sequence[tuple[Any, ...]]) -> set[tuple[str, str]]:
        added: set[tuple[str, str]] = set()
        async with self._database.writing() as connection:
            # In one order for everybody, so that two transactions with the same keys cannot block each other.
            for tenant, group in groupby(sorted(rows, key=itemgetter(0, 1)), key=itemgetter(0)):
                await self._database.act_for(connection, tenant)
                named = [dict(zip(self._names, row, strict=True)) for row in group]
                result = await connection.execute(self._insert, named)
                added.update((tenant, key) for tenant, key in result)
        return added
