"""The mapping context over HTTP."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.base import Contract, Identifier, Score, Severity, ShortText
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.mapping import (
    Extras,
    FrameworkList,
    LabelMappingRequest,
    LabelMappingResponse,
    LabelQuery,
    MappedLabel,
    MappingApi,
    MappingRequest,
    MappingResponse,
    MappingStrategy,
    ReviewPage,
    ReviewStatus,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import for_tenant, parsed, read_body, read_owned
from llama_mapper.entrypoints.http.idempotency import Idempotent
from llama_mapper.entrypoints.http.operations import TENANT_PARAMETER, Operation, QueryParameter


class CategoryInfo(Contract):
    """A risk category of the taxonomy."""

    id: Identifier
    name: ShortText
    severity: Severity


class TaxonomyAnswer(Contract):
    """The taxonomy's risk categories."""

    version: Identifier
    items: tuple[CategoryInfo, ...]


_EVERY = "all"


class LabelQuestion(LabelQuery):
    """One vendor label to map, and how."""

    strategy: MappingStrategy | None = None
    """Null means: as the installation is set."""
    min_confidence: Score | None = None
    """Answers with less confidence abstain. Null means: the installation's threshold, for what the catalogue does not
    know."""
    include: Extras = ()
    """What else to answer with."""


class _Shape(Contract):
    """Which of the three bodies this is, told by the one field that only it has."""

    model_config = {"extra": "ignore", "strict": False}

    analysis_response: object = Field(default=None, repr=False)
    vendor: object = Field(default=None, repr=False)


def mapping_operations(api: MappingApi, catalogue: CatalogueView, body_limit: int) -> list[Operation]:
    """`/v1/map`, `/v1/map:batch`, `/v1/reviews`, `/v1/frameworks`, `/v1/taxonomies`."""

    async def map_any(request: Request, principal: Principal) -> Response:
        body = await read_body(request, body_limit)
        shape = parsed(_Shape, body)
        if shape.analysis_response is not None:
            return json_answer(await api.map(for_tenant(parsed(MappingRequest, body), principal)))
        question = parsed(LabelQuestion, body)
        batch = LabelMappingRequest(
            labels=(LabelQuery(**question.model_dump(include=set(LabelQuery.model_fields))),),
            tenant_id=principal.tenant_for(None),
            strategy=question.strategy,
            min_confidence=question.min_confidence,
            include=question.include,
        )
        return json_answer((await api.map_labels(batch)).mappings[0])

    async def map_batch(request: Request, principal: Principal) -> Response:
        return json_answer(await api.map_labels(await read_owned(request, principal, LabelMappingRequest, body_limit)))

    async def reviews(request: Request, principal: Principal) -> Response:
        limit = _limit(request.query_params.get("limit", "100"))
        query = request.query_params
        tenant_id = principal.tenant_for(query.get("tenant_id"))
        status, vendor = _status(query.get("status", ReviewStatus.OPEN.value)), query.get("vendor")
        if vendor is not None and (not 1 <= len(vendor) <= 128 or "\x00" in vendor):
            raise ValidationError("a vendor's name has 1 to 128 characters, and no NUL")
        return json_answer(
            await api.reviews(tenant_id, limit=limit, cursor=query.get("cursor"), status=status, vendor=vendor)
        )

    async def frameworks(request: Request, principal: Principal) -> Response:
        return json_answer(await api.frameworks(principal.tenant_for(request.query_params.get("tenant_id"))))

    async def taxonomies(_: Request, __: Principal) -> Response:
        items = tuple(
            CategoryInfo(id=category, name=catalogue.name(category), severity=severity)
            for category, severity in catalogue.categories.items()
        )
        return json_answer(TaxonomyAnswer(version=catalogue.versions.taxonomy, items=items))

    frameworks_errors = (ErrorCode.FRAMEWORK_NOT_FOUND, ErrorCode.EDITION_NOT_FOUND)
    return [
        Operation(
            id="map",
            method="POST",
            path="/v1/map",
            tag="mapping",
            summary="Map one vendor label, or the findings of an analysis response.",
            idempotent=Idempotent(body_limit),
            scope=Scope.ASSESS,
            handler=map_any,
            requests=(LabelQuestion, MappingRequest),
            responses={200: (MappedLabel, MappingResponse)},
            errors=frameworks_errors,
            example={"vendor": "presidio", "label": "CREDIT_CARD", "score": 0.9},
        ),
        Operation(
            id="mapBatch",
            method="POST",
            path="/v1/map:batch",
            tag="mapping",
            summary="Map many vendor labels; one answer each, in the order asked.",
            idempotent=Idempotent(body_limit),
            scope=Scope.ASSESS,
            handler=map_batch,
            requests=(LabelMappingRequest,),
            responses={200: (LabelMappingResponse,)},
            errors=frameworks_errors,
            example={"labels": [{"vendor": "presidio", "label": "CREDIT_CARD"}], "frameworks": ["pci_dss"]},
        ),
        Operation(
            id="listReviews",
            method="GET",
            path="/v1/reviews",
            tag="mapping",
            summary="Vendor labels that the catalogue does not know: those that wait for a person, or were decided.",
            scope=Scope.READ,
            handler=reviews,
            responses={200: (ReviewPage,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter(
                    "limit", "Items a page.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
                ),
                QueryParameter("cursor", "`next_cursor` of the page before.", {"type": "string", "maxLength": 256}),
                QueryParameter(
                    "status",
                    "Where the labels stand.",
                    {"type": "string", "enum": [*(each.value for each in ReviewStatus), _EVERY], "default": "open"},
                ),
                QueryParameter("vendor", "Only this vendor's.", {"type": "string", "minLength": 1, "maxLength": 128}),
                TENANT_PARAMETER,
            ),
        ),
        Operation(
            id="listFrameworks",
            method="GET",
            path="/v1/frameworks",
            tag="mapping",
            summary="The framework editions that requests may name.",
            scope=Scope.READ,
            handler=frameworks,
            responses={200: (FrameworkList,)},
            query=(TENANT_PARAMETER,),
        ),
        Operation(
            id="getTaxonomy",
            method="GET",
            path="/v1/taxonomies",
            tag="mapping",
            summary="The risk categories of the canonical taxonomy.",
            scope=Scope.READ,
            handler=taxonomies,
            responses={200: (TaxonomyAnswer,)},
        ),
    ]


def _status(text: str) -> ReviewStatus | None:
    try:
        return None if text == _EVERY else ReviewStatus(text)
    except ValueError:
        known = ", ".join((*ReviewStatus, _EVERY))
        raise ValidationError(f"status is one of {known}") from None


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1000:
        raise ValidationError("limit is a whole number from 1 to 1000")
    return int(text)
