"""One detector of each kind, over real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client
from llama_mapper.domain.contracts.detectors import DetectorDefinition
from tests.support.detector_servers import DetectorServer, detector_server

WORDS = {"bomb": "weapons", "ünïcode": "odd"}

PROTOCOLS: dict[str, dict[str, Any]] = {
    "fms": {"kind": "fms", "detector_id": "words"},
    "http_json": {
        "kind": "http_json",
        "body": {"text": "{{text}}"},
        "findings": "$.found[*]",
        "start": "$.start",
        "end": "$.end",
    },
    "presidio": {"kind": "presidio"},
    "openai_moderation": {"kind": "openai_moderation", "model": "words"},
    "llama_guard": {"kind": "chat_guard", "family": "llama_guard", "model": "guard"},
    "granite_guardian": {"kind": "chat_guard", "family": "granite_guardian", "model": "guard"},
    "shieldgemma": {"kind": "chat_guard", "family": "shieldgemma", "model": "guard", "risks": ["Harassment"]},
    "qwen3guard": {"kind": "chat_guard", "family": "qwen3guard", "model": "guard"},
}
GOOD: dict[str, dict[str, Any]] = {
    "llama_guard": {"clean_reply": "\n\nsafe", "reply_by_word": {"bomb": "\n\nunsafe\nS9"}},
    "granite_guardian": {"clean_reply": "No", "reply_by_word": {"bomb": "Yes\n<confidence> High </confidence>"}},
    "shieldgemma": {"clean_reply": "No", "reply_by_word": {"bomb": "Yes"}},
    "qwen3guard": {
        "clean_reply": "Safety: Safe\nCategories: None",
        "reply_by_word": {"bomb": "Safety: Unsafe\nCategories: Violent"},
    },
}
"""What makes the server good at each kind, where `words` alone do not."""

LABELS = {
    "llama_guard": "S9",
    "granite_guardian": "harm",
    "shieldgemma": "Harassment",
    "qwen3guard": "Violent",
}
"""What each kind says of a bomb, where it is not `weapons`."""


def definition_of(kind: str, server: DetectorServer, **changes: Any) -> DetectorDefinition:
    """A definition of this kind for the server."""
    url = f"{server.url}/detect" if kind == "http_json" else server.url
    raw = {
        "name": kind,
        "vendor": "acme",
        "vendor_version": "1",
        "url": url,
        "protocol": PROTOCOLS[kind],
        "timeout_ms": 20_000,
    }
    # As the registry takes it in: JSON's types, checked strictly.
    return DetectorDefinition.model_validate_json(_json(raw | changes))


def _json(value: object) -> bytes:
    import orjson

    return orjson.dumps(value)


@pytest.fixture(scope="package")
def server() -> Iterator[DetectorServer]:
    """A detector service to switch; each test tells it what to do first."""
    with detector_server(WORDS) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client as the service opens it."""
    opened = open_detector_client()
    yield opened
    await opened.close()


@pytest.fixture(params=PROTOCOLS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of remote detector."""
    return str(request.param)
