"""Plugins of installed packages: each comes in whole, or stays out with a reason."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from llama_mapper.adapters.orchestration.detector_plugins import LoadedPlugins, load_plugins
from llama_mapper.domain.kernel.plugins import PLUGIN_GROUP
from llama_mapper.domain.orchestration.plugins import Plugin
from tests.support.plugins import HERE
from tests.unit.orchestration.support import SmallCatalogue


def load(*names: str, settings: dict[str, dict[str, Any]] | None = None, **options: Any) -> LoadedPlugins:
    found = [EntryPoint(name, f"{HERE}:{name}", PLUGIN_GROUP) for name in names]
    return load_plugins(
        SmallCatalogue(),
        settings or {},
        options.pop("enabled", None),
        detectors={"presidio"},
        policies={"default"},
        found=found,
        **options,
    )


def reason(name: str, **options: Any) -> str:
    loaded = load("good", name, **options)
    states = {state.name: state for state in loaded.states}
    assert [detector.descriptor.name for detector in loaded.detectors] == ["quiet"]
    assert states["good"].reason == ""
    return states[name].reason


def test_a_plugin_brings_what_it_says() -> None:
    loaded = load("good", "also_good", settings={"also_good": {"detector": "loud"}})
    assert [state.reason for state in loaded.states] == ["", ""]
    assert [detector.descriptor.name for detector in loaded.detectors] == ["loud", "quiet"]
    assert [state.brings["detectors"] for state in loaded.states] == [("loud",), ("quiet",)]
    assert len(loaded.hooks) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("too_new", "it is written for plugin API 1.99; this is 1.1"),
        ("too_old", "it is written for plugin API 0.1; this is 1.1"),
        ("exploding", "making its detectors failed: RuntimeError"),
        ("leaving", "making its hooks failed: it wanted to end the process"),
        ("refusing", "its settings failed: the url is missing"),
        ("settings_explode", "its settings failed: RuntimeError"),
        ("twin", "other detectors have the names quiet"),
        ("shipped_name", "other detectors have the names presidio"),
        ("odd_policy", "other policy bundles have the names default"),
        ("odd_hook", "its hooks are not OrchestrationHook objects"),
        ("unnameable_hook", "reading a hook's name failed: ValidationError"),
        ("nameless_hook", "reading a hook's name failed: RuntimeError"),
        ("no_list", "its detectors are not a list"),
        ("no_plugin", "its entry point is no Plugin but a dict"),
        ("not_there", "loading it failed: AttributeError"),
    ],
)
def test_a_plugin_with_a_fault_is_named_and_the_others_are_in_service(name: str, why: str) -> None:
    assert reason(name) == why


@pytest.mark.parametrize("name", ["odd_category", "odd_scanner"])
def test_a_detector_that_cannot_be_used_keeps_its_plugin_out(name: str) -> None:
    assert "failed: " in reason(name)


def test_settings_for_a_plugin_that_has_none_are_a_fault() -> None:
    assert load("good", settings={"good": {"a": 1}}).states[0].reason == "it has no settings, and some are given"


def test_only_enabled_plugins_are_loaded() -> None:
    loaded = load("good", "exploding", enabled=("good",))
    assert [(state.name, state.enabled) for state in loaded.states] == [("exploding", False), ("good", True)]
    assert len(loaded.detectors) == 1


def test_an_entry_point_must_have_its_plugins_name() -> None:
    found = [EntryPoint("other", f"{HERE}:good", PLUGIN_GROUP)]
    [state] = load_plugins(SmallCatalogue(), {}, None, found=found).states
    assert state.reason == "it calls itself 'good' and its entry point 'other'"


@pytest.mark.parametrize("name", ["", "Upper", "with space", "1st", "a" * 64])
def test_a_plugins_name_is_bounded(name: str) -> None:
    with pytest.raises(ValueError, match="a plugin's name"):
        Plugin(name=name, version="1", api=(1, 0))
