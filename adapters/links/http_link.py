"""One call to another context over HTTP: same models, same errors, same trace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from llama_mapper.adapters.platform.http_steps import heed_status, http_step
from llama_mapper.domain.contracts.json_form import json_form
from llama_mapper.domain.kernel.errors import (
    ConfigurationError,
    ErrorCode,
    LinkError,
    OrchestrationError,
    ServiceError,
    error_from_code,
)
from llama_mapper.domain.kernel.trace import CURRENT_TRACE

if TYPE_CHECKING:
    import httpx2

Answer = TypeVar("Answer", bound=BaseModel)

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_READY_S = 2.0
_IDLE_S = 3.0  # less than the 5 s after which our servers close an idle connection: a request must not meet the close
_GATEWAY_STATUSES = frozenset({502, 503, 504})
_WRONG_LINK = frozenset(
    {
        ErrorCode.UNAUTHORIZED.value,
        ErrorCode.INSUFFICIENT_RBAC.value,
        ErrorCode.NOT_FOUND.value,
        ErrorCode.METHOD_NOT_ALLOWED.value,
    }
)
"""Codes that no Api promises: what they say is about the link, not about the request that came in at the front."""


def open_client(
    base_url: str, *, secret: str | None, timeout_s: float, transport: httpx2.AsyncBaseTransport | None = None
) -> httpx2.AsyncClient:
    """One pooled client for one service; close it with `aclose`. The environment's proxies are not used."""
    import httpx2

    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=_IDLE_S)
    return httpx2.AsyncClient(
        base_url=base_url, headers=headers, timeout=timeout_s, limits=limits, transport=transport, trust_env=False
    )


class HttpLink:
    """Calls one service.

    Raises the error that the service raised; `REQUEST_TIMEOUT` where the whole answer took longer than `timeout_s`
    seconds; a `LinkError` where the service was not reached (`SERVICE_UNAVAILABLE`) or answered outside its contract
    (`UPSTREAM_INVALID_RESPONSE`); `CONFIGURATION_INVALID` where it answers a code of `wrong_link`: by default those
    that say that it does not know us or lacks the route.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        service: str,
        timeout_s: float,
        *,
        wrong_link: frozenset[str] = _WRONG_LINK,
    ) -> None:
        self._client = client
        self._base_url = str(client.base_url)
        self._service = service
        self._timeout_s = timeout_s
        self._wrong_link = wrong_link

    async def post(self, path: str, request: BaseModel, answer: type[Answer]) -> Answer:
        """Send `request`, get an `answer`."""
        return await self._call("POST", path, answer, content=json_form(request))

    async def get(self, path: str, answer: type[Answer], params: dict[str, str] | None = None) -> Answer:
        """Get an `answer`."""
        return await self._call("GET", path, answer, params=params)

    async def delete(self, path: str, answer: type[Answer]) -> Answer:
        """Delete, get an `answer`."""
        return await self._call("DELETE", path, answer)

    async def is_ready(self) -> str | None:
        """None if the service says that it serves, else why not."""
        import httpx2

        try:
            response = await self._client.get("/readyz", timeout=_READY_S)
        except httpx2.HTTPError as error:
            return f"unreachable ({type(error).__name__})"
        return None if response.status_code == 200 else f"answered {response.status_code}"

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, answer: type[Answer], **arguments: Any) -> Answer:
        with http_step(method, self._base_url, self._service) as at:
            response = await self._answered(method, path, arguments)
            heed_status(at, response.status_code)
            if response.is_success:
                return self._read(response, answer)
            error = self._error(response)
            at.fail(error.error_code.value)
            raise error

    async def _answered(self, method: str, path: str, arguments: dict[str, Any]) -> httpx2.Response:
        import httpx2

        trace = CURRENT_TRACE.get()
        headers = {"content-type": "application/json"}
        if trace is not None:
            headers |= trace.headers
        try:
            # The client's own timeout bounds each read, so that a service which trickles would never be late.
            async with asyncio.timeout(self._timeout_s):
                return await self._client.request(method, path, headers=headers, **arguments)
        except (TimeoutError, httpx2.TimeoutException) as error:
            message = f"the {self._service} service did not answer in time"
            raise OrchestrationError(message, ErrorCode.REQUEST_TIMEOUT, True) from error
        except httpx2.DecodingError as error:
            raise self._invalid("a body that cannot be decoded") from error
        except httpx2.HTTPError as error:
            message = f"the {self._service} service cannot be reached ({type(error).__name__})"
            raise LinkError(message) from error

    def _read(self, response: httpx2.Response, answer: type[Answer]) -> Answer:
        if _media_type(response) != _JSON:
            raise self._invalid("an answer that is not JSON")
        try:
            return answer.model_validate_json(response.content)
        except PydanticError as error:
            raise self._invalid("an answer outside its contract") from error

    def _error(self, response: httpx2.Response) -> ServiceError:
        if _media_type(response) != _PROBLEM:
            if response.status_code in _GATEWAY_STATUSES:
                return LinkError(f"the {self._service} service cannot be reached (status {response.status_code})")
            return self._invalid(f"status {response.status_code} without a problem document")
        try:
            problem = orjson.loads(response.content)
            code, detail, retryable = problem["code"], problem["detail"], problem["retryable"]
            wait = problem.get("retry_after_s", _seconds(response.headers.get("retry-after", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._invalid("a malformed problem document")
        if not (isinstance(code, str) and isinstance(detail, str) and isinstance(retryable, bool)):
            return self._invalid("a malformed problem document")
        if code in self._wrong_link:
            return ConfigurationError(
                f"the {self._service} service answered {code}: its URL or the link secret is not set as it should be"
            )
        retry_after_s = float(wait) if isinstance(wait, int | float) else None
        return error_from_code(code, detail, retryable=retryable, retry_after_s=retry_after_s)

    def _invalid(self, what: str) -> LinkError:
        return LinkError(f"the {self._service} service gave {what}", ErrorCode.UPSTREAM_INVALID_RESPONSE, False)


def _media_type(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdecimal() else None
