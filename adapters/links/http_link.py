"""One call to another context over HTTP: same models, same errors, same trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from llama_mapper.domain.kernel.errors import ErrorCode, LinkError, OrchestrationError, error_from_code
from llama_mapper.domain.kernel.trace import CURRENT_TRACE

if TYPE_CHECKING:
    import httpx2

Answer = TypeVar("Answer", bound=BaseModel)

_PROBLEM = "application/problem+json"


def open_client(base_url: str, *, secret: str | None, timeout_s: float) -> httpx2.AsyncClient:
    """One pooled client for one service; close it with `aclose`. The environment's proxies are not used."""
    import httpx2

    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=timeout_s, trust_env=False)


class HttpLink:
    """Calls one service. Raises the error that the service raised, or a `LinkError` where it did not answer."""

    def __init__(self, client: httpx2.AsyncClient, service: str) -> None:
        self._client = client
        self._service = service

    async def post(self, path: str, request: BaseModel, answer: type[Answer]) -> Answer:
        """Send `request`, get an `answer`."""
        return await self._call("POST", path, answer, content=request.__pydantic_serializer__.to_json(request))

    async def get(self, path: str, answer: type[Answer], params: dict[str, str] | None = None) -> Answer:
        """Get an `answer`."""
        return await self._call("GET", path, answer, params=params)

    async def is_ready(self) -> str | None:
        """None if the service says that it serves, else why not."""
        import httpx2

        try:
            response = await self._client.get("/healthz")
        except httpx2.HTTPError as error:
            return f"unreachable ({type(error).__name__})"
        return None if response.status_code == 200 else f"answered {response.status_code}"

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, answer: type[Answer], **arguments: Any) -> Answer:
        import httpx2

        trace = CURRENT_TRACE.get()
        headers = {"content-type": "application/json"}
        if trace is not None:
            headers["traceparent"] = trace.traceparent
        try:
            response = await self._client.request(method, path, headers=headers, **arguments)
        except httpx2.TimeoutException as error:
            message = f"the {self._service} service did not answer in time"
            raise OrchestrationError(message, ErrorCode.REQUEST_TIMEOUT, True) from error
        except httpx2.HTTPError as error:
            message = f"the {self._service} service cannot be reached ({type(error).__name__})"
            raise LinkError(message) from error
        if response.is_success:
            return self._read(response.content, answer)
        raise self._error(response)

    def _read(self, body: bytes, answer: type[Answer]) -> Answer:
        try:
            return answer.model_validate_json(body)
        except PydanticError as error:
            raise self._invalid("an answer outside its contract") from error

    def _error(self, response: httpx2.Response) -> Exception:
        if response.headers.get("content-type", "").partition(";")[0] != _PROBLEM:
            return self._invalid(f"status {response.status_code} without a problem document")
        try:
            problem = orjson.loads(response.content)
            code, detail, retryable = problem["code"], problem["detail"], problem["retryable"]
        except (ValueError, KeyError, TypeError):
            return self._invalid("a malformed problem document")
        retry_after = response.headers.get("retry-after", "")
        return error_from_code(
            str(code),
            str(detail),
            retryable=bool(retryable),
            retry_after_s=float(retry_after) if retry_after.isdigit() else None,
        )

    def _invalid(self, what: str) -> LinkError:
        return LinkError(f"the {self._service} service gave {what}", ErrorCode.UPSTREAM_INVALID_RESPONSE, False)
