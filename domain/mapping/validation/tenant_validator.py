"""Documents against the catalogue as their tenant sees it: its words, its frameworks, the crosswalk that answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from llama_mapper.domain.contracts.validation import ValidationQuery, ValidationReport
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from llama_mapper.domain.mapping.tenants.standing import Standing, View
from llama_mapper.domain.mapping.validation.validator import Validator


class TenantValidator:
    """Keeps `ValidationApi`."""

    def __init__(self, validator: Validator, tenants: TenantCatalogues) -> None:
        self._validator = validator
        self._tenants = tenants

    async def validate(self, tenant_id: str, query: ValidationQuery) -> ValidationReport:
        """See `ValidationApi.validate`."""
        view = view_for(query.document, await self._tenants.standing(tenant_id))
        return await asyncio.to_thread(self._validator.validate, query, view.catalogue, view.overlay_version)


def view_for(document: Any, standing: Standing) -> View:
    """The view to check a document with.

    While several versions of the crosswalk answer the tenant, an answer is checked with the one that it names; whatever
    names none of them, with the one that most requests get.
    """
    named = _crosswalk_of(document)
    views = [standing.rest, *(view for _, view in standing.candidates)]
    usual = standing.rest if not standing.candidates else _most(standing)
    return next((view for view in (usual, *views) if view.catalogue.versions.crosswalk == named), usual)


def _most(standing: Standing) -> View:
    """The view with the greatest share; a candidate answers from the one before it up to its percent."""
    shares: list[tuple[int, View]] = []
    below = 0
    for percent, view in standing.candidates:
        shares.append((max(0, percent - below), view))
        below = max(below, percent)
    shares.append((100 - below, standing.rest))
    return max(shares, key=lambda share: share[0])[1]


def _crosswalk_of(document: Any) -> str | None:
    """The crosswalk's version that an answer says it was made with."""
    for part in (document, document.get("mapping") if isinstance(document, Mapping) else None):
        info = part.get("version_info") if isinstance(part, Mapping) else None
        version = info.get("crosswalk_version") if isinstance(info, Mapping) else None
        if isinstance(version, str):
            return version
    return None
