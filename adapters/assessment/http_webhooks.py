"""Webhooks over HTTP with httpx2: to checked addresses, without redirects, without reading what is answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from llama_mapper.adapters.assessment.webhook_addresses import Address, WebhookHosts, literal
from llama_mapper.domain.assessment.jobs.model import DeliveryAttempt
from llama_mapper.domain.kernel.errors import ValidationError

if TYPE_CHECKING:
    import httpx2

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host."""

_REFUSED = DeliveryAttempt(fault="ADDRESS_REFUSED")
_UNREACHABLE = DeliveryAttempt(fault="UNREACHABLE")
_TIMEOUT = DeliveryAttempt(fault="TIMEOUT")


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """The system's resolver; raise `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class HttpWebhooks:
    """Keeps the promise of the `WebhookSender` port.

    A name is resolved once, every address that it leads to is checked, and the connection goes to a checked address:
    a second answer of the name server cannot lead elsewhere. TLS is verified against the name. Connections are not
    kept, since a kept one could carry another receiver's message to who is at the same address. No proxy is used.
    """

    def __init__(self, hosts: WebhookHosts, *, timeout_s: float = 10.0, resolve: Resolve = resolve_by_system) -> None:
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._client: httpx2.AsyncClient | None = None

    def check(self, url: str) -> None:
        """See `WebhookSender.check`."""
        parsed = _parsed(url)
        if parsed is None:
            raise ValidationError("the webhook's URL is not valid")
        if not self._may_be_asked(parsed):
            raise ValidationError("a webhook goes to an https:// URL on a public address, unless the host is allowed")

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> DeliveryAttempt:
        """See `WebhookSender.send`."""
        import httpx2

        parsed = _parsed(url)
        if parsed is None or not self._may_be_asked(parsed):  # what is allowed may have changed since it was submitted
            return _REFUSED
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._resolve(_host(parsed), parsed.port or _PORTS[parsed.scheme])
                if not addresses or not all(self._permits(parsed, address) for address in addresses):
                    return _REFUSED
                return await self._post(parsed, addresses[0], headers, body)
        except (TimeoutError, httpx2.TimeoutException):
            return _TIMEOUT
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError):
            return _UNREACHABLE

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, url: httpx2.URL, address: str, headers: dict[str, str], body: bytes) -> DeliveryAttempt:
        client = self._client = self._client or _new_client(self._timeout_s)
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers=headers | {"host": url.netloc.decode("ascii"), "user-agent": "llama-mapper"},
            extensions={"sni_hostname": _host(url)},
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            return DeliveryAttempt(status=response.status_code)
        finally:
            await response.aclose()  # unread

    def _may_be_asked(self, url: httpx2.URL) -> bool:
        host = _host(url)
        if self._hosts.names(host):
            return True
        address = literal(host)
        return url.scheme == "https" and (address is None or self._hosts.permits(host, address))

    def _permits(self, url: httpx2.URL, address: str) -> bool:
        checked: Address | None = literal(address)
        return checked is not None and self._hosts.permits(_host(url), checked)


_PORTS = {"http": 80, "https": 443}


def _parsed(url: str) -> httpx2.URL | None:
    """The URL, or None if it is not one that can be called. One parser judges and connects."""
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return None
    good = parsed.scheme in _PORTS and parsed.host and not parsed.userinfo and 1 <= (parsed.port or 1) <= 65_535
    return parsed if good else None


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]")


def _new_client(timeout_s: float) -> httpx2.AsyncClient:
    import httpx2

    return httpx2.AsyncClient(
        timeout=timeout_s, trust_env=False, limits=httpx2.Limits(max_connections=64, max_keepalive_connections=0)
    )
