"""Opening the life of policy bundles alone, for the commands that manage them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.adapters.orchestration.policies.policy_folders import read_policy_folder
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.policies import (
    Door,
    PolicyActivationRequest,
    PolicyActor,
    PolicyApproval,
    PolicyState,
    PolicyVersionInfo,
)
from llama_mapper.domain.kernel.clock import system_clock
from llama_mapper.domain.kernel.errors import PolicyEnforcementError, ValidationError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.lifecycle.service import PolicyLifecycle
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.entrypoints.containers.databases import database_for, open_database
from llama_mapper.entrypoints.containers.identity import open_api_keys
from llama_mapper.entrypoints.containers.policy_engines import bundle_validator, running_engine
from llama_mapper.entrypoints.containers.policy_simulation import recorded_detectors
from llama_mapper.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True)
class ListedPolicy:
    """A version as a list shows it; `origin` is `own`, `global` or `shipped`."""

    bundle: str
    version: str
    origin: str
    state: str
    description: str


@dataclass(frozen=True, slots=True)
class Policies:
    """The life of bundles, the shipped ones, and who works on them here."""

    lifecycle: PolicyLifecycle
    shipped: Sequence[PolicyBundle]
    actor: PolicyActor

    async def draft(self, tenant_id: str, folder: Path, note: str) -> PolicyVersionInfo:
        """Store the bundle in `folder` as a draft; raise `POLICY_INVALID` or `CONFLICT`."""
        return await self.lifecycle.draft_bundle(tenant_id, read_policy_folder(folder), self.actor, note)

    async def add(self, tenant_id: str, folder: Path, note: str) -> PolicyVersionInfo:
        """Draft, validate, approve alone and activate for the whole tenant; each is recorded as a step of its own.

        A version that is further already goes on from there. Raises `POLICY_INVALID` with what validation found, and
        `FOUR_EYES` where a second person must approve: then the version is left validated.
        """
        bundle = read_policy_folder(folder)
        name, version = bundle.name, bundle.version
        drafted = await self.lifecycle.draft_bundle(tenant_id, bundle, self.actor, note)
        if drafted.state is PolicyState.DRAFT:
            found = await self.lifecycle.validate(tenant_id, name, version, self.actor)
            if not found.valid:
                messages = "; ".join(problem.message for problem in found.problems if problem.severity == "error")
                raise PolicyEnforcementError(messages)
            drafted = found.version
        if drafted.state is PolicyState.VALIDATED:
            alone = PolicyApproval(note=note, single_operator=True)
            await self.lifecycle.approve(tenant_id, name, version, alone, self.actor)
        await self.lifecycle.activate(tenant_id, name, version, PolicyActivationRequest(note=note), self.actor)
        return await self.lifecycle.version(tenant_id, name, version)

    async def overview(self, tenant_id: str) -> list[ListedPolicy]:
        """The bundles of the tenant, then the global, then the shipped ones: what is in force, else the newest."""
        listed: list[ListedPolicy] = []
        origins = {EVERYONE: "global"} if tenant_id == EVERYONE else {tenant_id: "own", EVERYONE: "global"}
        for owner, origin in origins.items():
            for name in await self.lifecycle.names(owner):
                versions = (await self.lifecycle.versions(owner, name)).items
                shown = [each for each in versions if each.state is PolicyState.ACTIVE] or versions[:1]
                listed += [ListedPolicy(name, one.version, origin, one.state, one.description) for one in shown]
        listed += [ListedPolicy(one.name, one.version, "shipped", "shipped", one.description) for one in self.shipped]
        return listed


@asynccontextmanager
async def open_policies(settings: Settings, person: str) -> AsyncIterator[Policies]:
    """The installation's policy bundles, for the person who runs the command; the name is taken as it is given."""
    async with open_api_keys(settings) as identity:
        keyless = not await identity.keys.list()
    try:
        actor = PolicyActor(name=person, door=Door.COMMAND, keyless=keyless)
    except ValueError:
        raise ValidationError("a person's name has 1 to 128 printable characters") from None
    shipped = load_shipped_bundles()
    async with (
        open_database(database_for(settings, "orchestration")) as database,
        running_engine(settings, shipped) as engine,
    ):
        records = SqlDetectorRecords(database)

        in_service = recorded_detectors(records)
        yield Policies(
            PolicyLifecycle(
                SqlPolicyRecords(database),
                shipped,
                engine,
                bundle_validator(settings, in_service, load_catalogue().categories),
                in_service,
                system_clock,
                four_eyes=settings.policy_four_eyes,
            ),
            shipped,
            actor,
        )
