"""Looking at plugins without starting the product."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from llama_mapper.adapters.orchestration.detector_plugins import LoadedPlugins
from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.adapters.platform.entry_point_plugins import PluginState as PluginState
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT
from llama_mapper.domain.orchestration.bundle import check_bundle
from llama_mapper.domain.orchestration.ports import Detector, Inquiry, Inspection
from llama_mapper.entrypoints.containers.mapping_plugins import mapping_plugins_of
from llama_mapper.entrypoints.containers.orchestration import plugins_of
from llama_mapper.entrypoints.settings import Settings

_SAMPLE = "Jane Doe wrote to jane.doe@example.org on 3 May 2024."
_PATIENCE_S = 60.0


def plugin_states(settings: Settings) -> tuple[PluginState, ...]:
    """What became of every installed plugin."""
    return _together(plugins_of(settings, load_catalogue()).states, mapping_plugins_of(settings).states)


def _together(*contexts: tuple[PluginState, ...]) -> tuple[PluginState, ...]:
    """The states of all contexts; what none of them could load or was told to load is there once."""
    by_point = {(state.name, state.entry_point): state for states in contexts for state in states}
    return tuple(by_point[point] for point in sorted(by_point))


async def check_plugins(settings: Settings) -> tuple[PluginState, ...]:
    """The same after each detector judged a sample text and each policy was compiled and asked."""
    plugins = plugins_of(settings, load_catalogue())
    pool = WorkerPool(plugins.scanners, workers=1 if plugins.scanners else 0)
    await pool.start()
    try:
        if plugins.scanners:
            await pool.wait_ready(_PATIENCE_S)
        own = {detector.descriptor.name: detector for detector in plugins.detectors}
        detectors: Mapping[str, Detector] = {**own, **pool.detectors}
        checked = tuple([await _checked(state, plugins, detectors) for state in plugins.states])
        return _together(mapping_plugins_of(settings).states, checked)
    finally:
        await pool.close()


async def _checked(state: PluginState, plugins: LoadedPlugins, detectors: Mapping[str, Detector]) -> PluginState:
    if state.reason:
        return state
    faults = [
        f"the detector '{name}' {fault}"
        for name in (*state.brings["detectors"], *state.brings["scanners"])
        if (fault := await _fault(detectors[name])) is not None
    ]
    engine = RegorusPolicyEngine()
    for bundle in plugins.policies:
        if bundle.applied in state.brings["policies"]:
            try:
                await check_bundle(engine, bundle, LOCAL_TENANT)
            except ServiceError as error:
                faults.append(f"the policy '{bundle.applied}' {error.message}")
    return replace(state, reason="; ".join(faults)[:512])


async def _fault(detector: Detector) -> str | None:
    if (why := detector.readiness) is not None:
        return f"is not ready: {why}"
    try:
        async with asyncio.timeout(_PATIENCE_S):
            answer = await detector.inspect(Inquiry(_SAMPLE))
    except Exception as error:
        return f"broke over a sample text: {type(error).__name__}"
    return None if isinstance(answer, Inspection) else "answers with something else than an Inspection"
