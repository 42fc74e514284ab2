"""Wiring of the links to contexts that run elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers

from llama_mapper.adapters.links.http_analysis import HttpAnalysis
from llama_mapper.adapters.links.http_forwarding import HttpForwarder
from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.adapters.links.http_mapping import HttpMapping
from llama_mapper.adapters.links.http_overlays import HttpOverlays
from llama_mapper.adapters.links.http_schemas import HttpSchemaReleases
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.settings import Settings


def _link(settings: Settings, service: str, url: object) -> HttpLink:
    secret = settings.link_secret.get_secret_value() if settings.link_secret else None
    timeout_s = settings.link_timeout_s
    return HttpLink(open_client(str(url), secret=secret, timeout_s=timeout_s), service, timeout_s)


def _forwarder(settings: Settings, service: str, url: object) -> HttpForwarder:
    secret = settings.link_secret.get_secret_value() if settings.link_secret else None
    client = open_client(str(url), secret=secret, timeout_s=settings.link_timeout_s)
    return HttpForwarder(client, service, has_secret=secret is not None)


class LinksContainer(containers.DeclarativeContainer):
    """The two contexts behind the front door, over HTTP."""

    settings = providers.Dependency(instance_of=Settings)
    analysis_link = providers.Singleton(_link, settings, "analysis", settings.provided.analysis_url)
    mapping_link = providers.Singleton(_link, settings, "mapping", settings.provided.mapping_url)
    forward_to_analysis = providers.Singleton(_forwarder, settings, "analysis", settings.provided.analysis_url)
    forward_to_mapping = providers.Singleton(_forwarder, settings, "mapping", settings.provided.mapping_url)
    analysis = providers.Singleton(HttpAnalysis, analysis_link)
    mapping = providers.Singleton(HttpMapping, mapping_link)
    schemas = providers.Singleton(HttpSchemaReleases, mapping_link)
    overlays = providers.Singleton(HttpOverlays, mapping_link)


@asynccontextmanager
async def running_links(settings: Settings) -> AsyncIterator[LinksContainer]:
    """The links with their connection pools; connections are made when they are first needed.

    Raises `CONFIGURATION_INVALID` if the settings do not say where the other contexts are.
    """
    if settings.analysis_url is None or settings.mapping_url is None:
        raise ConfigurationError(
            "the orchestration context needs the other two: set LLAMA_MAPPER_ANALYSIS_URL and LLAMA_MAPPER_MAPPING_URL "
            "to the services that 'serve --context analysis' and 'serve --context mapping' run, or serve all in one"
        )
    container = LinksContainer(settings=settings)
    try:
        yield container
    finally:
        await container.analysis_link().close()
        await container.mapping_link().close()
        await container.forward_to_analysis().close()
        await container.forward_to_mapping().close()
