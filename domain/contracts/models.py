"""The registry of models: what a version is, how far it has come, and what it fits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol, Self

from pydantic import Field, model_validator

from llama_mapper.domain.contracts.base import Contract, Count, Identifier, ShortText, VersionText

MAX_ARTIFACTS = 256
MAX_MODEL_VERSIONS = 1000
"""Versions of one name, and names of one owner."""

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
"""A model's name, as model servers and paths can carry it: `llama3_mapper`."""

SemanticVersion = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
        r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
        r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$",
    ),
]
"""A version by semver.org 2.0.0: `1.4.0`, `2.0.0-rc.1`, `1.4.0+build.7`."""

VersionRange = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[0-9A-Za-z.+<>=!, *-]+$")]
"""`*` (any), one version, or comparisons that all must hold: `>=1.1.0,<2.0.0`."""

ArtifactPath = Annotated[
    str,
    Field(
        max_length=256, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,127}){0,7}$"
    ),
]
"""A file of a model, relative to its folder: `adapter_model.safetensors`, `1_Pooling/config.json`."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
MetricName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@:/-]*$")]
Metric = Annotated[float, Field(ge=-1e15, le=1e15)]
ModelNote = Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
PersonName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ModelKind(StrEnum):
    """What a model is for."""

    MAPPER = "mapper"
    ANALYST = "analyst"
    EMBEDDINGS = "embeddings"


class ModelStage(StrEnum):
    """How far a version has come."""

    CANDIDATE = "candidate"
    STAGING = "staging"
    PRODUCTION = "production"
    """May answer requests. Several versions may; which gets how much of the traffic is the releases' business."""
    DEPRECATED = "deprecated"
    """Was in production, still loads, and is to go."""
    ARCHIVED = "archived"
    """Kept for the record alone."""


class ModelStep(StrEnum):
    """What happened to a version."""

    REGISTERED = "registered"
    PROMOTED = "promoted"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"
    PRUNED = "pruned"
    """Its artifacts were removed."""
    DISCARDED = "discarded"
    """Artifacts of a version that nobody registered were removed; the version's number is used up."""


class ModelOwner(StrEnum):
    """Whose a model is."""

    INSTALLATION = "installation"
    """For all tenants."""
    TENANT = "tenant"


class ModelDoor(StrEnum):
    """Which way somebody came to take a step."""

    HTTP = "http"
    COMMAND = "command"
    TRAINING = "training"


class MetricBound(Contract):
    """What a figure must be: at least `min`, at most `max`; one of them, or both."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


class ModelArtifact(Contract):
    """One file of a model."""

    path: ArtifactPath
    sha256: Sha256
    size: Count
    """Bytes."""


class ModelCompatibility(Contract):
    """Which versions of the catalogue a model may be used with."""

    taxonomy: VersionRange = "*"
    vocabulary: VersionRange = "*"
    crosswalk: VersionRange = "*"


class ModelManifest(Contract):
    """A version of a model as whoever made it describes it. It never changes, and it is what is signed."""

    name: ModelName
    version: SemanticVersion
    kind: ModelKind
    base_model: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
    """What it was made of: `meta-llama/Meta-Llama-3-8B-Instruct`."""
    description: ModelNote = ""
    data_digest: ModelDigest | None = None
    """Of the data that it was trained on; null where it was not trained here."""
    code_digest: ModelDigest | None = None
    """Of the code and the settings that trained it."""
    prompt_digest: ModelDigest | None = None
    """Of the prompt template that it was trained with, and is to be asked with."""
    origin: Identifier | None = None
    """What made it, such as a training job's id. A second version of the same origin is not made."""
    trained_at: datetime | None = None
    metrics: Annotated[dict[MetricName, Metric], Field(max_length=512)] = Field(default_factory=dict)
    """Figures of its evaluation, by which a gate decides."""
    compatible: ModelCompatibility = ModelCompatibility()
    artifacts: Annotated[tuple[ModelArtifact, ...], Field(min_length=1, max_length=MAX_ARTIFACTS)]

    @model_validator(mode="after")
    def _each_path_once(self) -> Self:
        paths = {artifact.path for artifact in self.artifacts}
        if len(paths) != len(self.artifacts):
            raise ValueError("each path may be named once")
        folders = {path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)}
        if paths & folders:
            raise ValueError("a path cannot be a file and a folder")
        if self.trained_at is not None and self.trained_at.tzinfo is None:
            raise ValueError("trained_at needs a time zone")
        return self


class ModelSignature(Contract):
    """One signature of an envelope."""

    keyid: Annotated[str, Field(pattern=r"^ed25519:[0-9a-f]{16}$")]
    sig: Annotated[str, Field(max_length=128)]


class ModelEnvelope(Contract):
    """The manifest in a DSSE envelope: canonical JSON, base64, and this installation's signature over it."""

    payload: Annotated[str, Field(max_length=1_048_576)]
    payloadType: Annotated[str, Field(max_length=128)]
    signatures: Annotated[tuple[ModelSignature, ...], Field(min_length=1, max_length=1)]


class ModelActor(Contract):
    """Who takes a step, and how."""

    name: PersonName
    door: ModelDoor
    keyless: bool = False
    """Whether the installation has no API keys, so that the name proves nothing."""


class ModelVersionInfo(Contract):
    """A version without its manifest."""

    name: ModelName
    version: SemanticVersion
    owner: ModelOwner
    kind: ModelKind
    stage: ModelStage
    digest: ModelDigest
    """Of the manifest in its canonical form."""
    size: Count
    """Bytes of all its artifacts."""
    created_by: ShortText
    created_at: datetime
    deprecated_on: datetime | None = None
    """From when on nobody should use it; answers then carry a warning."""
    pruned: bool = False
    """Whether its artifacts were removed."""


class ModelVersion(ModelVersionInfo):
    """A version with its manifest and its signature."""

    manifest: ModelManifest
    envelope: ModelEnvelope


class ModelVersionList(Contract):
    """Versions of a model, highest number first."""

    items: Annotated[tuple[ModelVersionInfo, ...], Field(max_length=MAX_MODEL_VERSIONS)]


class ModelInfo(Contract):
    """A model: all versions of one name and owner."""

    name: ModelName
    owner: ModelOwner
    kind: ModelKind
    versions: Count
    newest: SemanticVersion
    in_production: Annotated[tuple[SemanticVersion, ...], Field(max_length=MAX_MODEL_VERSIONS)] = ()
    """Last promoted first: the first one is what answers unless a release says otherwise."""


class ModelList(Contract):
    """Models that a tenant may use, its own before the installation's of the same name."""

    items: Annotated[tuple[ModelInfo, ...], Field(max_length=2 * MAX_MODEL_VERSIONS)]


class ModelEvent(Contract):
    """One step in the life of a model; never changed and never deleted."""

    number: Count
    """Counts up within the model, from 1."""
    step: ModelStep
    version: SemanticVersion
    stage: ModelStage | None = None
    """The stage that the version has from then on; null where it has none."""
    who: ShortText
    door: ModelDoor
    keyless: bool
    at: datetime
    note: ShortText = ""
    deprecated_on: datetime | None = None


class ModelHistory(Contract):
    """A model's steps, newest first."""

    name: ModelName
    items: Annotated[tuple[ModelEvent, ...], Field(max_length=1000)]
    before: Count | None = None
    """Ask for steps before this number to read on; null at the end."""


class ModelPromotion(Contract):
    """Move a version on: to staging, or to production if its figures pass the gate."""

    stage: ModelStage
    note: ModelNote = ""


class ModelDeprecation(Contract):
    """Say that a version is to go."""

    on: datetime | None = None
    """From when on its answers carry a warning; null: from now on."""
    note: ModelNote = ""

    @model_validator(mode="after")
    def _zoned(self) -> Self:
        if self.on is not None and self.on.tzinfo is None:
            raise ValueError("the moment needs a time zone")
        return self


class ModelRemark(Contract):
    """Why a step is taken."""

    note: ModelNote = ""


class StoredArtifact(ModelArtifact):
    """A file that was uploaded."""

    name: ModelName
    version: SemanticVersion


class ModelCheck(Contract):
    """Whether a version is what was registered: signature, files, digests, and that it loads."""

    name: ModelName
    version: SemanticVersion
    sound: bool
    problems: Annotated[tuple[ShortText, ...], Field(max_length=1000)] = ()


class ModelFit(Contract):
    """Whether a version fits versions of the catalogue."""

    name: ModelName
    version: SemanticVersion
    owner: ModelOwner
    stage: ModelStage
    needs: ModelCompatibility
    taxonomy: VersionText
    vocabulary: VersionText
    crosswalk: VersionText
    fits: bool
    differences: Annotated[tuple[ShortText, ...], Field(max_length=3)] = ()


class ModelMatrix(Contract):
    """Every version of the models against versions of the catalogue."""

    items: Annotated[tuple[ModelFit, ...], Field(max_length=100_000)]


class RetentionRequest(Contract):
    """Remove artifacts of versions that nobody needs any more."""

    keep: Annotated[dict[ModelStage, Annotated[int, Field(ge=0, le=MAX_MODEL_VERSIONS)]], Field(max_length=5)] = Field(
        default_factory=dict
    )
    """How many versions of each model stay in a stage, newest first; the installation's setting for stages not named.
    Versions in production or in use always stay."""
    dry_run: bool = True
    """Only tell what would go."""


class RetainedModel(Contract):
    """A version whose artifacts go, or would."""

    name: ModelName
    version: SemanticVersion
    stage: ModelStage | None
    """Null for artifacts that nobody registered."""
    size: Count
    reason: ShortText


class RetentionReport(Contract):
    """What went, or would go."""

    dry_run: bool
    removed: Annotated[tuple[RetainedModel, ...], Field(max_length=100_000)]
    kept: Count
    """Versions that stay."""
    freed: Count
    """Bytes."""
    unfinished: Count
    """Uploads that never came to an end and are older than a day."""


class ModelRegistryApi(Protocol):
    """Keeps versions of models. `owner` is a tenant, or `EVERYONE` for the installation's own.

    Reading shows the tenant its own models and the installation's; of two with one name, its own. Raises
    `MODEL_NOT_FOUND` for what nobody registered, `MODEL_STATE` for a step that the version's stage does not permit, and
    `STORE_UNAVAILABLE`.
    """

    async def list(
        self, tenant_id: str, *, kind: ModelKind | None = None, stage: ModelStage | None = None
    ) -> ModelList:
        """The models of a kind that have a version in a stage."""
        ...

    async def versions(self, tenant_id: str, name: str) -> ModelVersionList:
        """A model's versions."""
        ...

    async def show(self, tenant_id: str, name: str, version: str) -> ModelVersion:
        """One of them."""
        ...

    async def history(self, tenant_id: str, name: str, *, limit: int = 100, before: int | None = None) -> ModelHistory:
        """What happened to a model."""
        ...

    async def register(self, owner: str, manifest: ModelManifest, actor: ModelActor) -> ModelVersion:
        """Take a version in whose artifacts are in the store; the same manifest again changes nothing.

        Raises `MODEL_INVALID` if a file is missing, differs or does not load, `CONFLICT` if the version has another
        manifest, `CONFIGURATION_INVALID` where there is nothing to sign with.
        """
        ...

    async def promote(
        self, owner: str, name: str, version: str, promotion: ModelPromotion, actor: ModelActor
    ) -> ModelVersionInfo:
        """Move a version to staging or to production.

        Raises, for production, `MODEL_BELOW_GATE` if its figures are not good enough, `MODEL_INCOMPATIBLE` if it does
        not fit this catalogue, and `ARTIFACT_CORRUPTED` if it is not what was registered.
        """
        ...

    async def deprecate(
        self, owner: str, name: str, version: str, deprecation: ModelDeprecation, actor: ModelActor
    ) -> ModelVersionInfo:
        """Say that a version is to go, and when."""
        ...

    async def archive(
        self, owner: str, name: str, version: str, remark: ModelRemark, actor: ModelActor
    ) -> ModelVersionInfo:
        """Take a version out of use for good."""
        ...

    async def verify(self, tenant_id: str, name: str, version: str) -> ModelCheck:
        """Whether a version still is what was registered; what is wrong raises nothing."""
        ...

    async def matrix(
        self,
        tenant_id: str,
        *,
        taxonomy: tuple[str, ...] = (),
        vocabulary: tuple[str, ...] = (),
        crosswalk: tuple[str, ...] = (),
    ) -> ModelMatrix:
        """The versions that are not archived against these versions of the catalogue; by default those in service."""
        ...

    async def retain(self, owner: str, request: RetentionRequest, actor: ModelActor) -> RetentionReport:
        """Remove what the retention rules let go, or tell what they would."""
        ...


class ModelDescription(Contract):
    """A model to publish from a folder: what a manifest says, without what the folder's files tell."""

    name: ModelName
    version: SemanticVersion | None = None
    """Null: the next minor version."""
    kind: ModelKind
    base_model: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
    description: ModelNote = ""
    data_digest: ModelDigest | None = None
    code_digest: ModelDigest | None = None
    prompt_digest: ModelDigest | None = None
    origin: Identifier | None = None
    """What made it. Publishing what the same origin made again gives the version that is there."""
    trained_at: datetime | None = None
    metrics: Annotated[dict[MetricName, Metric], Field(max_length=512)] = Field(default_factory=dict)
    compatible: ModelCompatibility = ModelCompatibility()
