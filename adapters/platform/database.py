"""One context's relational database: SQLite in a file, or a schema of a PostgreSQL server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from llama_mapper.adapters.platform.database_errors import translate
from llama_mapper.adapters.platform.prompt_sqlite import PromptSqlite
from llama_mapper.domain.kernel.errors import ConfigurationError, StoreError
from llama_mapper.domain.kernel.trace import SpanKind
from llama_mapper.domain.kernel.tracing import Step, step

TENANT_SETTING = "llama_mapper.tenant"
"""The PostgreSQL setting that row-level security compares a row's `tenant_id` with."""

_CHECKPOINT_INTERVAL_S = 0.25
_CHECKPOINT_BACKSTOP_PAGES = 16_384  # 64 MiB of log

_ACT_FOR = text(f"SELECT set_config('{TENANT_SETTING}', :tenant, true)")
_BYPASSES = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")


class Database:
    """Connections to one context's database, and their errors in the kernel's words.

    `location` is a folder, in which the context has the file `<context>.db`, or a `postgresql://` URL, on which it
    has the schema `<context>`. `synchronous` is SQLite's: `NORMAL` keeps what was acknowledged through a crash of the
    process, and what is older than about a second through a loss of power; `FULL` keeps all through both.
    `lock_timeout_s` is how long to wait for another process that writes the file, or for a free connection.
    On PostgreSQL, `open` refuses a role that row-level security does not bind (`CONFIGURATION_INVALID`), unless
    `unbound_role` permits it, for migrations. Every method raises `STORE_UNAVAILABLE` if the database cannot be used.
    """

    def __init__(
        self,
        location: str | Path,
        context: str,
        *,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        lock_timeout_s: float = 5.0,
        pool_size: int = 8,
        unbound_role: bool = False,
    ) -> None:
        self.context = context
        self.url = _url(location, context)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._synchronous = synchronous
        self._lock_timeout_s = lock_timeout_s
        self._pool_size = pool_size
        self._unbound_role = unbound_role
        self._readers: AsyncEngine | None = None
        self._writers: AsyncEngine | None = None
        self._direct: AsyncConnection | None = None
        self._statements: Any = None
        self._prompt: PromptSqlite | None = None
        self._log_begins_anew = False
        self._changes = 0
        self._checkpoints: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; for SQLite, create the folder and the file (readable by this user alone) if they are missing."""
        if self._readers is not None:
            return
        with _translated():
            engine = self._sqlite_engine() if self.is_sqlite else self._postgres_engine()
        self._readers, self._writers = engine, engine.execution_options(begin="BEGIN IMMEDIATE")
        try:
            if self.is_sqlite:
                with _translated():
                    self._direct = await engine.connect()
                    self._statements = (await self._direct.get_raw_connection()).driver_connection
                    if self._synchronous == "NORMAL":  # to wait for the disk is nothing for the event loop's thread
                        self._prompt = PromptSqlite(Path(self.url.database or ""))
                self._checkpoints = asyncio.create_task(self._checkpoint_regularly(engine))
            elif not self._unbound_role:
                await self._require_bound_role()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was begun and disconnect; closing twice is harmless."""
        engine, direct, checkpoints = self._readers, self._direct, self._checkpoints
        prompt = self._prompt
        self._readers = self._writers = self._direct = self._statements = self._checkpoints = self._prompt = None
        if checkpoints is not None:
            checkpoints.cancel()
            await asyncio.wait([checkpoints])
        if prompt is not None:
            prompt.close()
        if direct is not None:
            await direct.close()
        if engine is not None:
            await engine.dispose()

    async def ping(self) -> None:
        """Return if the database answers."""
        if self.is_sqlite:
            await self.sqlite_rows("SELECT 1")
            return
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def reading(self, tenant_id: str | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction to read in, on behalf of a tenant; without one, no tenant's rows are visible on PostgreSQL."""
        async with self._transaction(self._readers, tenant_id) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, tenant_id: str | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction to write in: committed at the end of the block, undone if the block raises."""
        with self.step("write"):
            async with self._transaction(self._writers, tenant_id) as connection:
                yield connection
        self._changes += 1

    def step(self, operation: str, table: str | None = None) -> Step:
        """A step of the current trace, named as OpenTelemetry names what is asked of a database."""
        at = step(operation, table or self.context, SpanKind.CLIENT)
        if at:
            at.set({"db.system.name": "sqlite" if self.is_sqlite else "postgresql", "db.namespace": self.context})
            at.set({"db.operation.name": operation} if table is None else _on(operation, table))
        return at

    async def act_for(self, connection: AsyncConnection, tenant_id: str) -> None:
        """Turn the rest of the transaction, or what follows until the next call, to a tenant's rows."""
        if not self.is_sqlite:
            await connection.execute(_ACT_FOR, {"tenant": tenant_id})

    async def sqlite_rows(self, statement: str, parameters: Iterable[Any] = ()) -> list[Sequence[Any]]:
        """Run one SQLite statement as a transaction of its own and return its rows.

        It takes a single hop to the connection's thread, an eighth of the time of a transaction by SQLAlchemy;
        statements run one after another in the order of the calls.
        """
        with _translated():
            if self._statements is None:
                raise StoreError("the database is not open")
            rows = list(await self._statements.execute_fetchall(statement, parameters))
        self._changes += 1
        return rows

    def sqlite_write_now(self, statement: str, rows: Sequence[Sequence[Any]]) -> list[int] | None:
        """Run one writing statement for each of `rows` as one transaction, in the event loop's thread; return how many
        rows each changed.

        For statements that take some ten microseconds. None if nothing was done, for whatever reason: `sqlite_rows`
        then does it or says why not.
        """
        if self._log_begins_anew:  # the first commit then synchronises the log's header: a thread may wait for that
            self._log_begins_anew = False
            return None
        changed = None if self._prompt is None else self._prompt.write(statement, rows)
        if changed is not None:
            self._changes += 1
        return changed

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine | None, tenant_id: str | None) -> AsyncIterator[AsyncConnection]:
        if engine is None:
            raise StoreError("the database is not open")
        with _translated():
            async with engine.begin() as connection:
                if tenant_id is not None:
                    await self.act_for(connection, tenant_id)
                yield connection

    async def _checkpoint_regularly(self, engine: AsyncEngine) -> None:
        # SQLite would copy the log into the file, and sync both, on some writer's time: 5 to 30 ms for whoever it hits.
        done = 0
        while True:
            await asyncio.sleep(_CHECKPOINT_INTERVAL_S)
            if done == self._changes:
                continue
            done = self._changes
            # A checkpoint that fails loses nothing, and the next one makes up for it.
            with contextlib.suppress(StoreError), _translated():
                async with engine.connect() as connection:
                    statements: Any = (await connection.get_raw_connection()).driver_connection
                    (_, pages, copied), *_ = await statements.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
                    if pages >= _CHECKPOINT_BACKSTOP_PAGES:
                        # Writers who never pause let the log grow. Hold them up for the little that is left to copy,
                        # so that the next one begins the log anew.
                        (_, pages, copied), *_ = await statements.execute_fetchall("PRAGMA wal_checkpoint(RESTART)")
                    self._log_begins_anew = pages == copied

    def _sqlite_engine(self) -> AsyncEngine:
        path = Path(self.url.database or "")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        engine = create_async_engine(self.url, hide_parameters=True, pool_size=self._pool_size, max_overflow=0)
        settings = f"""
            PRAGMA busy_timeout = {int(self._lock_timeout_s * 1000)};
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = {self._synchronous};
            PRAGMA wal_autocheckpoint = {_CHECKPOINT_BACKSTOP_PAGES};
            PRAGMA foreign_keys = ON;
        """

        def prepare(connection: Any, _: object) -> None:
            # The driver's own transactions neither cover DDL nor take the write lock early: begin them ourselves.
            connection.isolation_level = None
            connection.run_async(lambda driver: self._configure(driver, settings))

        def begin(connection: Connection) -> None:
            connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

        event.listen(engine.sync_engine, "connect", prepare)
        event.listen(engine.sync_engine, "begin", begin)
        return engine

    async def _configure(self, driver: Any, settings: str) -> None:
        # Two connections that switch a new file to WAL at once do not wait for each other: SQLite refuses one.
        until = monotonic() + self._lock_timeout_s
        while True:
            try:
                await driver.executescript(settings)
            except sqlite3.OperationalError:
                if monotonic() > until:
                    raise
                await asyncio.sleep(0.01)
            else:
                return

    def _postgres_engine(self) -> AsyncEngine:
        settings = {"search_path": self.context, "application_name": f"llama-mapper/{self.context}"}
        return create_async_engine(
            self.url,
            hide_parameters=True,
            pool_size=self._pool_size,
            max_overflow=0,
            pool_timeout=self._lock_timeout_s,
            connect_args={"timeout": 5.0, "command_timeout": 60.0, "server_settings": settings},
        )

    async def _require_bound_role(self) -> None:
        async with self.reading() as connection:
            if await connection.scalar(_BYPASSES):
                raise ConfigurationError(
                    "the database role is a superuser or bypasses row-level security; tenants would not be isolated"
                )


def _on(operation: str, table: str) -> dict[str, str]:
    return {"db.operation.name": operation, "db.collection.name": table}


class _translated:
    """Turns a driver's error that leaves the block into the store's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and (translated := translate(error)) is not None:
            raise translated


def _url(location: str | Path, context: str) -> URL:
    if isinstance(location, Path) or "://" not in location:
        return URL.create("sqlite+aiosqlite", database=str(Path(location) / f"{context}.db"))
    url = make_url(location)
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError("a database is a folder or a postgresql:// URL")
    return url.set(drivername="postgresql+asyncpg")
