"""Wiring of reports and their templates."""

from __future__ import annotations

from llama_mapper.adapters.mapping.reports.process_templates import ProcessTemplates, TemplateLimits
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.mapping.reports.desk import CatalogueOf
from llama_mapper.domain.mapping.reports.service import ViewOf
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from llama_mapper.domain.mapping.tenants.standing import View
from llama_mapper.entrypoints.settings import Settings


def template_engine(settings: Settings) -> ProcessTemplates:
    """What renders templates, within the limits of the settings."""
    return ProcessTemplates(
        TemplateLimits(
            timeout_s=settings.template_timeout_ms / 1000.0,
            output_characters=settings.template_output_limit,
            at_once=settings.templates_at_once,
        )
    )


def view_of(tenants: TenantCatalogues) -> ViewOf:
    """A tenant's catalogue and its versions. Of a crosswalk that is on trial reports know nothing."""

    async def view(tenant_id: str) -> View:
        return (tenants.fresh(tenant_id) or await tenants.standing(tenant_id)).rest

    return view


def catalogue_of(tenants: TenantCatalogues) -> CatalogueOf:
    """A tenant's catalogue."""
    view = view_of(tenants)

    async def catalogue(tenant_id: str) -> CatalogueView:
        return (await view(tenant_id)).catalogue

    return catalogue
