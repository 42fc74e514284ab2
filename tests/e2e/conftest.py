"""Servers that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llama_mapper.domain.kernel.credentials import issue_key
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.containers.identity import open_api_keys
from llama_mapper.entrypoints.settings import Settings
from tests.support.loops import LoopThread
from tests.support.postgres import PostgresDatabase, fresh_database
from tests.support.servers import Server, run_cli, serving, serving_split


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> Iterator[PostgresDatabase]:
    """A database for each module: it migrates for itself."""
    yield from fresh_database(postgres_server)


LINK_SECRET = "only the three services know this"
FEW_DETECTORS = "violence,secret_phrases"  # the quickest to load


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The monolith with embedded defaults, at the most talkative log level."""
    with serving(tmp_path_factory.mktemp("monolith"), LLAMA_MAPPER_LOG_LEVEL="DEBUG") as running:
        yield running


@pytest.fixture(scope="package")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The three contexts as three processes."""
    settings = {"LLAMA_MAPPER_LOG_LEVEL": "DEBUG", "LLAMA_MAPPER_LINK_SECRET": LINK_SECRET}
    with serving_split(tmp_path_factory.mktemp("split"), **settings) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that listens to everyone, and keys of two tenants."""

    server: Server
    alpha: str
    alpha_reads: str
    beta: str


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The monolith with API keys, open to the network."""
    folder = tmp_path_factory.mktemp("guarded")
    data_dir = folder / "data"
    alpha = created_key(data_dir, "tenant-alpha", "--name", "alpha's gateway")
    alpha_reads = issued_key(data_dir, "tenant-alpha", Scope.READ)
    beta = issued_key(data_dir, "tenant-beta", Scope.ASSESS, Scope.READ)
    with serving(folder, "--host", "0.0.0.0", LLAMA_MAPPER_DETECTORS=FEW_DETECTORS) as server:
        yield Guarded(server, alpha, alpha_reads, beta)


def created_key(data_dir: Path, tenant: str, *arguments: str) -> str:
    """A fresh API key, made by the command."""
    made = run_cli("keys", "create", "--tenant", tenant, *arguments, "--data-dir", data_dir)
    assert made.returncode == 0, made.stderr
    return made.stdout.decode().strip()


def issued_key(
    data_dir: Path, tenant: str, *scopes: Scope, expires_at: datetime | None = None, name: str = "for a test"
) -> str:
    """The same without the command, for what the command refuses to make, and quickly."""
    settings = Settings.load(data_dir=data_dir)

    async def issue() -> str:
        async with open_api_keys(settings) as identity:
            key, record = issue_key(
                identity.pepper,
                name=name,
                tenant_id=tenant,
                scopes=frozenset(scopes),
                created_at=datetime.now(UTC),
                expires_at=expires_at,
            )
            await identity.keys.add(record)
            return key

    loop = LoopThread()
    try:
        return loop.run(issue())
    finally:
        loop.close()
