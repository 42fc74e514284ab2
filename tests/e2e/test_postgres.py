"""The product on a real PostgreSQL: migrated by its owner, served by a role that row-level security binds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.e2e.conftest import FEW_DETECTORS
from tests.support.loops import LoopThread
from tests.support.postgres import APPLICATION, PostgresDatabase
from tests.support.servers import Server, run_cli, serving

CONTEXTS = ["platform", "orchestration", "analysis", "mapping", "assessment"]
TEXT = {"content": "I will kill you tonight."}


def migrated(owner: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, output and errors of `llama-mapper db migrate`."""
    run = run_cli("db", "migrate", *arguments, environment={"LLAMA_MAPPER_DATABASE_OWNER_URL": owner} | environment)
    return run.returncode, run.stdout.decode(), run.stderr.decode()


def other_database(url: str) -> str:
    """The same server and role, another database, which nobody migrated."""
    return make_url(url).set(database="postgres").render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def prepared(postgres: PostgresDatabase) -> PostgresDatabase:
    """The database after `db migrate` by its owner."""
    status, printed, errors = migrated(postgres.owner_url, "--app-role", APPLICATION)
    assert (status, errors) == (0, "")
    lines = printed.splitlines()
    assert [line.split(":")[0] for line in lines] == CONTEXTS
    assert all(line.endswith(" (migrated)") for line in lines)
    return postgres


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("on-postgres")


@pytest.fixture(scope="module")
def keys(prepared: PostgresDatabase, folder: Path) -> dict[str, str]:
    """A key of each of two tenants, made by the command, kept in the database."""
    made = {}
    for tenant in ("tenant-alpha", "tenant-beta"):
        run = run_cli(
            *("keys", "create", "--tenant", tenant, "--data-dir", folder / "data"),
            environment={"LLAMA_MAPPER_DATABASE_URL": prepared.url},
        )
        assert run.returncode == 0, run.stderr
        made[tenant] = run.stdout.decode().strip()
    return made


def as_tenant(server: Server, keys: dict[str, str], tenant: str) -> httpx2.Client:
    return server.client(headers={"authorization": f"Bearer {keys[tenant]}"})


def until_status(fetch: Callable[[], httpx2.Response], status: int) -> httpx2.Response:
    until = time.monotonic() + 10
    while (answer := fetch()).status_code != status:
        assert time.monotonic() < until, answer.text
        time.sleep(0.05)
    return answer


def run_as_superuser(postgres: PostgresDatabase, *statements: str) -> None:
    async def execute() -> None:
        url = make_url(other_database(postgres.superuser_url)).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    loop = LoopThread()
    try:
        loop.run(execute())
    finally:
        loop.close()


def test_what_was_answered_is_there_after_a_restart_and_only_for_its_tenant(
    prepared: PostgresDatabase, keys: dict[str, str], folder: Path
) -> None:
    settings = {"LLAMA_MAPPER_DATABASE_URL": prepared.url, "LLAMA_MAPPER_DETECTORS": FEW_DETECTORS}
    with serving(folder, **settings) as server, as_tenant(server, keys, "tenant-alpha") as alpha:
        made = alpha.post("/v1/assessments", json=TEXT)
        assert made.status_code in (200, 206), made.text
        path = f"/v1/assessments/{made.json()['id']}"
        assert alpha.get(path).content == made.content
        alpha.post("/v1/map:batch", json={"labels": [{"vendor": "acme_codes", "label": "ALPHA_ONLY"}]})
        with as_tenant(server, keys, "tenant-beta") as beta:
            assert beta.get(path).status_code == 404
            assert beta.get(f"{path}/evidence").status_code == 404
            assert beta.get("/v1/reviews").json()["items"] == []
        queued = [item["label"] for item in alpha.get("/v1/reviews").json()["items"]]
        assert queued == ["ALPHA_ONLY"]
        assert list((folder / "data").glob("*.db")) == [], "nothing is in SQLite"

    with serving(folder, **settings) as server, as_tenant(server, keys, "tenant-alpha") as alpha:
        assert alpha.get(path).content == made.content
        (folder / "evidence.json").write_bytes(alpha.get(f"{path}/evidence").content)
        verified = run_cli("evidence", "verify", folder / "evidence.json", "--data-dir", folder / "data")
        assert verified.returncode == 0, verified.stderr
        _loses_and_finds_its_database(prepared, alpha, path)


def _loses_and_finds_its_database(postgres: PostgresDatabase, client: httpx2.Client, path: str) -> None:
    """While the database refuses it the server says so, and it recovers by itself."""
    name = make_url(postgres.url).database
    run_as_superuser(
        postgres,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        readiness = until_status(lambda: client.get("/readyz"), 503).json()
        assert readiness["status"] == "not_ready"
        assert readiness["dependencies"]["database.assessment"] != "ready"
        refused = client.post("/v1/assessments", json=TEXT)
        assert (refused.status_code, refused.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert refused.json()["retryable"] is True
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
    finally:
        run_as_superuser(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    until_status(lambda: client.get("/readyz"), 200)
    assert client.get(path).status_code == 200
    assert client.post("/v1/assessments", json=TEXT).status_code in (200, 206)


def test_migrating_again_changes_nothing_and_a_superuser_may_do_it(prepared: PostgresDatabase) -> None:
    status, printed, errors = migrated(prepared.superuser_url, LLAMA_MAPPER_DATABASE_URL=prepared.url)
    assert (status, errors) == (0, "")
    assert [line.split(":")[0] for line in printed.splitlines()] == CONTEXTS
    assert "(migrated)" not in printed


def test_serving_from_a_database_that_nobody_migrated_says_what_to_run(
    postgres: PostgresDatabase, tmp_path: Path
) -> None:
    run = run_cli(
        *("serve", "--context", "mapping", "--port", 0, "--data-dir", tmp_path),
        environment={"LLAMA_MAPPER_DATABASE_URL": other_database(postgres.url)},
    )
    assert run.returncode == 2
    [line] = run.stderr.decode().splitlines()
    assert "CONFIGURATION_INVALID" in line
    assert "llama-mapper db migrate" in line


def test_migrating_as_somebody_who_may_not_says_so(postgres: PostgresDatabase) -> None:
    status, printed, errors = migrated(other_database(postgres.url))
    assert (status, printed) == (2, "")
    [line] = errors.splitlines()
    assert "CONFIGURATION_INVALID" in line
    assert APPLICATION in line
    assert "for-tests-only" not in line


def test_a_role_that_does_not_exist_is_named(prepared: PostgresDatabase) -> None:
    status, _, errors = migrated(prepared.owner_url, "--app-role", "nobody_at_all")
    assert status == 2
    assert "CONFIGURATION_INVALID" in errors
    assert "nobody_at_all" in errors


def test_without_an_owner_it_says_which_setting_is_missing(prepared: PostgresDatabase) -> None:
    run = run_cli("db", "migrate", environment={"LLAMA_MAPPER_DATABASE_URL": prepared.url})
    assert run.returncode == 2
    assert b"LLAMA_MAPPER_DATABASE_OWNER_URL" in run.stderr


def test_with_sqlite_there_is_nothing_to_migrate_by_command(tmp_path: Path) -> None:
    run = run_cli("db", "migrate", "--data-dir", tmp_path)
    assert run.returncode == 0
    assert b"nothing to do" in run.stdout
