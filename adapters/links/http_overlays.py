"""Tenants' own words over HTTP."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pydantic import BaseModel

from llama_mapper.adapters.links.http_link import HttpLink
from llama_mapper.domain.contracts.overlays import OverlayMark, TenantOverlay
from llama_mapper.domain.kernel.errors import LinkError
from llama_mapper.domain.mapping.documents.ports import DocumentKind, StoredDocument, StoredStanding
from llama_mapper.domain.mapping.overlays.export import standing_of_overlay

Answer = TypeVar("Answer", bound=BaseModel)

_MARK_S, _WORDS_S = 1.0, 5.0
"""Requests wait for these answers: less than a link may take otherwise."""


class HttpOverlays:
    """Keeps `CatalogueStandings` for a tenant's words by asking the mapping service; it has no other documents.

    Raises what a link raises.
    """

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def mark(self, tenant_id: str) -> tuple[int, int]:
        """The positions of the newest changes of the tenant and of everyone."""
        mark = await self._asked("/v1/overlay/mark", OverlayMark, tenant_id, _MARK_S)
        return mark.own, mark.everyones

    async def standing(self, tenant_id: str) -> StoredStanding:
        """The tenant's words."""
        return standing_of_overlay(await self._asked("/v1/overlay", TenantOverlay, tenant_id, _WORDS_S))

    async def document(
        self, owner: str, kind: DocumentKind, name: str, number: int | None = None
    ) -> StoredDocument | None:
        """None: no crosswalk is deployed in what `standing` tells."""
        return None

    async def _asked(self, path: str, answer: type[Answer], tenant_id: str, within_s: float) -> Answer:
        try:
            async with asyncio.timeout(within_s):
                return await self._link.get(path, answer, {"tenant_id": tenant_id})
        except TimeoutError as error:
            raise LinkError(f"the mapping service did not tell the tenant's words within {within_s:g} s") from error
