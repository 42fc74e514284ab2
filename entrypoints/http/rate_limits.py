"""Rate limits at the door: who is counted, and how answers tell what is left.

The header fields are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` names each limit with its
quota `q` and window `w` in seconds, `RateLimit` what remains (`r`) and for how many seconds (`t`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.kernel.errors import RateLimitError
from llama_mapper.domain.kernel.rate_limits import NO_TENANT, Allowance, Limit, Quota, RateLimiter, whole_seconds
from llama_mapper.domain.kernel.tenancy import Principal

_UNKNOWN = "unknown"


class RateLimits:
    """Admits requests by address, API key and tenant; a limit of 0 is none.

    Calls of the other contexts are not counted: the front door counted the request that they are part of.
    """

    def __init__(self, limiter: RateLimiter, *, key: int = 0, tenant: int = 0, address: int = 0) -> None:
        self._limiter = limiter
        self._key = Limit("key", key) if key else None
        self._tenant = Limit("tenant", tenant) if tenant else None
        self._address = Limit("address", address) if address else None
        self._quotas = lru_cache(maxsize=4096)(self._quotas_of)

    @property
    def by_address(self) -> bool:
        """Whether requests are counted before the credential is looked at."""
        return self._address is not None

    @property
    def by_credential(self) -> bool:
        """Whether requests are counted once the caller is known."""
        return self._key is not None or self._tenant is not None

    async def admit_address(self, request: Request) -> Sequence[Allowance]:
        """Count the request on its client address; the allowance says whether it may go on."""
        if self._address is None:
            return ()
        host = request.client.host if request.client is not None else _UNKNOWN
        return await self._limiter.admit((Quota(self._address, NO_TENANT, _subject_of(host)),))

    async def admit(self, principal: Principal) -> Sequence[Allowance]:
        """Count the request on the caller's key and tenant; the allowances say whether it may go on."""
        if principal.over_link:
            return ()
        quotas = self._quotas(principal.tenant_id, principal.key_id)
        return await self._limiter.admit(quotas) if quotas else ()

    def _quotas_of(self, tenant_id: str, key_id: str | None) -> tuple[Quota, ...]:
        quotas = []
        if self._key is not None and key_id is not None:
            quotas.append(Quota(self._key, tenant_id, key_id))
        if self._tenant is not None:
            quotas.append(Quota(self._tenant, tenant_id, ""))
        return tuple(quotas)


def denial(allowances: Sequence[Allowance]) -> RateLimitError | None:
    """The error where a limit is used up: `RATE_LIMITED` with the wait after which all have room again."""
    waits = [(each.retry_after_s, each.limit) for each in allowances if each.retry_after_s is not None]
    if not waits:
        return None
    wait_s, limit = max(waits, key=lambda pair: pair[0])
    message = f"more than {limit.requests} requests in {limit.window_s} seconds for this {limit.name}"
    return RateLimitError(message, retry_after_s=wait_s)


def tell(response: Response, allowances: Sequence[Allowance]) -> None:
    """Put the two header fields on an answer."""
    policies = ", ".join([_policy(allowance.limit) for allowance in allowances])
    standing = ", ".join(
        [
            f'"{each.limit.name}";r={each.remaining};t={whole_seconds(each.retry_after_s or each.reset_s)}'
            for each in allowances
        ]
    )
    response.raw_headers += [(b"ratelimit-policy", policies.encode()), (b"ratelimit", standing.encode())]


@lru_cache(maxsize=64)
def _policy(limit: Limit) -> str:
    return f'"{limit.name}";q={limit.requests};w={limit.window_s}'


@lru_cache(maxsize=4096)
def _subject_of(host: str) -> str:
    """The address, or of IPv6 its /64 network, which one caller usually has whole."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return _UNKNOWN
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.exploded[:19] + "::/64"
