"""A forwarded client address is believed from trusted proxies alone."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from llama_mapper.entrypoints.http.server import uvicorn_config
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import word_detectors
from tests.support.doors import open_door


@pytest.mark.parametrize(
    ("proxies", "peer", "believed"),
    [
        ((), "127.0.0.1", False),
        (("10.0.0.0/8",), "127.0.0.1", False),
        (("127.0.0.1",), "127.0.0.1", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
    ],
)
async def test_who_is_counted(tmp_path: Path, proxies: tuple[str, ...], peer: str, believed: bool) -> None:
    async with open_door(tmp_path, word_detectors()) as door:
        settings = Settings.load(data_dir=tmp_path, rate_limit_address=1, trusted_proxies=proxies)
        config = uvicorn_config(application_of(door.running, settings, front=True), settings.trusted_proxies)
        config.load()
        transport = httpx2.ASGITransport(config.loaded_app, client=(peer, 40_000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            # The caller may write what it likes in front: the proxy adds the address that it saw at the end.
            statuses = [
                (
                    await client.get("/v1/detectors", headers={"x-forwarded-for": f"6.6.6.{number}, 7.7.7.{number}"})
                ).status_code
                for number in range(8)
            ]
    assert (429 not in statuses) is believed
