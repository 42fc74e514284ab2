"""Request bodies: bounded, UTF-8, JSON, and valid by contract before any handler sees them."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel
from pydantic import ValidationError as PydanticError
from starlette.requests import Request

from llama_mapper.domain.contracts.analysis import AnalysisRequest
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.jobs import BatchRequest
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, MappingRequest
from llama_mapper.domain.contracts.orchestration import OrchestrationRequest
from llama_mapper.domain.contracts.refusals import refusal_of
from llama_mapper.domain.contracts.reports import ReportRequest
from llama_mapper.domain.contracts.training import TrainingRequest
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.default_versions import exchange_of
from llama_mapper.entrypoints.http.headers import header_of
from llama_mapper.entrypoints.http.profiles import newest_body

_NEWEST = "llama_mapper.newest_body"
"""The key of an ASGI scope under which it says that the body has been made the newest version's."""

Model = TypeVar("Model", bound=BaseModel)
Owned = TypeVar(
    "Owned",
    AssessmentRequest,
    BatchRequest,
    OrchestrationRequest,
    AnalysisRequest,
    MappingRequest,
    LabelMappingRequest,
    TrainingRequest,
    ReportRequest,
)


class RefusedBody(Exception):
    """A body that breaks its contract. Errors of our own making in a model are not this, and not the caller's fault."""

    def __init__(self, error: PydanticError) -> None:
        self.refusal, self.faults = refusal_of(error)
        super().__init__(self.refusal.message)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, in its schema's newest version where it is of an older one, by its media type or by default.

    Raise `CONTENT_TOO_LARGE` beyond `limit` bytes, `UNSUPPORTED_MEDIA_TYPE` unless it is JSON, and what `newest_body`
    raises.
    """
    content_type = header_of(request.scope, b"content-type")
    media_type = "application/json" if content_type is None else content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise ValidationError("send the body as application/json", ErrorCode.UNSUPPORTED_MEDIA_TYPE)
    declared = header_of(request.scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if request.scope.get(_NEWEST, False):
        return body  # it was read before, for its Idempotency-Key
    request.scope[_NEWEST] = True
    if content_type is not None and "profile" in content_type:
        return newest_body(content_type, body, request.app.state.schemas)
    exchange = exchange_of(request)
    return body if exchange is None else exchange.newest_of(body)


async def read_model(request: Request, model: type[Model], limit: int) -> Model:
    """The body as `model`, validated once."""
    return parsed(model, await read_body(request, limit))


def parsed(model: type[Model], body: bytes) -> Model:
    """The body as `model`; raise `RefusedBody` if it is not one."""
    try:
        return model.model_validate_json(body)
    except PydanticError as error:
        raise RefusedBody(error) from None


async def read_owned(request: Request, principal: Principal, model: type[Owned], limit: int) -> Owned:
    """The body as `model`, for the credential's tenant; raise `TENANT_MISMATCH` if it names another."""
    return for_tenant(await read_model(request, model, limit), principal)


def for_tenant(asked: Owned, principal: Principal) -> Owned:
    """The request with the tenant that the credential gives it."""
    tenant_id = principal.tenant_for(asked.tenant_id)
    if asked.tenant_id == tenant_id:
        return asked
    return asked.model_copy(update={"tenant_id": tenant_id})


def _too_large(limit: int) -> ValidationError:
    return ValidationError(f"the body is larger than {limit} bytes", ErrorCode.CONTENT_TOO_LARGE)
