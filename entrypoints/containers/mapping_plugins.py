"""The installed plugins that add to mapping."""

from __future__ import annotations

from llama_mapper.adapters.mapping.mapping_plugins import LoadedMappingPlugins, load_mapping_plugins
from llama_mapper.entrypoints.settings import Settings


def mapping_plugins_of(settings: Settings) -> LoadedMappingPlugins:
    """What they bring, loaded as far as they can be."""
    return load_mapping_plugins(settings.plugins, settings.enabled_plugins)
