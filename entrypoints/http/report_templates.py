"""A tenant's own report templates over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.reports import (
    OwnTemplate,
    TemplateDeskApi,
    TemplateList,
    TemplatePreview,
    TemplateUpload,
)
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.curators import curated, matching, named
from llama_mapper.entrypoints.http.documents import Documents, document_operations
from llama_mapper.entrypoints.http.operations import Operation

BODY_LIMIT = 1024 * 1024
"""Bytes of an uploaded template: its 65,536 characters as JSON, at their longest."""

_TAG = "reports"
_EXAMPLE: dict[str, object] = {
    "format": "markdown",
    "title": "For the board",
    "text": "# {{ report.title }}\n\n{% for each in taxonomy %}\n- {{ each.name }}\n{% endfor %}\n",
}


def _template(request: Request, principal: Principal) -> tuple[str, str]:
    name = matching(
        named(request, "template"),
        "[a-z][a-z0-9_-]{0,47}",
        "a template's name has 1 to 48 small letters, digits, '_' and '-', and begins with a letter",
    )
    return principal.tenant_for(None), name


_TEMPLATES = Documents(
    noun="Template",
    path="/v1/templates/{template}",
    place=_template,
    upload=TemplateUpload,
    answer=OwnTemplate,
    example=_EXAMPLE,
    putting="Upload a template of the tenant's own. It is tried first; reports may name it at once.",
    getting="A template of the tenant.",
    removing="Take a template away; its versions stay.",
    tag=_TAG,
    limit=BODY_LIMIT,
    refusals=(ErrorCode.SERVICE_UNAVAILABLE,),
)


def template_operations(api: TemplateDeskApi) -> list[Operation]:
    """`/v1/templates` and what hangs below it."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    async def preview(request: Request, principal: Principal) -> Response:
        upload = await read_model(request, TemplateUpload, BODY_LIMIT)
        return json_answer(await api.preview(principal.tenant_for(None), upload))

    return [
        curated(
            _TAG,
            "listTemplates",
            "GET",
            "/v1/templates",
            "The templates that reports may name.",
            listed,
            TemplateList,
            errors=(ErrorCode.INVALID_REQUEST,),
        ),
        curated(
            _TAG,
            "previewTemplate",
            "POST",
            "/v1/templates:preview",
            "Try a template on invented data in which everything is there. Nothing is kept.",
            preview,
            TemplatePreview,
            body=TemplateUpload,
            errors=(ErrorCode.INVALID_REQUEST, ErrorCode.DOCUMENT_INVALID, ErrorCode.SERVICE_UNAVAILABLE),
            example=_EXAMPLE,
        ),
        *document_operations(api, _TEMPLATES),
    ]
