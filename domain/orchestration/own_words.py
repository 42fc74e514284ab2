"""What labels mean to the tenant whose content is judged."""

from __future__ import annotations

from dataclasses import dataclass

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView, TenantViews
from llama_mapper.domain.kernel.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Words:
    """A tenant's view where it has words of its own; None: what ships."""

    catalogue: CatalogueView | None = None
    version: str | None = None


AS_SHIPPED = Words()


class OwnWords:
    """Finds the words of a tenant.

    Content is judged although they cannot be told: by what ships, and the record's provenance says so. An assessment
    then fails in the mapping, unless the words are there again by then.
    """

    def __init__(self, views: TenantViews | None, service_version: str) -> None:
        self._views = views
        self._service_version = service_version

    async def of(self, tenant_id: str, told: list[ProvenanceEntry]) -> Words:
        """The tenant's words; what went wrong is added to `told`."""
        if self._views is None:
            return AS_SHIPPED
        try:
            view = await self._views.view_of(tenant_id)
        except ServiceError as error:
            told.append(
                ProvenanceEntry(
                    stage="orchestration",
                    component="tenant_words",
                    version=self._service_version,
                    duration_ms=0.0,
                    detail=f"not known ({error.error_code.value}): labels mean what ships",
                )
            )
            return AS_SHIPPED
        return AS_SHIPPED if view.overlay_version is None else Words(view.catalogue, view.overlay_version)
