"""Opening the policy bundles alone, for the commands that manage them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.adapters.orchestration.policies.policy_folders import read_policy_folder
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.orchestration.policies.sql_policy_bundles import SqlPolicyBundles
from llama_mapper.domain.orchestration.bundle import check_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyBundles, PolicyEngine
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.policy_engines import running_engine
from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True)
class Policies:
    """A tenant's bundles, the shipped ones, and the engine that checks a new one."""

    stored: PolicyBundles
    shipped: Sequence[PolicyBundle]
    engine: PolicyEngine

    async def add(self, tenant_id: str, folder: Path) -> PolicyBundle:
        """Check the bundle in `folder` and store it for the tenant; raise `POLICY_INVALID` or `CONFLICT`."""
        bundle = read_policy_folder(folder)
        await check_bundle(self.engine, bundle, tenant_id)
        await self.stored.put(tenant_id, bundle)
        return bundle


@asynccontextmanager
async def open_policies(settings: Settings) -> AsyncIterator[Policies]:
    """The installation's policy bundles."""
    shipped = load_shipped_bundles()
    async with (
        open_database(database_for(settings, "orchestration")) as database,
        running_engine(settings, shipped) as engine,
    ):
        yield Policies(SqlPolicyBundles(database), shipped, engine)
