"""Which policy bundle a request gets by the name it gives: see `lifecycle.precedence`."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_mapper.domain.contracts.orchestration import OrchestrationOptions, PolicyInfo
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError, StoreError
from llama_mapper.domain.kernel.tenancy import CURRENT_PRINCIPAL, EVERYONE
from llama_mapper.domain.orchestration.lifecycle.activation import in_force
from llama_mapper.domain.orchestration.lifecycle.ports import PolicyStandings
from llama_mapper.domain.orchestration.lifecycle.precedence import Resolution, Standing
from llama_mapper.domain.orchestration.lifecycle.traffic import SHARES, request_key, share_of
from llama_mapper.domain.orchestration.ports import PolicyBundle, TextDigests

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Remembered:
    until: float
    mark: tuple[int, int]
    standing: Standing


class PolicyDirectory:
    """Finds bundles, and remembers for `ttl_s` seconds what was in force for a tenant and a name.

    The store is a database; a query a request would cost more than all the rest. So a change takes effect within
    `ttl_s` and the time of a query, in every process: the store is asked whether anything happened, and only if
    something did what it was. A change is seen whole or not at all, since what is in force is replaced as one value. A
    store that fails is an error, not a reason to use another bundle: that would quietly replace the tenant's policy.
    """

    def __init__(
        self,
        store: PolicyStandings,
        shipped: Sequence[PolicyBundle],
        digests: TextDigests,
        *,
        ttl_s: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._shipped = {bundle.name: bundle for bundle in shipped}
        self._digests = digests
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._remembered: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()
        self._reading: dict[tuple[str, str], asyncio.Task[Standing]] = {}

    async def find(self, tenant_id: str, request: OrchestrationOptions) -> Resolution:
        """What decides the request of the caller that the door authenticated, and why.

        Raises `POLICY_NOT_FOUND`, listing the names that the tenant may use.
        """
        name = request.policy_bundle
        remembered = self._remembered.get((tenant_id, name))
        if remembered is not None and remembered.until > self._monotonic():
            standing = remembered.standing
        else:
            standing = await self._current(tenant_id, name)
        principal = CURRENT_PRINCIPAL.get()
        split = standing.split(None if principal is None else principal.key_name_for(tenant_id), request.content_type)
        if split.bounds:
            key = request_key(tenant_id, request, self._digests)
            resolution = split.at(share_of(tenant_id, name, key))
        else:
            resolution = split.resolutions[0]
        if resolution is None:
            known = ", ".join(info.bundle for info in await self.list(tenant_id))
            raise PolicyEnforcementError(
                f"there is no policy bundle '{name}'; known are: {known or 'none'}", ErrorCode.POLICY_NOT_FOUND
            )
        return resolution

    async def list(self, tenant_id: str) -> tuple[PolicyInfo, ...]:
        """Every bundle that the caller may name, by name, in the version that most of its requests get."""
        names = {*self._shipped}
        for owner in (tenant_id, EVERYONE):
            names.update(await self._store.names(owner))
        principal = CURRENT_PRINCIPAL.get()
        key = None if principal is None else principal.key_name_for(tenant_id)
        found = []
        for name in sorted(names):
            remembered = self._remembered.get((tenant_id, name))
            is_fresh = remembered is not None and remembered.until > self._monotonic()
            standing = remembered.standing if remembered and is_fresh else await self._current(tenant_id, name)
            # The last share is met by whatever takes more than its part, so by the most.
            met = (split.at(share) for split in standing.all_splits(key) for share in (SHARES - 1, 0))
            if (resolution := next((each for each in met if each is not None), None)) is not None:
                found.append(_info(resolution.bundle))
        return tuple(found)

    async def _current(self, tenant_id: str, name: str) -> Standing:
        """What is in force now. Requests that ask together share one answer of the store."""
        key = (tenant_id, name)
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(tenant_id, name))
            reading.add_done_callback(lambda task: self._read_was(key, task))
        return await asyncio.shield(reading)

    def _read_was(self, key: tuple[str, str], task: asyncio.Task[Standing]) -> None:
        del self._reading[key]
        if not task.cancelled():
            task.exception()  # whoever waited has got it; if nobody waits any more, nobody needs it

    async def _read(self, tenant_id: str, name: str) -> Standing:
        key = (tenant_id, name)
        asked = self._monotonic()
        mark = await self._store.mark(tenant_id, name)
        known = self._remembered.get(key)
        if known is not None and known.mark == mark:
            standing = known.standing
        else:
            standing = await self._standing(tenant_id, name, None if known is None else known.standing)
        self._remembered[key] = _Remembered(asked + self._ttl_s, mark, standing)
        self._remembered.move_to_end(key)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return standing

    async def _standing(self, tenant_id: str, name: str, known: Standing | None) -> Standing:
        activations = await self._store.activations(tenant_id, name)
        own, everyone = in_force(activations.own), in_force(activations.everyone)
        bundles = {}
        for is_own, chains in ((True, own), (False, everyone)):
            for version in {event.version for chain in chains.values() for event in chain}:
                if version is None:
                    continue
                bundle = None if known is None else known.bundles.get((is_own, version))
                bundle = bundle or await self._store.get(tenant_id if is_own else EVERYONE, name, version)
                if bundle is None:
                    raise StoreError(f"the policy bundle {name}@{version} is in force and not in the store")
                bundles[is_own, version] = bundle
        return Standing(name, own, everyone, bundles, self._shipped.get(name))


def _info(bundle: PolicyBundle) -> PolicyInfo:
    return PolicyInfo(bundle=bundle.name, version=bundle.version, digest=bundle.digest, description=bundle.description)
