"""Wiring of what evaluates policies and tries new ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llama_mapper.adapters.orchestration.policies.bounded_policy_engine import BoundedPolicyEngine
from llama_mapper.adapters.orchestration.policies.opa_policy_engine import OpaPolicyEngine, open_opa_client
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine
from llama_mapper.entrypoints.settings import Settings

if TYPE_CHECKING:
    from llama_mapper.domain.orchestration.lifecycle.ports import DetectorsInService
    from llama_mapper.domain.orchestration.validation.validator import DeepBundleValidator


def bounded_engine(settings: Settings, shipped: Sequence[PolicyBundle]) -> BoundedPolicyEngine:
    """The engine that is built in; what we ship needs no limit."""
    return BoundedPolicyEngine([bundle.digest for bundle in shipped], settings.policy_timeout_ms / 1e3)


def opa_engine(settings: Settings) -> OpaPolicyEngine:
    """The engine on the OPA server that the settings name."""
    token = settings.opa_token.get_secret_value() if settings.opa_token else None
    timeout_s = settings.policy_timeout_ms / 1e3
    return OpaPolicyEngine(open_opa_client(str(settings.opa_url), token=token, timeout_s=timeout_s), timeout_s)


@asynccontextmanager
async def running_engine(settings: Settings, shipped: Sequence[PolicyBundle]) -> AsyncIterator[PolicyEngine]:
    """The engine that the settings choose, closed at the end of the block."""
    engine = opa_engine(settings) if settings.policy_engine == "opa" else bounded_engine(settings, shipped)
    try:
        yield engine
    finally:
        await engine.close()


def bundle_validator(
    settings: Settings, detectors: DetectorsInService, categories: Collection[str]
) -> DeepBundleValidator:
    """The deep validation of bundles, in a process of its own each time; always by the engine that is built in."""
    from llama_mapper.adapters.orchestration.policies.process_bundle_exercise import ProcessBundleExercise
    from llama_mapper.domain.orchestration.validation.validator import DeepBundleValidator

    return DeepBundleValidator(ProcessBundleExercise(settings.policy_timeout_ms / 1e3), detectors, categories)
