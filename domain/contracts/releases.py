"""The contract of releases and experiments: new versions before a part of the traffic, judged while they are."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field, TypeAdapter, model_validator

from llama_mapper.domain.contracts.base import Contract, Count, Identifier, Milliseconds, ShortText, TenantId

MAX_TREATMENTS = 4
MAX_METRICS = 8

PersonName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Note = Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
MetricName = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_.@]*$")]
Share = Annotated[float, Field(ge=0.01, le=100.0)]
"""Percent of the traffic."""

Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Alpha = Annotated[float, Field(ge=1e-6, le=0.5)]
"""The probability of ever being wrong where there is no difference."""

EValue = Annotated[float, Field(ge=0.0, le=1e300)]

Tenants = Annotated[tuple[TenantId, ...], Field(max_length=1000)]
Figure = Annotated[float, Field(ge=-1e15, le=1e15)]


class VariantKind(StrEnum):
    """What there are versions of."""

    MODEL = "model"
    TAXONOMY = "taxonomy"
    CROSSWALK = "crosswalk"
    SCHEMA = "schema"
    STRATEGY = "strategy"
    PROMPT = "prompt"


class ReleaseMode(StrEnum):
    """How a new version meets the traffic."""

    CANARY = "canary"
    """A growing part of the traffic, for as long as it is no worse."""
    BLUE_GREEN = "blue_green"
    """Everything at once, after it passed its validation, and back at once."""
    AB = "ab"
    """A fixed part, to be compared."""
    SHADOW = "shadow"
    """Beside what answers, without effect, to be compared."""


class ReleaseState(StrEnum):
    """How far it has come."""

    RUNNING = "running"
    HELD = "held"
    """A canary that does not advance by itself; it is still rolled back by itself."""
    STAGED = "staged"
    """A blue-green release whose candidate gets no traffic and is not validated."""
    VALIDATED = "validated"
    SWITCHED = "switched"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    CONCLUDED = "concluded"


class ReleaseStep(StrEnum):
    """What happened."""

    STARTED = "started"
    ADVANCED = "advanced"
    HELD = "held"
    RESUMED = "resumed"
    VALIDATED = "validated"
    VALIDATION_FAILED = "validation_failed"
    SWITCHED = "switched"
    SWITCHED_BACK = "switched_back"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    CONCLUDED = "concluded"


class ReleaseDoor(StrEnum):
    """Which way a step came."""

    HTTP = "http"
    COMMAND = "command"
    CONTROLLER = "controller"
    """By itself: the gates decided."""


class TrafficUnit(StrEnum):
    """What is given to one variant or the other as a whole."""

    LABEL = "label"
    """A vendor label: a tenant's label gets one variant for as long as the release stands."""
    REQUEST = "request"
    CALLER = "caller"
    """Of schemas: an API key gets one version for as long as the stage stands."""


class GateState(StrEnum):
    """What the observations so far say about a gate, at the release's error rate."""

    PASSING = "passing"
    """It is surely no worse than the gate permits."""
    UNDECIDED = "undecided"
    FAILING = "failing"
    """It is surely worse."""


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class ReleaseActor(Contract):
    """Who takes a step; `keyless` where the installation has no API keys and the name proves nothing."""

    name: PersonName
    door: ReleaseDoor
    keyless: bool = False


class EvaluationSummary(Contract):
    """What the version's evaluation found, and the digest of the whole report."""

    digest: Digest
    figures: Annotated[dict[MetricName, Figure], Field(max_length=512)]


class ReleaseGates(Contract):
    """By how much the candidate may be worse than the stable version. Null: not looked at."""

    schema_validity_drop: Rate | None = 0.02
    """Drop of the share of labels whose answer kept the schema."""
    abstention_rise: Rate | None = 0.05
    """Rise of the share of labels without an answer."""
    error_rise: Rate | None = 0.02
    """Rise of the share of requests that failed."""
    agreement_least: Rate | None = 0.5
    """Least share of labels, asked of both, for which both say the same. A better version disagrees, too: it is a bound
    for what is broken."""
    latency_ratio: Annotated[float, Field(ge=1.0, le=1000.0)] | None = 2.0
    """The candidate's 95th percentile of latency over the stable one's; 1.42 and less can hardly be proven, since
    latencies are known to a fifth."""
    latency_p95_ms: Annotated[float, Field(gt=0.0, le=3_600_000.0)] | None = None
    """The candidate's 95th percentile of latency."""
    alpha: Alpha = 0.05
    """Probability that a candidate within all margins is ever rolled back by itself, over all gates and looks."""


def _usual_unit(known: dict[str, Any]) -> TrafficUnit:
    return TrafficUnit.CALLER if known.get("kind") is VariantKind.SCHEMA else TrafficUnit.LABEL


class _Start(Contract):
    kind: VariantKind
    baseline: Identifier
    """The version that answers now."""
    tenants: Tenants = ()
    """Only these tenants take part; empty: all."""
    excluded_tenants: Tenants = ()
    unit: TrafficUnit = Field(default_factory=_usual_unit)
    """Of schemas `caller` (the default there) or `request`; of all else `label` or `request`."""
    note: Note = ""

    @model_validator(mode="after")
    def _fitting_unit(self) -> Self:
        other = TrafficUnit.LABEL if self.kind is VariantKind.SCHEMA else TrafficUnit.CALLER
        if self.unit is other:
            raise ValueError(f"a release of a {self.kind} cannot be by {other}")
        return self


_SCHEMA = re.compile(r"([A-Za-z]{1,64}):[1-9][0-9]{0,3}")


def schema_of(version: str) -> str:
    """The schema that a version names, as in `MappingResponse:2`; raise `ValueError` for other text."""
    match = _SCHEMA.fullmatch(version)
    if match is None:
        raise ValueError("a version of a schema is named MODEL:MAJOR, as in MappingResponse:2")
    return match[1]


def _require_one_schema(kind: VariantKind, before: str, after: str) -> None:
    if kind is VariantKind.SCHEMA and schema_of(before) != schema_of(after):
        raise ValueError("both versions must be of the same schema")


class CanaryStart(_Start):
    """A release to a growing part of the traffic."""

    mode: Literal[ReleaseMode.CANARY] = ReleaseMode.CANARY
    candidate: Identifier
    evaluation: EvaluationSummary | None = None
    """May be left out where the registry of models has one for the candidate."""
    stages: Annotated[tuple[Share, ...], Field(min_length=1, max_length=20)] = (5.0, 25.0, 50.0, 100.0)
    """Percent of the traffic, rising to 100."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000_000)] = 200
    """Requests that the candidate must have answered in a stage before the next."""
    min_seconds: Annotated[float, Field(ge=0.0, le=31_536_000.0)] = 600.0
    """How long a stage lasts at least."""
    gates: ReleaseGates = ReleaseGates()
    proof: bool = False
    """Whether every gate must be `passing` before the next stage; otherwise none may be `failing`."""
    automatic: bool = True
    """Whether it advances by itself; it is rolled back by itself in any case."""
    compare_percent: Annotated[float, Field(ge=0.0, le=100.0)] = 10.0
    """Of the candidate's traffic, how much the stable version answers too, in the background, to learn agreement."""

    @model_validator(mode="after")
    def _rising_to_all(self) -> Self:
        if list(self.stages) != sorted(set(self.stages)) or self.stages[-1] != 100.0:
            raise ValueError("the stages must rise, and end at 100")
        _require_one_schema(self.kind, self.baseline, self.candidate)
        if self.candidate == self.baseline:
            raise ValueError("the candidate must be another version than the baseline")
        return self


class BlueGreenStart(_Start):
    """A release of everything at once, after validation."""

    mode: Literal[ReleaseMode.BLUE_GREEN]
    candidate: Identifier
    evaluation: EvaluationSummary | None = None

    @model_validator(mode="after")
    def _another(self) -> Self:
        _require_one_schema(self.kind, self.baseline, self.candidate)
        if self.candidate == self.baseline:
            raise ValueError("the candidate must be another version than the baseline")
        return self


class Treatment(Contract):
    """A version to compare with the baseline, and its part of the traffic."""

    version: Identifier
    percent: Share
    evaluation: EvaluationSummary | None = None


SHARES = {"errors": Direction.LOWER, "schema_valid": Direction.HIGHER, "abstained": Direction.LOWER}
"""Metrics that are a share of the requests (`errors`) or of the labels."""

MEANS = {"latency_ms": Direction.LOWER, "tokens": Direction.LOWER}
"""Metrics that are a mean over the requests (`latency_ms`) or the labels, of values cut to the metric's range."""


class Metric(Contract):
    """What the arms are compared by."""

    name: Literal["errors", "schema_valid", "abstained", "latency_ms", "tokens"]
    low: Figure = 0.0
    """Of a mean: values below count as this."""
    high: Figure = 1.0
    """Of a mean: values above count as this."""

    @property
    def is_mean(self) -> bool:
        """Whether it is a mean of values, not a share."""
        return self.name in MEANS

    @property
    def better(self) -> Direction:
        """Which way is better."""
        return (MEANS | SHARES)[self.name]

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if not self.high > self.low:
            raise ValueError("a metric's range must not be empty")
        if not self.is_mean and (self.low, self.high) != (0.0, 1.0):
            raise ValueError("a share lies between 0 and 1")
        return self


class _Experiment(_Start):
    treatments: Annotated[tuple[Treatment, ...], Field(min_length=1, max_length=MAX_TREATMENTS)]
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=MAX_METRICS)] = (
        Metric(name="abstained"),
        Metric(name="errors"),
    )
    alpha: Alpha = 0.05
    """Probability that any comparison ever finds a difference where there is none."""

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.kind is VariantKind.SCHEMA:
            raise ValueError("versions of a schema are not compared by experiments; release one as a canary")
        versions = [self.baseline, *(each.version for each in self.treatments)]
        if len(set(versions)) != len(versions):
            raise ValueError("every arm must be another version")
        if len({each.name for each in self.metrics}) != len(self.metrics):
            raise ValueError("a metric is named once")
        width = 100.0 / len(self.treatments)
        if any(each.percent > width + 1e-9 for each in self.treatments):
            raise ValueError(f"each of {len(self.treatments)} treatments has at most {width:.2f} percent")
        return self


class AbStart(_Experiment):
    """Versions that answer parts of the traffic, to be compared."""

    mode: Literal[ReleaseMode.AB] = ReleaseMode.AB


class ShadowStart(_Experiment):
    """Versions that are asked beside what answers, for parts of the traffic, without effect."""

    mode: Literal[ReleaseMode.SHADOW]


Start = CanaryStart | BlueGreenStart | AbStart | ShadowStart


@cache
def _starts() -> TypeAdapter[Start]:
    return TypeAdapter(Annotated[Start, Field(discriminator="mode")])


def read_start(document: str) -> Start:
    """The plan of a JSON document, told apart by `mode`; raise `ValueError` if it is none."""
    return _starts().validate_json(document)


class ReleaseNote(Contract):
    """Why a step is taken."""

    note: Note = ""


class ReleaseAdvance(ReleaseNote):
    """The next stage, now."""

    override: bool = False
    """Advance although a gate is failing; it is recorded."""
    stage: Annotated[int, Field(ge=0, le=19)] | None = None
    """The stage to advance from, counted from 0; refused if it is another. So a call that is sent again, because its
    answer was lost, advances once."""


class Estimate(Contract):
    """A value, and an interval that has held at every look so far but for the error rate."""

    value: Figure | None = None
    low: Figure | None = None
    """Null: no bound."""
    high: Figure | None = None


class ArmFigures(Contract):
    """What was counted of one version."""

    arm: Identifier
    """`baseline`, `candidate`, or `treatment-1` and on."""
    version: Identifier
    percent: Annotated[float, Field(ge=0.0, le=100.0)]
    requests: Count
    errors: Count
    labels: Count
    schema_valid: Count
    abstained: Count
    compared: Count
    agreed: Count
    rates: Annotated[dict[MetricName, Estimate], Field(max_length=16)]
    latency_p50_ms: Milliseconds | None = None
    latency_p95_ms: Estimate


class GateFigure(Contract):
    """One gate, or one metric of an experiment: the two arms, and the effect between them."""

    name: MetricName
    arm: Identifier
    candidate: Figure | None
    baseline: Figure | None
    effect: Estimate
    """Candidate minus baseline; for `latency_ratio` the quotient; for limits of one arm its own value."""
    limit: Figure
    """What the effect is held against; 0 for an experiment's metric."""
    state: GateState
    evidence: EValue | None
    """E-value against "within the limit": how many times a stake had multiplied that was put on the opposite. Of an
    experiment, against "no worse". Null for percentiles, which are judged by their intervals alone."""
    against: EValue | None = None
    """Of an experiment's metric, the e-value against "no better"."""


class ReleaseEvent(Contract):
    """One step; never changed and never deleted."""

    number: Count
    step: ReleaseStep
    at: datetime
    who: PersonName
    door: ReleaseDoor
    keyless: bool
    stage: Count | None = None
    """Of a canary: the stage from then on, counted from 0."""
    override: bool = False
    reasons: Annotated[tuple[ShortText, ...], Field(max_length=64)] = ()
    note: ShortText = ""


class ReleaseHistory(Contract):
    """Every step, oldest first."""

    items: Annotated[tuple[ReleaseEvent, ...], Field(max_length=10_000)]


class _Standing(Contract):
    id: Identifier
    state: ReleaseState
    started_at: datetime
    started_by: PersonName
    since: datetime
    """Of the last step."""
    arms: Annotated[tuple[ArmFigures, ...], Field(max_length=MAX_TREATMENTS + 1)] = ()
    """Empty in lists."""


class Release(_Standing):
    """A canary or a blue-green release."""

    plan: Annotated[CanaryStart | BlueGreenStart, Field(discriminator="mode")]
    stage: Count | None = None
    """Of a canary, counted from 0."""
    percent: Annotated[float, Field(ge=0.0, le=100.0)]
    """The candidate's part of the traffic now."""
    gates: Annotated[tuple[GateFigure, ...], Field(max_length=16)] = ()
    """Empty in lists and for blue-green releases."""
    waiting_for: Annotated[tuple[ShortText, ...], Field(max_length=32)] = ()
    """Why it does not advance by itself now."""


class ReleaseList(Contract):
    """Releases, newest first."""

    items: Annotated[tuple[Release, ...], Field(max_length=1000)]


class Experiment(_Standing):
    """An A/B or a shadow experiment."""

    plan: Annotated[AbStart | ShadowStart, Field(discriminator="mode")]
    effects: Annotated[tuple[GateFigure, ...], Field(max_length=MAX_TREATMENTS * MAX_METRICS)] = ()
    """Every treatment by every metric; empty in lists. Once it is concluded, as it was then."""


class ExperimentList(Contract):
    """Experiments, newest first."""

    items: Annotated[tuple[Experiment, ...], Field(max_length=1000)]


class ValidationCase(Contract):
    """One case of a validation suite."""

    name: ShortText
    passed: bool
    detail: ShortText = ""


class ValidationReport(Contract):
    """What a blue-green release's validation found."""

    passed: bool
    cases: Annotated[tuple[ValidationCase, ...], Field(max_length=1000)] = ()


class ReleaseValidation(Contract):
    """The release after its validation, and what that found."""

    release: Release
    report: ValidationReport


class SeriesPoint(Contract):
    """The effects as they were known at one moment."""

    at: datetime
    requests: Count
    """Of all arms."""
    effects: Annotated[tuple[GateFigure, ...], Field(max_length=MAX_TREATMENTS * MAX_METRICS)]


class ReleaseSeries(Contract):
    """How the intervals went, oldest first."""

    items: Annotated[tuple[SeriesPoint, ...], Field(max_length=10_000)]


class ReleaseApi(Protocol):
    """Releases. Every step is recorded with who took it; running processes follow within two seconds.

    Raises `NOT_FOUND`, and `RELEASE_STATE` for a step that the state does not permit.
    """

    async def start(self, plan: CanaryStart | BlueGreenStart, actor: ReleaseActor) -> Release:
        """Begin one.

        Raises `RELEASE_GATE_FAILED`, naming the figures, if the candidate's evaluation is missing or below the gate;
        `RELEASE_STATE` if another release or experiment of the kind is under way, or the baseline is not what answers.
        """
        ...

    async def releases(self, *, limit: int = 100) -> ReleaseList:
        """The newest."""
        ...

    async def release(self, release_id: str) -> Release:
        """One with its figures."""
        ...

    async def advance(self, release_id: str, asked: ReleaseAdvance, actor: ReleaseActor) -> Release:
        """Take a canary to its next stage, or complete it at the last, whatever its minimum says."""
        ...

    async def hold(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """Keep a canary at its stage."""
        ...

    async def resume(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """End a hold."""
        ...

    async def roll_back(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """Give all traffic back to the baseline, for good."""
        ...

    async def validate(self, release_id: str, actor: ReleaseActor) -> ReleaseValidation:
        """Run the validation suite on a blue-green release's candidate."""
        ...

    async def switch(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """Give all traffic to the validated candidate."""
        ...

    async def switch_back(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """Give all traffic back to the baseline; the release stays, and may be switched again."""
        ...

    async def complete(self, release_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Release:
        """End a switched release; its candidate stays in force."""
        ...

    async def history(self, release_id: str) -> ReleaseHistory:
        """Every step, of an experiment as well."""
        ...

    async def series(self, release_id: str) -> ReleaseSeries:
        """How the intervals went, of an experiment as well."""
        ...


class ExperimentApi(Protocol):
    """Experiments. Raises as `ReleaseApi`."""

    async def create(self, plan: AbStart | ShadowStart, actor: ReleaseActor) -> Experiment:
        """Begin one; what answers callers (A/B) must have passed the gate as for a release."""
        ...

    async def experiments(self, *, limit: int = 100) -> ExperimentList:
        """The newest."""
        ...

    async def experiment(self, experiment_id: str) -> Experiment:
        """One with its figures."""
        ...

    async def conclude(self, experiment_id: str, asked: ReleaseNote, actor: ReleaseActor) -> Experiment:
        """End it: all traffic goes to the baseline, and the effects stay as they are known now."""
        ...
