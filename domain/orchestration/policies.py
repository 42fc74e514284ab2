"""Which policy bundle a tenant means by a name: its own first, then the shipped one."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.orchestration import PolicyInfo
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.kernel.shared_reading import SharedReading
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyBundles

_REMEMBERED = 4096


class PolicyDirectory:
    """Finds bundles, and remembers for `ttl_s` seconds what the store said for a tenant and a name.

    The store is a database; a query a request would cost more than all the rest. So a newly activated bundle takes
    effect within `ttl_s`, in every process. A store that fails is an error, not a reason to use the shipped bundle:
    that would quietly replace the tenant's policy.
    """

    def __init__(
        self,
        store: PolicyBundles,
        shipped: Sequence[PolicyBundle],
        *,
        ttl_s: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._shipped = {bundle.name: bundle for bundle in shipped}
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._remembered: OrderedDict[tuple[str, str], tuple[float, PolicyBundle | None]] = OrderedDict()
        self._reading: SharedReading[PolicyBundle | None] = SharedReading()

    async def find(self, tenant_id: str, name: str) -> PolicyBundle:
        """The bundle; raise `POLICY_NOT_FOUND`, listing the names that the tenant may use."""
        key = (tenant_id, name)
        remembered = self._remembered.get(key)
        if remembered is not None and remembered[0] > self._monotonic():
            own = remembered[1]
        else:
            own = await self._reading.read(key, lambda: self._read(key))
        bundle = own or self._shipped.get(name)
        if bundle is None:
            known = ", ".join(info.bundle for info in await self.list(tenant_id))
            raise PolicyEnforcementError(
                f"there is no policy bundle '{name}'; known are: {known or 'none'}", ErrorCode.POLICY_NOT_FOUND
            )
        return bundle

    async def _read(self, key: tuple[str, str]) -> PolicyBundle | None:
        own = await self._store.get(*key)
        self._remembered[key] = (self._monotonic() + self._ttl_s, own)
        self._remembered.move_to_end(key)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return own

    async def list(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """Every bundle that the tenant may name, by name; its own stands before a shipped one of the same name."""
        bundles = self._shipped | {bundle.name: bundle for bundle in await self._store.list(tenant_id)}
        return tuple(
            PolicyInfo(
                bundle=name,
                version=bundles[name].version,
                digest=bundles[name].digest,
                description=bundles[name].description,
            )
            for name in sorted(bundles)
        )
