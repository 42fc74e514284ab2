"""Whole requests passed on to another context over HTTP, in the name of their caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_mapper.adapters.platform.http_steps import heed_status, http_step
from llama_mapper.domain.kernel.acting import HEADER, written
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, LinkError, OrchestrationError
from llama_mapper.domain.kernel.forwarding import ForwardedAnswer, ForwardedRequest
from llama_mapper.domain.kernel.trace import CURRENT_TRACE

if TYPE_CHECKING:
    import httpx2

_PROBLEM = "application/problem+json"
_GATEWAY_STATUSES = frozenset({502, 503, 504})
_WRONG_LINK = frozenset({401, 405})
"""Statuses that say something about the link, not about the request that came in at the front."""

_OWN = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "link",
        "ratelimit",
        "ratelimit-policy",
        "server",
        "traceparent",
        "transfer-encoding",
        "www-authenticate",
    }
)
"""Headers of the connection, and those that the front door gives its own answers."""


class HttpForwarder:
    """Keeps `Forwarder` over a client whose credential is the link secret.

    Without a secret the service would take everybody for the tenant of an installation without keys, so that only such
    callers are passed on then.
    """

    def __init__(self, client: httpx2.AsyncClient, service: str, *, has_secret: bool) -> None:
        self._client = client
        self._base_url = str(client.base_url)
        self._service = service
        self._has_secret = has_secret

    async def forward(self, request: ForwardedRequest) -> ForwardedAnswer:
        """See `Forwarder.forward`."""
        with http_step(request.method, self._base_url, self._service) as at:
            answer = await self._forwarded(request)
            heed_status(at, answer.status)
        return answer

    async def _forwarded(self, request: ForwardedRequest) -> ForwardedAnswer:
        import httpx2

        if not (self._has_secret or request.principal.keyless):
            raise ConfigurationError("without a link secret (LLAMA_MAPPER_LINK_SECRET) no API key can be acted for")
        asked = self._client.build_request(
            request.method,
            "/",
            headers=self._headers(request),
            content=request.body,
            timeout=request.timeout_s,
            extensions={"target": request.target},
        )
        try:
            answer = await self._client.send(asked, stream=True)
            if request.is_streamed and answer.is_success:
                return ForwardedAnswer(answer.status_code, _passed_on(answer), answer.aiter_raw(), answer.aclose)
            try:
                body = await answer.aread()
            finally:
                await answer.aclose()
        except httpx2.TimeoutException as error:
            message = f"the {self._service} service did not answer in time"
            raise OrchestrationError(message, ErrorCode.REQUEST_TIMEOUT, True) from error
        except httpx2.HTTPError as error:
            raise LinkError(f"the {self._service} service cannot be reached ({type(error).__name__})") from error
        self._check(answer)
        return ForwardedAnswer(answer.status_code, _passed_on(answer), body, answer.aclose)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.aclose()

    def _headers(self, request: ForwardedRequest) -> dict[str, str]:
        headers = {**request.headers, "accept-encoding": "identity"}
        if self._has_secret:
            headers[HEADER] = written(request.principal)
        trace = CURRENT_TRACE.get()
        if trace is not None:
            headers |= trace.headers
        return headers

    def _check(self, answer: httpx2.Response) -> None:
        """Raise unless the answer is one that the caller may have."""
        status = answer.status_code
        if status < 400:
            return
        if status in _WRONG_LINK:
            raise ConfigurationError(
                f"the {self._service} service answered {status}: its URL or the link secret is not set as it should be"
            )
        if answer.headers.get("content-type", "").partition(";")[0].strip().lower() == _PROBLEM:
            return
        if status in _GATEWAY_STATUSES:
            raise LinkError(f"the {self._service} service cannot be reached (status {status})")
        message = f"the {self._service} service gave status {status} without a problem document"
        raise LinkError(message, ErrorCode.UPSTREAM_INVALID_RESPONSE, False)


def _passed_on(answer: httpx2.Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _OWN]
