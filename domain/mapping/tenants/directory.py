"""What stands for each tenant, remembered for a moment."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from llama_mapper.domain.kernel.errors import ServiceError, StoreError
from llama_mapper.domain.kernel.shared_reading import SharedReading
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.catalogue.raw import RawSource
from llama_mapper.domain.mapping.crosswalks.deployment import split_of
from llama_mapper.domain.mapping.crosswalks.links import Links, crosswalk_links
from llama_mapper.domain.mapping.documents.ports import CatalogueStandings, DocumentKind, StoredStanding
from llama_mapper.domain.mapping.taxonomies.present import CurrentId
from llama_mapper.domain.mapping.tenants.standing import Standing, View, standing_of

TTL_S = 1.0
_REMEMBERED_TENANTS = 4_096
_REMEMBERED_CROSSWALKS = 32


@dataclass(slots=True)
class _Remembered:
    until: float
    mark: tuple[int, int]
    standing: Standing


class TenantCatalogues:
    """Finds what stands for a tenant, and remembers it for `ttl_s` seconds.

    A change takes effect within `ttl_s` and the time of a query, in every process: the store is asked whether anything
    changed, and only if something did what it was. A change is seen whole or not at all. While the store cannot be
    read, what was read last goes on standing; a tenant of which nothing was read yet gets the store's error, since to
    answer without its own words would quietly change what its labels mean.
    """

    def __init__(
        self,
        store: CatalogueStandings,
        shipped: Catalogue,
        raw: RawSource,
        current_id: CurrentId,
        *,
        ttl_s: float = TTL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self.shipped = View(shipped)
        self._labels = shipped.labels
        self._raw = raw
        self._current_id = current_id
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._nothing = Standing(self.shipped)
        self._links: OrderedDict[str, Links] = OrderedDict()
        self._readings: SharedReading[Standing] = SharedReading()

    def fresh(self, tenant_id: str) -> Standing | None:
        """What was read within the last `ttl_s` seconds; None where that has to be read anew."""
        known = self._remembered.get(tenant_id)
        return known.standing if known is not None and known.until > self._monotonic() else None

    async def standing(self, tenant_id: str) -> Standing:
        """What stands for the tenant; raise `STORE_UNAVAILABLE` if that cannot be told."""
        fresh = self.fresh(tenant_id)
        return fresh if fresh is not None else await self._readings.read(tenant_id, lambda: self._read(tenant_id))

    async def view_of(self, tenant_id: str) -> View:
        """See `TenantViews.view_of`; which crosswalk answers makes no difference to what labels mean."""
        return (await self.standing(tenant_id)).rest

    async def _read(self, tenant_id: str) -> Standing:
        asked, known = self._monotonic(), self._remembered.get(tenant_id)
        try:
            mark = await self._store.mark(tenant_id)
            if known is not None and known.mark == mark:
                standing = known.standing
            elif mark == (0, 0):
                standing = self._nothing
            else:
                stored = await self._store.standing(tenant_id)
                mark, standing = stored.mark, await self._standing(tenant_id, stored)
        except ServiceError:
            if known is None:
                raise
            known.until = asked + self._ttl_s
            return known.standing
        self._remembered[tenant_id] = _Remembered(asked + self._ttl_s, mark, standing)
        self._remembered.move_to_end(tenant_id)
        if len(self._remembered) > _REMEMBERED_TENANTS:
            self._remembered.popitem(last=False)
        return standing

    async def _standing(self, tenant_id: str, stored: StoredStanding) -> Standing:
        candidates, rest = split_of(stored.own_deployments, stored.everyones_deployments)
        links: dict[str, Links] = {}
        for version in {rest, *(version for _, version in candidates)} - {None}:
            if version is not None:
                links[version] = await self._links_of(tenant_id, version)
        # Some 100 ms for many thousand labels, or where shipped documents are read: not on the event loop's time.
        return await asyncio.to_thread(
            standing_of, stored, self.shipped, self._labels, self._raw, links, self._current_id
        )

    async def _links_of(self, tenant_id: str, version: str) -> Links:
        document = await self._store.document(tenant_id, DocumentKind.CROSSWALK, version)
        document = document or await self._store.document(EVERYONE, DocumentKind.CROSSWALK, version)
        if document is None or document.content is None or document.digest is None:
            raise StoreError(f"the crosswalk {version} is deployed and not in the store")
        known = self._links.get(document.digest)
        if known is None:
            build = partial(crosswalk_links, self._raw, self._labels, self._current_id)
            known = await asyncio.to_thread(build, document.content, document.taxonomy_version)
            self._links[document.digest] = known
            if len(self._links) > _REMEMBERED_CROSSWALKS:
                self._links.popitem(last=False)
        return known
