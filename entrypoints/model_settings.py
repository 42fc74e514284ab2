"""Entries of the settings `generation` and `model_servers`: models that may be asked, and servers that run them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, model_validator

from llama_mapper.domain.contracts.base import Identifier

ServerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ServedName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,127}$")]
HeaderText = Annotated[str, Field(min_length=1, max_length=4_096, pattern=r"^[\x20-\x7e]+$")]
Price = Annotated[Decimal, Field(ge=0, le=1_000, allow_inf_nan=False)]


class ModelSettings(BaseModel):
    """Where a model is, what asking it costs, and which LoRA weights it is asked with; frozen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    kind: Literal["triton", "vllm", "tgi", "llama_cpp", "openai", "gguf", "plugin"]
    """NVIDIA Triton (extra `triton`); a server that speaks OpenAI's chat completions; a local file (extra `gguf`);
    what an installed plugin brings under the name `model`."""

    url: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Base URL with or without `/v1`; for `triton` the gRPC address `host:port`. For all but `gguf`."""

    server: ServerName | None = None
    """For `triton`, instead of `url`: one of `model_servers`, with its certificates and headers."""

    model: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")] = "llama3_mapper"
    """The model's name on the server."""

    adapter: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """LoRA weights to ask it with, as the server names them."""

    version: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """What records name as the model's version, where the server does not tell it; for `triton` the version to ask."""

    release: Identifier | None = None
    """The version that releases know it by, as the registry of models names it: `mapper@1.1.0`. Of the models that have
    one, that in force is asked first, at the beginning the first listed; the others only for what releases give them.
    Models without one are asked next, in their order."""

    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    """Environment variable that holds the API key."""

    concurrency: Annotated[int, Field(ge=1, le=1_024)] = 16
    """Requests that are under way at one time."""

    prompt_price: Price = Decimal(0)
    """US dollars for 1,000 tokens read."""

    completion_price: Price = Decimal(0)
    """US dollars for 1,000 tokens written."""

    path: Path | None = None
    """The GGUF file, for `gguf`."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """What the file's SHA-256 must be; unset: whatever it is."""

    context: Annotated[int, Field(ge=256, le=131_072)] = 4_096
    """Tokens of one prompt and its answer, for `gguf`."""

    parallel: Annotated[int, Field(ge=1, le=64)] = 2
    """Prompts at one time, for `gguf`."""

    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of the processor, for `gguf`."""

    adapters: Annotated[dict[str, Path | None], Field(max_length=16)] = Field(default_factory=dict)
    """LoRA weights by name, in the server's order: for `gguf` each with its GGUF file, for `llama_cpp` names alone."""

    @model_validator(mode="after")
    def _has_its_place(self) -> Self:
        if self.kind == "gguf":
            if self.path is None:
                raise ValueError("a model of kind gguf needs path")
            if None in self.adapters.values():
                raise ValueError("each of the adapters of a gguf model needs its file")
        elif self.kind == "plugin":
            return self
        elif self.kind == "triton":
            if (self.url is None) is (self.server is None):
                raise ValueError("a model of kind triton needs url or server, and not both")
        elif self.url is None:
            raise ValueError(f"a model of kind {self.kind} needs url")
        else:
            AnyHttpUrl(self.url)
        if self.server is not None and self.kind != "triton":
            raise ValueError("only a model of kind triton has server")
        if self.kind in ("gguf", "llama_cpp") and self.adapter is not None and self.adapter not in self.adapters:
            raise ValueError("adapter must be one of adapters")
        return self


class ModelServerSettings(BaseModel):
    """A server that runs models: where it is, how to connect to it, and which of its models must be ready; frozen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    name: ServerName
    """What settings, records and commands call it."""

    kind: Literal["triton"] = "triton"
    """NVIDIA Triton (extra `triton`)."""

    url: Annotated[str, Field(min_length=3, max_length=512, pattern=r"^[^\s/]+:[0-9]{1,5}$")]
    """The gRPC address `host:port`."""

    models: Annotated[tuple[ServedName, ...], Field(max_length=64)] = ()
    """Models that must be ready, besides those that other settings name; `/readyz` names each that is not."""

    tls: bool = False
    """Whether the connection is encrypted."""

    tls_authorities: Path | None = None
    """PEM file of the authorities whose certificates are trusted. Unset: those of the system."""

    tls_certificate: Path | None = None
    """PEM file of this side's certificate, for a server that asks for one; set together with `tls_key`."""

    tls_key: Path | None = None
    """PEM file of its private key."""

    headers: Annotated[dict[HeaderName, HeaderText], Field(max_length=16)] = Field(default_factory=dict)
    """Headers that go with every call, in lower case; for what is secret use `header_files`."""

    header_files: Annotated[dict[HeaderName, Path], Field(max_length=16)] = Field(default_factory=dict)
    """Headers whose values are in files, such as `authorization` with `Bearer …`; read again when they change."""

    load_timeout_s: Annotated[float, Field(ge=1.0, le=3_600.0)] = 600.0
    """Seconds that loading or unloading a model may take."""

    message_limit: Annotated[int, Field(ge=65_536, le=1_073_741_824)] = 16_777_216
    """Bytes that one message may have, each way."""

    keepalive_s: Annotated[float, Field(ge=10.0, le=3_600.0)] = 30.0
    """Seconds of silence after which the connection is tried."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_certificate is None) is not (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together or not at all")
        if not self.tls and (self.tls_authorities or self.tls_certificate):
            raise ValueError("certificates are of no use without tls")
        if twice := sorted(self.headers.keys() & self.header_files.keys()):
            raise ValueError(f"{', '.join(twice)} cannot be both in headers and in header_files")
        if any(name.endswith("-bin") or name.startswith("grpc-") for name in (*self.headers, *self.header_files)):
            raise ValueError("headers that end in -bin or begin with grpc- are the protocol's own")
        return self
