"""The use cases of the life of policy bundles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from llama_mapper.domain.contracts.policies import (
    MAX_VERSIONS,
    PolicyActivationList,
    PolicyActivationRequest,
    PolicyActor,
    PolicyApproval,
    PolicyDifference,
    PolicyDraft,
    PolicyHistory,
    PolicyRefusal,
    PolicyScope,
    PolicyScopeRequest,
    PolicyStep,
    PolicyValidation,
    PolicyVersionDetail,
    PolicyVersionInfo,
    PolicyVersionList,
    Waiver,
)
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import (
    ErrorCode,
    NotFoundError,
    PolicyEnforcementError,
    StoreError,
    ValidationError,
)
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.lifecycle.activation import activated, deactivated, rolled_back
from llama_mapper.domain.orchestration.lifecycle.differences import (
    decision_differences,
    module_differences,
    value_differences,
)
from llama_mapper.domain.orchestration.lifecycle.events import Event, Log, Slot
from llama_mapper.domain.orchestration.lifecycle.ports import BundleValidator, DetectorsInService, PolicyRecords
from llama_mapper.domain.orchestration.lifecycle.states import (
    approval_waiver,
    require_step,
    review_all,
    review_of,
)
from llama_mapper.domain.orchestration.lifecycle.telling import (
    activations_of,
    counted,
    problem_of,
    told,
    version_info,
)
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine

_ATTEMPTS = 8


class PolicyLifecycle:
    """Keeps `PolicyLifecycleApi`. The tenant `EVERYONE` owns the global bundles; no door over the network names it.

    A step is decided on the whole log and added under the next number. If somebody else took that number meanwhile,
    the step is decided anew, so that two persons at once get the same answers as one after the other.
    """

    def __init__(
        self,
        records: PolicyRecords,
        shipped: Sequence[PolicyBundle],
        engine: PolicyEngine,
        validator: BundleValidator,
        detectors: DetectorsInService,
        clock: Clock,
        *,
        four_eyes: bool,
    ) -> None:
        self._records = records
        self._shipped = {bundle.name: bundle for bundle in shipped}
        self._engine = engine
        self._validator = validator
        self._detectors = detectors
        self._clock = clock
        self._four_eyes = four_eyes

    async def draft(self, tenant_id: str, draft: PolicyDraft, actor: PolicyActor) -> PolicyVersionInfo:
        """See `PolicyLifecycleApi.draft`."""
        try:
            bundle = make_bundle(draft.bundle, draft.version, draft.description, draft.modules, draft.data)
        except (PolicyEnforcementError, ValueError) as error:
            why = error.message if isinstance(error, PolicyEnforcementError) else "its data is not JSON"
            raise ValidationError(f"the policy bundle cannot be kept: {why}") from None
        return await self.draft_bundle(tenant_id, bundle, actor, draft.note)

    async def draft_bundle(
        self, tenant_id: str, bundle: PolicyBundle, actor: PolicyActor, note: str = ""
    ) -> PolicyVersionInfo:
        """The same for a bundle that is made already."""
        known = await self._records.get(tenant_id, bundle.name, bundle.version)
        if known is None:
            names = await self._records.names(tenant_id)
            if len(names) >= MAX_VERSIONS and bundle.name not in names:
                raise PolicyEnforcementError(f"a tenant has at most {MAX_VERSIONS} bundles", ErrorCode.POLICY_STATE)
            try:
                log = await self._take(
                    tenant_id, bundle.name, lambda log: _drafted(log, bundle, actor, self._clock, note), bundle
                )
            except StoreError as error:
                # Somebody else has just drafted this version; whether it is the same, its content will say.
                known = await self._records.get(tenant_id, bundle.name, bundle.version)
                if error.error_code is not ErrorCode.CONFLICT or known is None:
                    raise
            else:
                return version_info(bundle, review_of(log, bundle.version))
        if known.digest != bundle.digest:
            raise StoreError(
                f"the version {bundle.version} of '{bundle.name}' has other content, and a version never changes",
                ErrorCode.CONFLICT,
                retryable=False,
            )
        return version_info(known, review_of(await self._records.log(tenant_id, bundle.name), bundle.version))

    async def validate(self, tenant_id: str, bundle: str, version: str, actor: PolicyActor) -> PolicyValidation:
        """See `PolicyLifecycleApi.validate`."""
        content = await self._content(tenant_id, bundle, version)
        require_step(PolicyStep.VALIDATED, review_of(await self._records.log(tenant_id, bundle), version))
        report = await self._validator.validate(content, tenant_id)
        step = PolicyStep.VALIDATED if report.valid else PolicyStep.VALIDATION_FAILED
        note = counted(report)
        log = await self._take(tenant_id, bundle, lambda log: self._reviewed(log, version, step, actor, note))
        return PolicyValidation(
            valid=report.valid,
            version=version_info(content, review_of(log, version)),
            problems=tuple(problem_of(problem) for problem in report.problems[:1000]),
        )

    async def approve(
        self, tenant_id: str, bundle: str, version: str, approval: PolicyApproval, actor: PolicyActor
    ) -> PolicyVersionInfo:
        """See `PolicyLifecycleApi.approve`."""
        content = await self._content(tenant_id, bundle, version)

        def decide(log: Log) -> Event:
            review = review_of(log, version)
            require_step(PolicyStep.APPROVED, review)
            waiver = approval_waiver(
                review.drafted.who, actor, four_eyes=self._four_eyes, single_operator=approval.single_operator
            )
            return self._reviewed(log, version, PolicyStep.APPROVED, actor, approval.note, waiver)

        return version_info(content, review_of(await self._take(tenant_id, bundle, decide), version))

    async def reject(
        self, tenant_id: str, bundle: str, version: str, refusal: PolicyRefusal, actor: PolicyActor
    ) -> PolicyVersionInfo:
        """See `PolicyLifecycleApi.reject`."""
        return await self._refused(tenant_id, bundle, version, PolicyStep.REJECTED, refusal, actor)

    async def withdraw(
        self, tenant_id: str, bundle: str, version: str, refusal: PolicyRefusal, actor: PolicyActor
    ) -> PolicyVersionInfo:
        """See `PolicyLifecycleApi.withdraw`."""
        return await self._refused(tenant_id, bundle, version, PolicyStep.WITHDRAWN, refusal, actor)

    async def activate(
        self, tenant_id: str, bundle: str, version: str, request: PolicyActivationRequest, actor: PolicyActor
    ) -> PolicyActivationList:
        """See `PolicyLifecycleApi.activate`. The version is examined again: the product may have changed since."""
        content = await self._content(tenant_id, bundle, version)
        slot = _slot(tenant_id, request.scope)
        require_step(PolicyStep.ACTIVATED, review_of(await self._records.log(tenant_id, bundle), version))
        report = await self._validator.validate(content, tenant_id)
        if not report.valid:
            raise PolicyEnforcementError(
                f"the version is not valid any more ({counted(report)}); validate says why", ErrorCode.POLICY_STATE
            )

        def decide(log: Log) -> Event | None:
            require_step(PolicyStep.ACTIVATED, review_of(log, version))
            return activated(log, version, slot, request.percent, actor, self._clock, request.note)

        return activations_of(tenant_id, await self._take(tenant_id, bundle, decide))

    async def deactivate(
        self, tenant_id: str, bundle: str, request: PolicyScopeRequest, actor: PolicyActor
    ) -> PolicyActivationList:
        """See `PolicyLifecycleApi.deactivate`."""
        slot = _slot(tenant_id, request.scope)
        log = await self._take(
            tenant_id, bundle, lambda log: deactivated(_known(log), slot, actor, self._clock, request.note)
        )
        return activations_of(tenant_id, log)

    async def rollback(
        self, tenant_id: str, bundle: str, request: PolicyScopeRequest, actor: PolicyActor
    ) -> PolicyActivationList:
        """See `PolicyLifecycleApi.rollback`."""
        slot = _slot(tenant_id, request.scope)
        log = await self._take(
            tenant_id, bundle, lambda log: rolled_back(_known(log), slot, actor, self._clock, request.note)
        )
        return activations_of(tenant_id, log)

    async def names(self, tenant_id: str) -> tuple[str, ...]:
        """Every bundle that the tenant has drafted, sorted."""
        return tuple(await self._records.names(tenant_id))

    async def versions(self, tenant_id: str, bundle: str) -> PolicyVersionList:
        """See `PolicyLifecycleApi.versions`."""
        stored = {each.version: each for each in await self._records.versions(tenant_id, bundle)}
        reviews = review_all(_known(await self._records.log(tenant_id, bundle)))
        newest_first = [version for version in reversed(reviews) if version in stored][:MAX_VERSIONS]
        return PolicyVersionList(
            items=tuple(
                PolicyVersionInfo(
                    bundle=bundle,
                    version=version,
                    digest=stored[version].digest,
                    description=stored[version].description,
                    state=reviews[version].state,
                    author=reviews[version].drafted.who,
                    drafted_at=reviews[version].drafted.at,
                )
                for version in newest_first
            )
        )

    async def version(self, tenant_id: str, bundle: str, version: str) -> PolicyVersionDetail:
        """See `PolicyLifecycleApi.version`."""
        content = await self._content(tenant_id, bundle, version)
        review = review_of(await self._records.log(tenant_id, bundle), version)
        return PolicyVersionDetail(
            **dict(version_info(content, review)), modules=dict(content.modules), data=dict(content.data)
        )

    async def activations(self, tenant_id: str, bundle: str) -> PolicyActivationList:
        """See `PolicyLifecycleApi.activations`."""
        return activations_of(tenant_id, _known(await self._records.log(tenant_id, bundle)))

    async def history(
        self, tenant_id: str, bundle: str, *, limit: int = 100, before: int | None = None
    ) -> PolicyHistory:
        """See `PolicyLifecycleApi.history`."""
        log = _known(await self._records.log(tenant_id, bundle))
        older = [event for event in reversed(log) if before is None or event.number < before]
        shown = older[:limit]
        return PolicyHistory(
            items=tuple(told(tenant_id, event) for event in shown),
            before=shown[-1].number if len(older) > len(shown) else None,
        )

    async def difference(self, tenant_id: str, bundle: str, before: str, after: str) -> PolicyDifference:
        """See `PolicyLifecycleApi.difference`. Comparing texts takes a thread's time, not the event loop's."""
        old, new = [await self._any_content(tenant_id, bundle, version) for version in (before, after)]
        modules = await asyncio.to_thread(module_differences, old.modules, new.modules)
        data, truncated = await asyncio.to_thread(value_differences, old.data, new.data)
        decisions, compared = await decision_differences(self._engine, old, new, tenant_id, await self._detectors())
        return PolicyDifference(
            bundle=bundle,
            before=old.version,
            before_digest=old.digest,
            after=new.version,
            after_digest=new.digest,
            modules=modules,
            data=data,
            decisions=decisions,
            decisions_compared=compared,
            truncated=truncated,
        )

    async def _refused(
        self, tenant_id: str, bundle: str, version: str, step: PolicyStep, refusal: PolicyRefusal, actor: PolicyActor
    ) -> PolicyVersionInfo:
        content = await self._content(tenant_id, bundle, version)
        log = await self._take(tenant_id, bundle, lambda log: self._reviewed(log, version, step, actor, refusal.reason))
        return version_info(content, review_of(log, version))

    def _reviewed(
        self,
        log: Log,
        version: str,
        step: PolicyStep,
        actor: PolicyActor,
        note: str,
        waiver: Waiver | None = None,
    ) -> Event:
        require_step(step, review_of(log, version))
        return Event(
            number=log[-1].number + 1,
            step=step,
            version=version,
            who=actor.name,
            door=actor.door,
            keyless=actor.keyless,
            at=self._clock(),
            note=note,
            waiver=waiver,
        )

    async def _take(
        self, owner: str, bundle: str, decide: Callable[[Log], Event | None], content: PolicyBundle | None = None
    ) -> Log:
        """The log with the event that `decide` gives for it; None leaves it as it is."""
        for _ in range(_ATTEMPTS):
            log = await self._records.log(owner, bundle)
            event = decide(log)
            if event is None:
                return log
            if await self._records.append(owner, bundle, event, content):
                return (*log, event)
        raise StoreError("too many others change this bundle at the same time", ErrorCode.CONFLICT)

    async def _content(self, owner: str, bundle: str, version: str) -> PolicyBundle:
        content = await self._records.get(owner, bundle, version)
        if content is None:
            raise NotFoundError("there is no such version of the policy bundle")
        return content

    async def _any_content(self, tenant_id: str, bundle: str, version: str) -> PolicyBundle:
        for owner in (tenant_id, EVERYONE):
            if (content := await self._records.get(owner, bundle, version)) is not None:
                return content
        shipped = self._shipped.get(bundle)
        if shipped is not None and shipped.version == version:
            return shipped
        raise NotFoundError(f"there is no version {version} of the policy bundle")


def _drafted(log: Log, bundle: PolicyBundle, actor: PolicyActor, clock: Clock, note: str) -> Event:
    if sum(event.step is PolicyStep.DRAFTED for event in log) >= MAX_VERSIONS:
        raise PolicyEnforcementError(f"a bundle has at most {MAX_VERSIONS} versions", ErrorCode.POLICY_STATE)
    return Event(
        number=log[-1].number + 1 if log else 1,
        step=PolicyStep.DRAFTED,
        version=bundle.version,
        who=actor.name,
        door=actor.door,
        keyless=actor.keyless,
        at=clock(),
        note=note,
    )


def _slot(owner: str, scope: PolicyScope) -> Slot:
    if owner == EVERYONE and scope.key is not None:
        raise ValidationError("an API key belongs to a tenant; a global activation cannot name one")
    return Slot(scope.key, scope.content_type, scope.enforcement)


def _known(log: Log) -> Log:
    if not log:
        raise NotFoundError("there is no such policy bundle")
    return log
