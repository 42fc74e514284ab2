"""Who is calling: API keys, the shared secret of the links, or nobody on loopback."""

from __future__ import annotations

import hmac
from time import monotonic

from starlette.requests import Request

from llama_mapper.domain.kernel.acting import HEADER as ACTING_HEADER
from llama_mapper.domain.kernel.acting import read as read_acting
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.credentials import ApiKeyRecord, ApiKeys, key_id_of, looks_like_key, verify_key
from llama_mapper.domain.kernel.errors import AuthenticationError
from llama_mapper.domain.kernel.shared_reading import SharedReading
from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT, Principal, Scope
from llama_mapper.entrypoints.http.headers import header_of

_LOCAL = Principal("local", LOCAL_TENANT, frozenset({Scope.ASSESS, Scope.READ, Scope.ADMIN}), keyless=True)
_LINK = Principal("link", LOCAL_TENANT, frozenset({Scope.INTERNAL}), over_link=True)
_ACTING = ACTING_HEADER.encode()
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Authenticator:
    """Turns a request's credential into a principal.

    A key that exists is judged by itself. Where `allow_local` holds (the server listens on loopback only) and the
    installation has no API key, every other caller is tenant `local`; a request whose Host is not a loopback name is
    refused even then, so that no web page can reach the server by DNS rebinding. Records are remembered for `memory_s`
    seconds: within that time a new or revoked key takes effect.
    """

    def __init__(
        self,
        keys: ApiKeys,
        pepper: bytes,
        clock: Clock,
        *,
        allow_local: bool,
        link_secret: str | None = None,
        memory_s: float = 2.0,
    ) -> None:
        self._keys = keys
        self._pepper = pepper
        self._link_secret = link_secret.encode() if link_secret else None
        self._clock = clock
        self._allow_local = allow_local
        self._memory_s = memory_s
        self._records: dict[str, tuple[float, ApiKeyRecord | None]] = {}
        self._keyless: tuple[float, bool] = (float("-inf"), False)
        self._reading_records: SharedReading[ApiKeyRecord | None] = SharedReading()
        self._reading_keyless: SharedReading[bool] = SharedReading()

    async def is_keyless(self) -> bool:
        """Whether the installation has no API key yet."""
        read_at, keyless = self._keyless
        if monotonic() - read_at > self._memory_s:
            return await self._reading_keyless.read("", self._read_keyless)
        return keyless

    def is_link(self, request: Request) -> bool:
        """Whether the caller is another context of this product; a malformed credential is not."""
        secret = self._link_secret
        if secret is None:
            return False
        try:
            presented = _presented(request)
        except AuthenticationError:
            return False
        return presented is not None and hmac.compare_digest(presented.encode(), secret)

    async def authenticate(self, request: Request) -> Principal:
        """The caller; raise `UNAUTHORIZED` for a missing or bad credential."""
        presented = _presented(request)
        secret = self._link_secret
        if presented is not None and secret is not None and hmac.compare_digest(presented.encode(), secret):
            acting_for = header_of(request.scope, _ACTING)
            return _LINK if acting_for is None else read_acting(acting_for)
        record = None
        if presented is not None and looks_like_key(presented):
            record = await self._record(key_id_of(presented))
        # Before anything else: what is remembered of an installation without keys must not turn the first key's owner
        # into the tenant `local`.
        if presented is not None and record is not None:
            return verify_key(self._pepper, presented, record, self._clock())
        if self._allow_local and await self.is_keyless():
            return _local(request)
        if presented is None:
            raise AuthenticationError("send an API key as 'Authorization: Bearer …' or 'X-API-Key'")
        return verify_key(self._pepper, presented, None, self._clock())

    async def _record(self, key_id: str) -> ApiKeyRecord | None:
        if (known := self._records.get(key_id)) is not None and monotonic() - known[0] <= self._memory_s:
            return known[1]
        return await self._reading_records.read(key_id, lambda: self._read_record(key_id))

    async def _read_record(self, key_id: str) -> ApiKeyRecord | None:
        now = monotonic()
        record = await self._keys.get(key_id)
        if len(self._records) >= 4096:
            self._records.clear()
        self._records[key_id] = (now, record)
        return record

    async def _read_keyless(self) -> bool:
        now = monotonic()
        keyless = not await self._keys.list()
        self._keyless = (now, keyless)
        return keyless


def _local(request: Request) -> Principal:
    host = (header_of(request.scope, b"host") or "").lower()
    name = host if host.endswith("]") else host.rsplit(":", 1)[0]
    if name not in _LOOPBACK_HOSTS:
        raise AuthenticationError("without API keys only requests to a loopback host name are answered")
    return _LOCAL


def _presented(request: Request) -> str | None:
    authorization = header_of(request.scope, b"authorization")
    if authorization is not None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise AuthenticationError("the Authorization header is not 'Bearer <key>'")
        return value.strip()
    return header_of(request.scope, b"x-api-key")
