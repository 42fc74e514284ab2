"""What every caller of a remote HTTP service needs: the pooled client, and the parts of the protocol they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

_IDLE_S = 3.0  # below the 5 s after which common servers close an idle connection: a request must not meet the close


def open_http_client(connections: int) -> aiohttp.ClientSession:
    """A client of this event loop with at most so many connections; close it with `close`.

    It keeps no cookies and does not use the environment's proxies. Time is limited by each call, not by the client.
    """
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_IDLE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A compressed answer could grow beyond its bound between two looks at its size.
        headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "llama-mapper"},
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=False,
    )


def openai_url(base: str, path: str) -> str:
    """`path` of an OpenAI-compatible service whose base address is given with or without its `/v1`."""
    base = base.rstrip("/")
    return base + path if base.endswith("/v1") else f"{base}/v1{path}"


def retry_after(text: str) -> float | None:
    """Seconds to wait by the header `Retry-After` (RFC 9110, 10.2.3), in either of its two forms; None if malformed."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), 86_400.0)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), 86_400.0)
