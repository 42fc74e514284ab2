"""The real application in this process, for tests through its HTTP door without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from starlette.requests import Request

from llama_mapper.domain.kernel.credentials import issue_key
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.domain.orchestration.ports import Detector
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings


class Everyone(Authenticator):
    """Lets everybody in: what is tested here comes after."""

    def __init__(self) -> None: ...

    async def authenticate(self, request: Request) -> Principal:
        """See `Authenticator.authenticate`."""
        return Principal("test", "acme", frozenset({Scope.ASSESS, Scope.READ}))


@dataclass(frozen=True, slots=True)
class Door:
    """A running monolith, a client of it, and who may be let in."""

    running: Running
    client: httpx2.AsyncClient

    async def new_key(self, tenant_id: str, *scopes: Scope) -> dict[str, str]:
        """A fresh API key, as the header that presents it."""
        platform = self.running.platform
        key, record = issue_key(
            platform.pepper(),
            name="for a test",
            tenant_id=tenant_id,
            scopes=frozenset(scopes or (Scope.ASSESS, Scope.READ)),
            created_at=datetime.now(UTC),
        )
        await platform.api_keys().add(record)
        return {"authorization": f"Bearer {key}"}


@asynccontextmanager
async def open_door(folder: Path, detectors: Sequence[Detector], **options: object) -> AsyncIterator[Door]:
    """The monolith over these detectors alone, with these settings."""
    settings = Settings.load(data_dir=folder, detector_workers=0, **options)
    async with running_monolith(settings, detectors) as running:
        transport = httpx2.ASGITransport(application_of(running, settings, front=True))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Door(running, client)
