"""The authenticator over a real store of keys, on both sides of the moment when the first key is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request

from llama_mapper.domain.kernel import acting
from llama_mapper.domain.kernel.credentials import issue_key
from llama_mapper.domain.kernel.errors import AuthenticationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.containers.identity import Identity, open_api_keys
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.settings import Settings

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECRET = "a link secret for tests"


@pytest.fixture
async def identity(tmp_path: Path) -> AsyncIterator[Identity]:
    async with open_api_keys(Settings.load(data_dir=tmp_path)) as opened:
        yield opened


def request(
    authorization: str | None = None,
    api_key: str | None = None,
    host: str = "127.0.0.1:8080",
    acting_for: str | None = None,
) -> Request:
    headers = {"host": host, "authorization": authorization, "x-api-key": api_key, acting.HEADER: acting_for}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value is not None]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


async def issue(identity: Identity, tenant_id: str = "acme") -> str:
    key, record = issue_key(
        identity.pepper, name="ci", tenant_id=tenant_id, scopes=frozenset({Scope.READ}), created_at=NOON
    )
    await identity.keys.add(record)
    return key


def authenticator(
    identity: Identity, *, allow_local: bool = True, link_secret: str | None = None, memory_s: float = 60.0
) -> Authenticator:
    return Authenticator(
        identity.keys,
        identity.pepper,
        lambda: NOON + timedelta(hours=1),
        allow_local=allow_local,
        link_secret=link_secret,
        memory_s=memory_s,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8080"])
async def test_without_keys_this_machine_is_the_tenant_local(identity: Identity, host: str) -> None:
    assert (await authenticator(identity).authenticate(request(host=host))).tenant_id == "local"


@pytest.mark.parametrize(
    "host", ["", "attacker.example", "127.0.0.1.attacker.example", "localhost.", "127.0.0.1@a", "::1"]
)
async def test_without_keys_another_host_name_is_refused(identity: Identity, host: str) -> None:
    with pytest.raises(AuthenticationError):
        await authenticator(identity).authenticate(request(host=host))


async def test_without_keys_nobody_enters_a_server_that_others_reach(identity: Identity) -> None:
    with pytest.raises(AuthenticationError):
        await authenticator(identity, allow_local=False).authenticate(request())


async def test_a_fresh_key_is_its_tenant_even_while_the_keyless_time_is_remembered(identity: Identity) -> None:
    door = authenticator(identity)
    assert (await door.authenticate(request())).tenant_id == "local"
    key = await issue(identity)
    assert (await door.authenticate(request(f"Bearer {key}"))).tenant_id == "acme"
    assert (await door.authenticate(request(api_key=key))).tenant_id == "acme"
    with pytest.raises(AuthenticationError):
        await door.authenticate(request(f"Bearer {key[:-2]}AA"))


async def test_a_revoked_key_does_not_bring_the_keyless_time_back(identity: Identity) -> None:
    key = await issue(identity)
    await identity.keys.revoke(key[3:19], NOON)
    door = authenticator(identity)
    for asked in (request(), request(f"Bearer {key}")):
        with pytest.raises(AuthenticationError):
            await door.authenticate(asked)


async def test_a_record_is_read_again_when_its_time_is_up(identity: Identity) -> None:
    key = await issue(identity)
    forgetful, remembering = authenticator(identity, memory_s=0.0), authenticator(identity)
    for door in (forgetful, remembering):
        assert (await door.authenticate(request(f"Bearer {key}"))).tenant_id == "acme"
    await identity.keys.revoke(key[3:19], NOON)
    with pytest.raises(AuthenticationError):
        await forgetful.authenticate(request(f"Bearer {key}"))
    assert (await remembering.authenticate(request(f"Bearer {key}"))).tenant_id == "acme"


async def test_whom_a_request_is_passed_on_for_is_believed_of_the_link_alone(identity: Identity) -> None:
    claimed = acting.written(Principal("boss", "globex", frozenset(Scope), "0123456789abcdef"))
    key = await issue(identity)
    door = authenticator(identity, link_secret=SECRET)
    believed = await door.authenticate(request(f"Bearer {SECRET}", acting_for=claimed))
    assert (believed.tenant_id, believed.name, believed.over_link) == ("globex", "boss", True)
    own = await door.authenticate(request(f"Bearer {key}", acting_for=claimed))
    assert (own.tenant_id, own.scopes, own.over_link) == ("acme", frozenset({Scope.READ}), False)
    for authorization in (None, f"Bearer {SECRET}x"):
        with pytest.raises(AuthenticationError):
            await door.authenticate(request(authorization, acting_for=claimed))
    with pytest.raises(AuthenticationError):
        await door.authenticate(request(f"Bearer {SECRET}", acting_for="nonsense"))


async def test_the_link_secret_is_another_context_and_only_where_it_is_set(identity: Identity) -> None:
    await issue(identity)
    link = await authenticator(identity, link_secret=SECRET).authenticate(request(f"Bearer {SECRET}"))
    assert link.scopes == {Scope.INTERNAL}
    with pytest.raises(AuthenticationError):
        await authenticator(identity).authenticate(request(f"Bearer {SECRET}"))


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Basic YTpi", "x", "", "BearerX y"])
async def test_a_malformed_header_is_refused_even_without_keys(identity: Identity, authorization: str) -> None:
    with pytest.raises(AuthenticationError):
        await authenticator(identity).authenticate(request(authorization))


@pytest.mark.parametrize("with_key", [False, True])
async def test_requests_that_come_at_once_ask_the_store_once(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, with_key: bool
) -> None:
    authorization = f"Bearer {await issue(identity)}" if with_key else None
    asked = []

    def counted(read: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def reading(*given: str) -> object:
            asked.append(given)
            return await read(*given)

        return reading

    for method in ("get", "list"):
        monkeypatch.setattr(identity.keys, method, counted(getattr(identity.keys, method)))
    door = authenticator(identity)
    answers = await asyncio.gather(*(door.authenticate(request(authorization)) for _ in range(16)))
    assert {principal.tenant_id for principal in answers} == {"acme" if with_key else "local"}
    assert len(asked) == 1
