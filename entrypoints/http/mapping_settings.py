"""A tenant's mapping settings over HTTP."""

from __future__ import annotations

from starlette.requests import Request

from llama_mapper.domain.contracts.mapping_settings import MappingSettings, MappingSettingsApi, OwnMappingSettings
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.documents import Documents, document_operations
from llama_mapper.entrypoints.http.operations import Operation


def _own(_: Request, principal: Principal) -> tuple[str]:
    return (principal.tenant_for(None),)


_SETTINGS = Documents(
    noun="MappingSettings",
    path="/v1/mapping-settings",
    place=_own,
    upload=MappingSettings,
    answer=OwnMappingSettings,
    example={
        "strategy": "cascade",
        "min_confidence": 0.7,
        "stage_confidence": {"model": 0.8},
        "optimisation": {"every_days": 7, "max_loss": 0.01},
    },
    putting="Say how the tenant's labels are mapped where request and policy do not; in force within two seconds.",
    getting="How the tenant's labels are mapped.",
    removing="Go back to what the installation says; the versions stay.",
    tag="mapping settings",
    limit=16_384,
)


def mapping_settings_operations(api: MappingSettingsApi) -> list[Operation]:
    """`/v1/mapping-settings` and what hangs below it."""
    return document_operations(api, _SETTINGS)
