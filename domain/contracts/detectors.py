"""Detectors that run in somebody else's process: how they are defined, registered and listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, JsonValue, model_validator

from llama_mapper.domain.contracts.base import (
    CanonicalId,
    CategoryId,
    Contract,
    Identifier,
    Label,
    Milliseconds,
    Score,
    ShortText,
    VersionText,
)
from llama_mapper.domain.contracts.orchestration import BreakerState as BreakerState
from llama_mapper.domain.contracts.orchestration import DetectorFault, DetectorInfo, Finding, Granularity, Message
from llama_mapper.domain.contracts.orchestration import DetectorHealth as DetectorHealth
from llama_mapper.domain.contracts.orchestration import DetectorSource as DetectorSource

_Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
"""An absolute URL without user, query or fragment: a secret in it would be stored and shown."""

DetectorName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]*$")]
"""An identifier that a path can carry: without `/` and `:`."""

_Header = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
_JsonPath = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^\$")]
"""RFC 9535."""


class Credential(Contract):
    """Where the secret that a detector asks for is found when it is called; the secret itself is never registered."""

    header: _Header = "Authorization"
    prefix: Annotated[str, Field(max_length=32)] = "Bearer "
    env: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Name of the environment variable of the service that holds it."""


class FmsEndpoint(StrEnum):
    """The routes of the FMS detector API below `/api/v1/text/`."""

    CONTENTS = "contents"
    CHAT = "chat"
    CONTEXT_DOC = "context/doc"
    GENERATION = "generation"


class FmsDetector(Contract):
    """A detector that speaks the FMS detector API."""

    kind: Literal["fms"]
    detector_id: Identifier
    """Sent as the header `detector-id`."""
    endpoint: FmsEndpoint = FmsEndpoint.CONTENTS
    params: Annotated[dict[Identifier, JsonValue], Field(max_length=32)] = Field(default_factory=dict)
    """Sent as `detector_params`."""
    label_field: Literal["detection", "detection_type"] = "detection"
    """Which field of a detection names what was found; sequence classifiers give it as the type."""
    clean_labels: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Labels that say that nothing was found, such as `safe` or `No`."""
    context_type: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")] = "docs"
    """For `context/doc`: what the documents are called. The orchestrator of this API sends `docs`, its document lists
    `chunks`, `document` and `url`."""


LABEL_IS_KEY = "key"


class HttpJsonDetector(Contract):
    """Any detector that takes a JSON body and answers with JSON, described by where things are in both."""

    kind: Literal["http_json"]
    body: Annotated[dict[Identifier, JsonValue], Field(max_length=32)]
    """The request's body; a string value that is exactly `{{text}}` becomes the text, `{{messages}}` the messages."""
    findings: _JsonPath = "$"
    """Nodes of the answer, one a finding; the paths below are relative to a node."""
    label: _JsonPath | Literal["key"] = "$.label"
    """`key`: the name or index under which the node is, for answers that map labels to scores."""
    score: _JsonPath | None = "$.score"
    """Null: every finding has the score 1."""
    start: _JsonPath | None = None
    end: _JsonPath | None = None
    score_scale: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """What the detector's highest score is: scores are divided by it."""
    min_score: Score = 0.0
    """Nodes with a lower score, after scaling, are no findings."""
    clean_labels: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Labels that say that nothing was found."""


class PresidioDetector(Contract):
    """Presidio's analyzer service."""

    kind: Literal["presidio"]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] = "en"
    entities: Annotated[tuple[Label, ...], Field(max_length=128)] = ()
    """Entities to look for; empty means all that the service has."""
    score_threshold: Score = 0.0


class OpenAiModerationDetector(Contract):
    """OpenAI's moderation API, or another service that keeps its contract."""

    kind: Literal["openai_moderation"]
    model: Annotated[str, Field(min_length=1, max_length=128)] = "omni-moderation-latest"
    flag_threshold: Score | None = None
    """From which category score on a finding is made; null: where the service says that the category is flagged."""


class GuardFamily(StrEnum):
    """Families of chat models that answer with a judgement, each with its prompt and its way to answer."""

    LLAMA_GUARD = "llama_guard"
    GRANITE_GUARDIAN = "granite_guardian"
    SHIELDGEMMA = "shieldgemma"
    QWEN3GUARD = "qwen3guard"


class ChatGuardDetector(Contract):
    """A chat model made to judge content, behind an OpenAI-compatible endpoint."""

    kind: Literal["chat_guard"]
    family: GuardFamily
    model: Annotated[str, Field(min_length=1, max_length=256)]
    risks: Annotated[tuple[Label, ...], Field(max_length=32)] = ()
    """Risks to ask about where the family judges one at a time; empty means the family's default."""


DetectorProtocol = Annotated[
    FmsDetector | HttpJsonDetector | PresidioDetector | OpenAiModerationDetector | ChatGuardDetector,
    Field(discriminator="kind"),
]


class ResilienceTerms(Contract):
    """How a detector is protected from us, and we from it."""

    max_concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Calls at one time."""
    max_queue: Annotated[int, Field(ge=0, le=4096)] = 64
    """Calls that wait for a place; one more is refused with `DETECTOR_OVERLOADED`."""
    breaker_failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """Failures in a row that open the breaker."""
    breaker_open_ms: Annotated[int, Field(ge=10, le=3_600_000)] = 60_000
    """Milliseconds that it stays open before probes are let through."""
    half_open_probes: Annotated[int, Field(ge=1, le=16)] = 1
    """Calls let through at one time while it is half open."""
    retry_budget: Score = 0.2
    """Retries and hedges admitted for each first attempt, over the last ten seconds; ten in any case, but none if 0."""
    probe_interval_ms: Annotated[int, Field(ge=10, le=3_600_000)] = 10_000
    """Milliseconds between two active health probes, give or take a tenth; sooner after a failure."""


class DetectorDefinition(Contract):
    """A remote detector, as an operator registers it."""

    name: DetectorName
    vendor: Identifier
    """With `vendor_version` the key of its vocabulary in the catalogue."""
    vendor_version: VersionText
    url: _Url
    """Base address of the service; of kind `http_json` the whole address. An OpenAI-compatible one may end in `/v1`."""
    protocol: DetectorProtocol
    categories: Annotated[tuple[CategoryId, ...], Field(max_length=64)] = ()
    """Risk categories that its silence speaks for."""
    vocabulary: Annotated[dict[Label, CanonicalId], Field(max_length=1024)] = Field(default_factory=dict)
    """What labels mean that the catalogue does not know under this vendor."""
    languages: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...], Field(max_length=64)] = ()
    granularity: Granularity = Granularity.SENTENCE
    timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 2000
    """For one attempt."""
    window_chars: Annotated[int, Field(ge=64, le=1_048_576)] | None = None
    """Longer texts are judged in windows of so many characters."""
    window_overlap_chars: Annotated[int, Field(ge=0, le=65_536)] = 64
    """Characters that neighbouring windows share; less than half a window."""
    headers: Annotated[dict[_Header, Annotated[str, Field(max_length=512)]], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Sent with every call; not for secrets."""
    credential: Credential | None = None
    resilience: ResilienceTerms = ResilienceTerms()
    enabled: bool = True

    @model_validator(mode="after")
    def _windows_move_on(self) -> Self:
        if self.window_chars is not None and self.window_overlap_chars * 2 >= self.window_chars:
            raise ValueError("window_overlap_chars must be less than half of window_chars")
        return self


class DetectorChange(StrEnum):
    """What a revision did."""

    REGISTERED = "registered"
    UPDATED = "updated"
    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


class ProbeOutcome(StrEnum):
    """Whether a definition was tried before it was stored."""

    PASSED = "passed"
    WAIVED = "waived"
    """The operator asked for it to be stored untried."""
    NOT_NEEDED = "not_needed"
    """The change does not concern how it is asked."""


class ProbeReport(Contract):
    """What became of one trial of a detector: a sign of life, then a harmless fixed sample text."""

    passed: bool
    alive_ms: Milliseconds | None = None
    """Time of the sign of life; null if there was none."""
    inspection_ms: Milliseconds | None = None
    """Time of the sample's inspection; null if it did not come about."""
    labels: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Labels that it gave the sample, each once."""
    unknown_labels: Annotated[tuple[Label, ...], Field(max_length=64)] = ()
    """Those of them that neither the catalogue nor the definition's vocabulary knows."""
    fault: DetectorFault | None = None


class RegisteredDetector(Contract):
    """A detector definition with its version and what became of it."""

    definition: DetectorDefinition
    revision: Annotated[int, Field(ge=1)]
    """Grows with every change of the definition."""
    source: DetectorSource
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Of the definition without `enabled`."""
    registered_at: datetime
    registered_by: Label
    info: DetectorInfo | None = None
    """Null while it is disabled or not in service in this process."""
    health: DetectorHealth | None = None


class DetectorRegistration(Contract):
    """What a change of the registry led to."""

    detector: RegisteredDetector
    probe: ProbeReport | None = None
    """Null where it was not tried."""
    warnings: Annotated[tuple[ShortText, ...], Field(max_length=64)] = ()
    """What is allowed and probably not meant."""


class DetectorRevision(Contract):
    """One change of a registered detector. Revisions are added and never changed."""

    revision: Annotated[int, Field(ge=1)]
    change: DetectorChange
    definition: DetectorDefinition
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Of the definition without `enabled`."""
    probe: ProbeOutcome
    changed_at: datetime
    changed_by: Label


class DetectorHistory(Contract):
    """Every revision of one name, oldest first; a name that was deleted and registered again goes on counting."""

    name: DetectorName
    items: Annotated[tuple[DetectorRevision, ...], Field(max_length=10_000)]


class DetectorRegistryApi(Protocol):
    """Keeps the detectors that are defined while the service runs; they serve all tenants.

    `by` names who asks, for the history. Raises `DETECTOR_NOT_FOUND` for a name that the operation needs and nobody
    has, `DETECTOR_INVALID` for a definition that contradicts the catalogue, `DETECTOR_PROBE_FAILED` where `probe` is
    asked for and the detector does not answer in its protocol, `CONFLICT` where another change came first.
    """

    async def register(self, definition: DetectorDefinition, by: str, *, probe: bool = True) -> DetectorRegistration:
        """Put a new detector into service; raise `CONFLICT` if its name is taken, by whichever source."""
        ...

    async def update(
        self, name: str, definition: DetectorDefinition, by: str, *, probe: bool = True
    ) -> DetectorRegistration:
        """Replace a registered detector's definition; the same one again adds no revision."""
        ...

    async def enable(self, name: str, by: str) -> DetectorRegistration:
        """Put a disabled detector back into service."""
        ...

    async def disable(self, name: str, by: str) -> DetectorRegistration:
        """Take a detector out of service and keep its definition."""
        ...

    async def delete(self, name: str, by: str) -> DetectorRegistration:
        """Take a detector out of service and free its name; its history stays."""
        ...

    async def list(self) -> tuple[RegisteredDetector, ...]:
        """Every detector that a definition made or would make, by name."""
        ...

    async def show(self, name: str) -> RegisteredDetector:
        """One of them."""
        ...

    async def history(self, name: str) -> DetectorHistory:
        """Every revision of a name that is or was registered."""
        ...

    async def probe(self, name: str) -> ProbeReport:
        """Try a detector, enabled or not, in or out of service; how it does raises nothing."""
        ...

    def described(self, infos: tuple[DetectorInfo, ...]) -> tuple[DetectorInfo, ...]:
        """The same with each one's source, revision and health."""
        ...


class DetectorDeskApi(Protocol):
    """Asks one detector of this process by its name, without a policy; nothing is stored.

    Raises `DETECTOR_NOT_FOUND`, also for a detector that runs in somebody else's process; `CONTENT_TOO_LARGE`;
    `SERVICE_UNAVAILABLE` if the detector cannot be asked now, `REQUEST_TIMEOUT` if it is too slow, and
    `UPSTREAM_INVALID_RESPONSE` if it breaks.
    """

    async def inspect(self, tenant_id: str, detector: str, texts: Sequence[str]) -> tuple[tuple[Finding, ...], ...]:
        """What it finds in each text, in the order of the texts."""
        ...

    async def inspect_messages(self, tenant_id: str, detector: str, messages: Sequence[Message]) -> tuple[Finding, ...]:
        """What it finds in a conversation as a whole; spans are those within the finding's message."""
        ...
