"""Simulating a policy bundle: the records come from the assessment context, the deciding from orchestration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError as PydanticError

from llama_mapper.domain.assessment.ports import AssessmentStore
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import OrchestrationResponse
from llama_mapper.domain.contracts.policy_simulation import (
    DEFAULT_RECORDS,
    MissingDetector,
    PolicySimulation,
    VerdictChange,
)
from llama_mapper.domain.kernel.errors import ErrorCode, PolicyEnforcementError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.model import Plan
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine
from llama_mapper.domain.orchestration.simulation import SimulationTally, facts_for, simulate_record
from llama_mapper.domain.orchestration.validation.trials import Registered

_PAGE = 50
_AT_A_TIME = 4
"""Records that are judged before others get their turn: some milliseconds."""

Progress = Callable[[int], None]
FindVersion = Callable[[str, str, str], Awaitable[PolicyBundle]]


@dataclass(frozen=True, slots=True)
class PolicySimulator:
    """Simulates bundles. `find` gives a tenant's bundle of a name and version, or raises `POLICY_NOT_FOUND`."""

    store: AssessmentStore
    engine: PolicyEngine
    catalogue: CatalogueView
    detectors: Callable[[], Awaitable[Sequence[Registered]]]
    find: FindVersion

    async def simulate_version(self, tenant_id: str, name: str, version: str, limit: int) -> PolicySimulation:
        """`simulate` for a bundle that is known here."""
        return await self.simulate(tenant_id, await self.find(tenant_id, name, version), limit)

    async def simulate(
        self,
        tenant_id: str,
        bundle: PolicyBundle,
        limit: int = DEFAULT_RECORDS,
        on_progress: Progress = lambda _: None,
    ) -> PolicySimulation:
        """What `bundle` would have decided of the tenant's newest `limit` records; `on_progress` is told how many.

        Raises `POLICY_INVALID` if the bundle has a valid plan for none of them.
        """
        registered = [_fact(info) for info in await self.detectors()]
        plans: dict[tuple[str, str], Plan | PolicyEnforcementError] = {}
        tally = SimulationTally()
        before: str | None = None
        while tally.records < limit:
            rows = await self.store.list(tenant_id, limit=min(_PAGE, limit - tally.records), before=before)
            if not rows:
                break
            before = rows[-1].id
            for number, row in enumerate(rows):
                if number % _AT_A_TIME == 0:
                    await asyncio.sleep(0)
                response = _orchestration(row.body)
                plan = None if response is None else await self._plan(bundle, response, registered, plans)
                if response is None or not isinstance(plan, Plan):
                    tally.add_unreadable()
                else:
                    tally.add(row.id, simulate_record(response, plan, bundle.applied, self.catalogue))
            on_progress(tally.records)
        refusals = [plan for plan in plans.values() if isinstance(plan, PolicyEnforcementError)]
        if refusals and len(refusals) == len(plans):
            raise refusals[0]
        return _report(bundle, tally)

    async def _plan(
        self,
        bundle: PolicyBundle,
        response: OrchestrationResponse,
        registered: Sequence[Mapping[str, object]],
        plans: dict[tuple[str, str], Plan | PolicyEnforcementError],
    ) -> Plan | PolicyEnforcementError:
        key, facts = facts_for(response, registered)
        known = plans.get(key)
        if known is None:
            try:
                known = parse_plan(await self.engine.evaluate(bundle, facts))
            except PolicyEnforcementError as error:
                known = PolicyEnforcementError(error.message, error.error_code)
            plans[key] = known
        return known


def _fact(info: Registered) -> Mapping[str, object]:
    return {
        "name": info.name,
        "categories": list(info.categories),
        "languages": list(info.languages),
        "ready": True,  # what a policy decides should not hang on what is loading just now
    }


def _orchestration(body: bytes) -> OrchestrationResponse | None:
    try:
        return OrchestrationResponse.model_validate_json(orjson.dumps(orjson.loads(body)["orchestration"]))
    except (PydanticError, ValueError, KeyError, TypeError):
        return None


def _report(bundle: PolicyBundle, tally: SimulationTally) -> PolicySimulation:
    return PolicySimulation(
        policy_applied=bundle.applied,
        policy_digest=bundle.digest,
        records=tally.records,
        judged=tally.judged,
        unchanged=tally.unchanged,
        unknown=tally.unknown,
        unreadable=tally.unreadable,
        changes=tuple(
            VerdictChange(before=before, after=after, count=count, samples=tuple(tally.samples[before, after]))
            for (before, after), count in tally.changes.most_common()
        ),
        missing_detectors=tuple(
            MissingDetector(detector=name, records=count) for name, count in tally.missing.most_common()
        ),
        sufficient_before=tally.sufficient_before,
        sufficient_after=tally.sufficient_after,
    )


def version_finder(
    shipped: Sequence[PolicyBundle], get: Callable[[str, str, str], Awaitable[PolicyBundle | None]]
) -> FindVersion:
    """Finds a stored version of a bundle, the tenant's own, then one for everybody, then the shipped one."""

    async def find(tenant_id: str, name: str, version: str) -> PolicyBundle:
        for owner in (tenant_id, EVERYONE):
            if (own := await get(owner, name, version)) is not None:
                return own
        for bundle in shipped:
            if (bundle.name, bundle.version) == (name, version):
                return bundle
        raise PolicyEnforcementError(f"there is no policy bundle '{name}@{version}'", ErrorCode.POLICY_NOT_FOUND)

    return find
