"""Two versions of a schema, side by side, through the HTTP door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llama_mapper.entrypoints.http.application import create_application
from llama_mapper.entrypoints.http.mapping import mapping_operations
from llama_mapper.entrypoints.http.schemas import schema_operations
from tests.support.doors import Everyone, open_door
from tests.support.schemas import ASKED, TOLD, link, profile, two_versions

LABELS = [{"vendor": "presidio", "label": "CREDIT_CARD"}]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    versions = two_versions()
    async with open_door(tmp_path, []) as door:
        running = door.running
        assert running.mapping is not None
        app = create_application(
            [
                *mapping_operations(running.mapping, running.platform.catalogue(), 65_536),
                *schema_operations(lambda: versions),
            ],
            [],
            Everyone(),
            lambda *_: None,
            version="0",
            docs=False,
            timeout_s=30.0,
            schemas=lambda: versions,
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://door") as client:
            yield client


async def _post(client: httpx2.AsyncClient, labels: list[dict[str, Any]], **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/map:batch", json={"labels": labels}, headers=named)


async def test_without_a_profile_the_newest_version_is_spoken(client: httpx2.AsyncClient) -> None:
    answer = await _post(client, LABELS)
    assert answer.json()["mappings"][0]["vendor"] == "presidio"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["link"] == link(TOLD, 2)


async def test_both_versions_say_the_same_in_their_own_words(client: httpx2.AsyncClient) -> None:
    old = await _post(
        client,
        [{"source": "presidio", "label": "CREDIT_CARD"}],
        content_type=profile(ASKED, 1),
        accept=profile(TOLD, 1),
    )
    new = await _post(client, LABELS, content_type=profile(ASKED, 2), accept=profile(TOLD, 2))
    assert (old.status_code, new.status_code) == (200, 200), (old.text, new.text)
    assert old.headers["content-type"] == profile(TOLD, 1)
    assert new.headers["content-type"] == profile(TOLD, 2)
    assert [answer.headers["link"] for answer in (old, new)] == [link(TOLD, 1), link(TOLD, 2)]
    first, second = old.json()["mappings"][0], new.json()["mappings"][0]
    assert first.pop("source") == second.pop("vendor") == "presidio"
    assert first == second


async def test_an_old_body_without_its_profile_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await _post(client, [{"source": "presidio", "label": "CREDIT_CARD"}])
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"accept": profile(TOLD, 9)}, "SCHEMA_UNKNOWN"),
        ({"accept": profile("ReviewPage", 1)}, "SCHEMA_UNKNOWN"),
        ({"accept": 'application/json; profile="https://example.org/mine"'}, "INVALID_REQUEST"),
        ({"content_type": profile(ASKED, 9)}, "SCHEMA_UNKNOWN"),
        ({"content_type": profile(TOLD, 1)}, "SCHEMA_UNKNOWN"),
    ],
)
async def test_a_version_that_is_not_served_is_refused(
    client: httpx2.AsyncClient, headers: dict[str, str], code: str
) -> None:
    answer = await _post(client, LABELS, **headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_errors_are_problems_in_every_version(client: httpx2.AsyncClient) -> None:
    answer = await _post(client, [{"label": "CREDIT_CARD"}], accept=profile(TOLD, 1))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_broken_body_of_an_old_version_is_named_as_such(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": profile(ASKED, 1)}
    answer = await client.post("/v1/map:batch", content=b'{"labels": [', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


async def test_every_served_version_can_be_read(client: httpx2.AsyncClient) -> None:
    items = (await client.get("/v1/schemas")).json()["items"]
    assert [(one["model"], one["major"], one["newest"]) for one in items] == [
        (ASKED, 2, True),
        (ASKED, 1, False),
        (TOLD, 2, True),
        (TOLD, 1, False),
    ]
    for one in items:
        schema = (await client.get(f"/v1/schemas/{one['model']}/versions/{one['major']}")).json()
        assert schema["$id"] == one["id"]
    assert (await client.get(f"/v1/schemas/{TOLD}/versions/3")).status_code == 404
    assert (await client.get(f"/v1/schemas/{TOLD}/versions/newest")).status_code == 400
