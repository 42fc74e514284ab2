"""The releases of schemas that another context keeps, over HTTP."""

from __future__ import annotations

from llama_mapper.adapters.links.http_link import HttpLink
from llama_mapper.domain.contracts.schema_defaults import SchemaCounts, SchemaStanding


class HttpSchemaReleases:
    """Reads what they made of the defaults, and sends what was counted. Errors are those of `HttpLink`."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    async def standing(self) -> SchemaStanding:
        """What they have made of the defaults."""
        return await self._link.get("/v1/schemas:standing", SchemaStanding)

    async def take(self, counts: SchemaCounts) -> None:
        """Keep what was counted here."""
        await self._link.post("/v1/schemas:count", counts, SchemaStanding)
