"""Plugins that add to mapping: each comes in whole, or stays out with a reason."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from llama_mapper.adapters.mapping.mapping_plugins import LoadedMappingPlugins, load_mapping_plugins
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.plugins import PLUGIN_GROUP
from llama_mapper.domain.mapping.labels import LabelKey
from tests.support.mapping_plugins import HERE


def load(*names: str, settings: dict[str, dict[str, Any]] | None = None) -> LoadedMappingPlugins:
    return load_mapping_plugins(
        settings or {}, None, found=[EntryPoint(name, f"{HERE}:{name}", PLUGIN_GROUP) for name in names]
    )


async def test_a_plugin_brings_stages_models_and_checks() -> None:
    loaded = load("whole", settings={"whole": {"canonical": "pii.health_records"}})
    (state,) = loaded.states
    assert state.reason == ""
    assert state.brings == {
        "stages": ("constant-1",),
        "fallbacks": ("constant-1",),
        "generations": ("parrot/one",),
        "checks": ("no_faults",),
    }
    (ranking,) = await loaded.stages[0].rank([LabelKey("v", None, "x")], within_s=1.0)
    assert ranking.candidates[0].canonical == "pii.health_records"
    assert loaded.stages[0].stage is MappingStage.LEXICAL
    assert list(loaded.generations) == ["parrot/one"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sure", "a stage calls itself 'catalogue_exact', which ranks nothing"),
        ("nameless", "reading a model's name failed: ValidationError"),
        ("twin", "other models have the names parrot/one"),
        ("uncallable", "its checks are not functions"),
    ],
)
def test_a_plugin_that_is_wrong_stays_out_whole(name: str, why: str) -> None:
    loaded = load("parrot", name)
    reasons = {state.name: state.reason for state in loaded.states}
    assert (reasons["parrot"], reasons[name]) == ("", why)
    assert (loaded.stages, loaded.fallbacks, loaded.checks) == ((), (), ())


def test_a_plugin_of_another_context_is_none_of_ours() -> None:
    assert load("detecting").states == ()
