"""The HTTP application of the monolith and of each context, from what runs behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.entrypoints.containers.schemas import schema_versions
from llama_mapper.entrypoints.http.analysis import analysis_operations
from llama_mapper.entrypoints.http.application import create_application
from llama_mapper.entrypoints.http.assessments import assessment_operations
from llama_mapper.entrypoints.http.authentication import Authenticator
from llama_mapper.entrypoints.http.cost_optimisation import optimiser_operations
from llama_mapper.entrypoints.http.costs import cost_operations
from llama_mapper.entrypoints.http.crosswalks import crosswalk_operations
from llama_mapper.entrypoints.http.detectors import detector_operations
from llama_mapper.entrypoints.http.experiments import experiment_operations
from llama_mapper.entrypoints.http.fms import fms_operations
from llama_mapper.entrypoints.http.forwarding import forwarded_operations
from llama_mapper.entrypoints.http.health import health_routes
from llama_mapper.entrypoints.http.idempotency import Idempotency
from llama_mapper.entrypoints.http.jobs import job_operations
from llama_mapper.entrypoints.http.mapping import mapping_operations
from llama_mapper.entrypoints.http.mapping_settings import mapping_settings_operations
from llama_mapper.entrypoints.http.model_servers import model_server_operations
from llama_mapper.entrypoints.http.models import model_operations
from llama_mapper.entrypoints.http.moderations import moderation_operations
from llama_mapper.entrypoints.http.monitoring import monitoring_operations
from llama_mapper.entrypoints.http.openapi import openapi_document
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.orchestration import orchestration_operations
from llama_mapper.entrypoints.http.overlays import overlay_operations
from llama_mapper.entrypoints.http.own_catalogue import framework_operations, vocabulary_operations
from llama_mapper.entrypoints.http.policies import policy_operations
from llama_mapper.entrypoints.http.policy_simulation import policy_simulation_operations
from llama_mapper.entrypoints.http.rate_limits import RateLimits
from llama_mapper.entrypoints.http.releases import release_operations
from llama_mapper.entrypoints.http.reviews import review_operations
from llama_mapper.entrypoints.http.schema_links import schema_link_operations
from llama_mapper.entrypoints.http.schemas import schema_deployment_operations, schema_operations
from llama_mapper.entrypoints.http.streaming import streaming_operations
from llama_mapper.entrypoints.http.taxonomies import taxonomy_operations
from llama_mapper.entrypoints.http.training import training_operations
from llama_mapper.entrypoints.http.validation import validation_operations
from llama_mapper.entrypoints.settings import Settings
from llama_mapper.entrypoints.version import service_version

if TYPE_CHECKING:
    from llama_mapper.entrypoints.containers.running import Running

_LINK_BODY_LIMIT = 16 * 1024 * 1024
"""Bytes of a body from another context: an analysis of 8,192 findings is about 4 MB."""

_MARGIN_S = 30.0
"""Seconds that a request about a model server may take besides what loading may: asking it, and keeping the record."""

_LEASE_MARGIN_S = 5.0
"""Seconds by which a claim outlives the request that has it."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine only."""
    return host in _LOOPBACK


def application_of(running: Running, settings: Settings, *, front: bool) -> Starlette:
    """The application over what runs; `front` says whether callers from outside are meant to use it.

    A service behind the front door that has a link secret answers to that secret and to API keys only.
    """
    platform = running.platform
    secret = settings.link_secret.get_secret_value() if settings.link_secret else None
    authenticator = Authenticator(
        platform.api_keys(),
        platform.pepper(),
        platform.clock(),
        allow_local=is_loopback(settings.host) and (front or secret is None),
        link_secret=secret,
    )
    metrics = platform.metrics()
    shared = platform.shared_state()
    timeout_s = settings.request_timeout_ms / 1000.0
    return create_application(
        operations_of(running, platform.catalogue(), settings),
        health_routes(running.checks, running.notes, metrics.render),
        authenticator,
        metrics.on_request,
        version=service_version(),
        docs=settings.docs_enabled,
        timeout_s=timeout_s,
        limits=RateLimits(
            shared.limiter,
            key=settings.rate_limit_key,
            tenant=settings.rate_limit_tenant,
            address=settings.rate_limit_address,
        ),
        idempotency=Idempotency(
            shared.idempotency,
            platform.request_digests(),
            lease_s=timeout_s + _LEASE_MARGIN_S,
            keep_s=settings.idempotency_ttl_s,
        ),
        schemas=platform.schemas(),
        defaults=running.schema_defaults,
        tracing=platform.tracing(),
    )


def operations_of(running: Running, catalogue: CatalogueView, settings: Settings) -> list[Operation]:
    """The operations of the Apis that run here."""
    body_limit = settings.body_limit
    operations: list[Operation] = []
    if running.assessments is not None:
        operations += assessment_operations(running.assessments, body_limit, running.jobs, running.taxonomies)
        operations += moderation_operations(running.assessments, service_version(), body_limit)
    if running.jobs is not None:
        operations += job_operations(running.jobs, settings.batch_body_limit)
    if running.orchestration is not None:
        operations += orchestration_operations(running.orchestration, body_limit, running.registry)
    if running.registry is not None:
        operations += detector_operations(running.registry, running.operator_tenant)
    if running.desk is not None:
        operations += fms_operations(running.desk, body_limit)
    if running.streams is not None:
        operations += streaming_operations(running.streams, body_limit, settings.stream_timeout_ms / 1000.0)
    if running.simulator is not None:
        operations += policy_simulation_operations(running.simulator, body_limit)
    if running.policies is not None:
        operations += policy_operations(running.policies)
    if running.analysis is not None:
        operations += analysis_operations(running.analysis, _LINK_BODY_LIMIT)
    schemas = running.platform.schemas()
    operations += schema_operations(schemas, running.schema_defaults)
    if running.releases is not None and running.schema_defaults is not None:
        operations += schema_deployment_operations(
            schemas, running.schema_defaults, running.releases, running.operator_tenant
        )
    if running.schema_link is not None:
        operations += schema_link_operations(running.schema_link)
    if running.costs is not None:
        operations += cost_operations(running.costs)
    if running.monitoring is not None:
        operations += monitoring_operations(running.monitoring, running.operator_tenant)
    if running.optimiser is not None:
        operations += optimiser_operations(running.optimiser)
    if running.validator is not None:
        operations += validation_operations(running.validator, body_limit)
    if running.mapping is not None:
        operations += mapping_operations(running.mapping, catalogue, _LINK_BODY_LIMIT)
    if running.models is not None:
        operations += model_operations(
            running.models, running.operator_tenant, settings.artifact_limit, settings.artifact_timeout_s
        )
    if running.model_servers is not None:
        slowest_s = max((server.load_timeout_s for server in settings.model_servers), default=0.0)
        operations += model_server_operations(running.model_servers, running.operator_tenant, slowest_s + _MARGIN_S)
    if running.releases is not None:
        operations += release_operations(running.releases, running.operator_tenant)
    if running.experiments is not None:
        operations += experiment_operations(running.experiments, running.operator_tenant)
    if running.training is not None:
        operations += training_operations(running.training)
    if running.mapping is not None:
        operations += taxonomy_operations(running.taxonomies)
    if running.mapping_desks is not None:
        desks = running.mapping_desks
        operations += review_operations(desks.reviews)
        operations += vocabulary_operations(desks.vocabularies)
        operations += framework_operations(desks.frameworks)
        operations += crosswalk_operations(desks.crosswalks)
        operations += mapping_settings_operations(desks.settings)
        operations += overlay_operations(desks.overlays)
    if running.forwarders:
        here = {each.id for each in operations}
        elsewhere = [each for each in monolith_operations(settings) if each.id not in here]
        timeout_s = settings.request_timeout_ms / 1000.0
        operations += forwarded_operations(elsewhere, running.forwarders, timeout_s, _LINK_BODY_LIMIT)
    return operations


def monolith_operations(settings: Settings | None = None) -> list[Operation]:
    """Every operation that there is, over nothing: what it takes and answers, to be described or passed on."""
    unused: Any = object()
    body_limit, artifact_limit, artifact_timeout_s = 0, 0, 0.0
    if settings is not None:
        body_limit, artifact_limit = settings.body_limit, settings.artifact_limit
        artifact_timeout_s = settings.artifact_timeout_s
    return [
        *assessment_operations(unused, body_limit),
        *moderation_operations(unused, service_version(), body_limit),
        *job_operations(unused, body_limit),
        *orchestration_operations(unused, body_limit),
        *detector_operations(unused, ""),
        *fms_operations(unused, body_limit),
        *streaming_operations(unused, body_limit, 0.0),
        *policy_simulation_operations(unused, body_limit),
        *policy_operations(unused),
        *analysis_operations(unused, _LINK_BODY_LIMIT),
        *schema_operations(schema_versions),
        *schema_deployment_operations(schema_versions, unused, unused, ""),
        *validation_operations(unused, body_limit),
        *cost_operations(unused),
        *monitoring_operations(unused, ""),
        *optimiser_operations(unused),
        *model_server_operations(unused, "", artifact_timeout_s),
        *mapping_operations(unused, unused, _LINK_BODY_LIMIT),
        *model_operations(unused, "", artifact_limit, artifact_timeout_s),
        *release_operations(unused, ""),
        *experiment_operations(unused, ""),
        *training_operations(unused),
        *taxonomy_operations(unused),
        *review_operations(unused),
        *vocabulary_operations(unused),
        *framework_operations(unused),
        *crosswalk_operations(unused),
        *mapping_settings_operations(unused),
        *overlay_operations(unused),
    ]


def monolith_openapi() -> dict[str, Any]:
    """The monolith's OpenAPI document; nothing is started for it."""
    return openapi_document(monolith_operations(), service_version())
