"""One entry of the setting `generation`: a model that may be asked about labels that no catalogue knows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, model_validator

from llama_mapper.domain.contracts.base import Identifier

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
        elif self.url is None:
            raise ValueError(f"a model of kind {self.kind} needs url")
        elif self.kind != "triton":
            AnyHttpUrl(self.url)
        if self.kind in ("gguf", "llama_cpp") and self.adapter is not None and self.adapter not in self.adapters:
            raise ValueError("adapter must be one of adapters")
        return self
