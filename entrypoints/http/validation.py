"""Checking documents over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.validation import ValidationApi, ValidationQuery, ValidationReport
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation


def validation_operations(api: ValidationApi, body_limit: int) -> list[Operation]:
    """`/v1/validate`."""

    async def validate(request: Request, principal: Principal) -> Response:
        query = await read_model(request, ValidationQuery, body_limit)
        return json_answer(await api.validate(principal.tenant_for(None), query))

    return [
        Operation(
            id="validate",
            method="POST",
            path="/v1/validate",
            tag="schemas",
            summary="Check a request or an answer against its schema and the tenant's catalogue; nothing is kept.",
            scope=Scope.READ,
            handler=validate,
            requests=(ValidationQuery,),
            responses={200: (ValidationReport,)},
            errors=(ErrorCode.SCHEMA_UNKNOWN,),
            example={
                "schema_id": "urn:llama-mapper:schema:LabelMappingRequest:1",
                "document": {"labels": [{"vendor": "presidio", "label": "CREDIT_CARD"}], "frameworks": ["pci_dss"]},
            },
        ),
    ]
