"""Prometheus metrics in the contexts' own words. No label holds a tenant, a vendor's label or anything of content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from llama_mapper.domain.contracts.assessment import Assessment

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class PrometheusMetrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        requests = Counter(
            "llama_mapper_http_requests", "HTTP requests.", ("method", "route", "status"), registry=registry
        )
        request_seconds = Histogram(
            "llama_mapper_http_request_seconds", "HTTP request time.", ("route",), buckets=_SECONDS, registry=registry
        )
        verdicts = Counter("llama_mapper_assessments", "Assessments by verdict.", ("verdict",), registry=registry)
        stage_seconds = Histogram(
            "llama_mapper_stage_seconds", "Time of each stage.", ("stage",), buckets=_SECONDS, registry=registry
        )
        results = Counter(
            "llama_mapper_detector_results",
            "Results of detectors by status.",
            ("detector", "status"),
            registry=registry,
        )
        detector_seconds = Histogram(
            "llama_mapper_detector_seconds",
            "Time of each detector.",
            ("detector",),
            buckets=_SECONDS,
            registry=registry,
        )
        flagged = Counter(
            "llama_mapper_categories_flagged", "Risk categories flagged.", ("category",), registry=registry
        )
        self._partial = Counter(
            "llama_mapper_partial_coverage", "Assessments below their coverage threshold.", registry=registry
        )
        self._abstentions = Counter(
            "llama_mapper_mapping_abstentions", "Distinct labels sent to the review queue.", registry=registry
        )
        mapped = Counter("llama_mapper_mapping_labels", "Labels mapped, by stage.", ("stage",), registry=registry)
        asked = Counter(
            "llama_mapper_mapping_stage_labels", "Labels that a stage was asked for.", ("stage",), registry=registry
        )
        asked_seconds = Histogram(
            "llama_mapper_mapping_stage_seconds",
            "Time of each call of a mapping stage.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._mapping_faults = Counter(
            "llama_mapper_mapping_stage_faults",
            "Labels for which a mapping stage could not try.",
            ("stage", "fault"),
            registry=registry,
        )
        self._mapping_tokens = Counter(
            "llama_mapper_mapping_tokens", "Tokens that mapping models counted.", ("stage", "kind"), registry=registry
        )
        self._mapping_cost = Counter(
            "llama_mapper_mapping_stage_cost_usd",
            "US dollars for the models of a mapping stage, by the set prices.",
            ("stage",),
            registry=registry,
        )
        self._wrong_answers = Counter(
            "llama_mapper_mapping_wrong_answers",
            "Answers of models outside their grammar or off the choices; each is asked once more.",
            ("model",),
            registry=registry,
        )
        self._mapped = lru_cache(maxsize=16)(mapped.labels)
        self._asked = lru_cache(maxsize=16)(asked.labels)
        self._asked_seconds = lru_cache(maxsize=16)(asked_seconds.labels)
        self._jobs = Counter("llama_mapper_jobs", "Ended jobs.", ("kind", "status"), registry=registry)
        self._webhooks = Counter("llama_mapper_webhook_attempts", "Webhook attempts.", ("outcome",), registry=registry)
        self._prompts = Counter(
            "llama_mapper_generation_prompts", "Prompts by model and outcome.", ("model", "outcome"), registry=registry
        )
        self._tokens = Counter(
            "llama_mapper_generation_tokens", "Tokens read and written.", ("model", "direction"), registry=registry
        )
        self._cost = Counter(
            "llama_mapper_generation_cost_usd",
            "US dollars for tokens, by the set prices.",
            ("model",),
            registry=registry,
        )
        self._generation_seconds = Histogram(
            "llama_mapper_generation_seconds",
            "Time of a call to a model.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        # Looking a child up by labels costs a lock and a tuple each time; the children here are few and live for ever.
        self._requests = lru_cache(maxsize=1024)(requests.labels)
        self._request_seconds = lru_cache(maxsize=256)(request_seconds.labels)
        self._verdicts = lru_cache(maxsize=8)(verdicts.labels)
        self._stage_seconds = lru_cache(maxsize=8)(stage_seconds.labels)
        self._results = lru_cache(maxsize=1024)(results.labels)
        self._detector_seconds = lru_cache(maxsize=256)(detector_seconds.labels)
        self._flagged = lru_cache(maxsize=128)(flagged.labels)

    def on_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request."""
        self._requests(method, route, str(status)).inc()
        self._request_seconds(route).observe(seconds)

    def on_assessed(self, assessment: Assessment) -> None:
        """Count an assessment, its detectors, its flagged categories and its stages."""
        orchestration = assessment.orchestration
        self._verdicts(assessment.verdict.action.value).inc()
        if not orchestration.coverage.sufficient:
            self._partial.inc()
        for result in orchestration.detector_results:
            self._results(result.detector, result.status.value).inc()
            self._detector_seconds(result.detector).observe(result.processing_time_ms / 1000.0)
        for outcome in orchestration.aggregation_summary.categories:
            if outcome.flagged:
                self._flagged(outcome.category).inc()
        if assessment.mapping.abstentions:
            self._abstentions.inc(assessment.mapping.abstentions)
        timings = assessment.timings_ms
        self._stage_seconds("orchestration").observe(timings.orchestration / 1000.0)
        self._stage_seconds("analysis").observe(timings.analysis / 1000.0)
        self._stage_seconds("mapping").observe(timings.mapping / 1000.0)
        self._stage_seconds("evidence").observe(timings.evidence / 1000.0)

    def on_labels_mapped(self, stage: str, labels: int) -> None:
        """Count labels that a stage answered; `abstained` is one."""
        self._mapped(stage).inc(labels)

    def on_stage_asked(
        self, stage: str, labels: int, seconds: float, prompt_tokens: int, completion_tokens: int
    ) -> None:
        """Count a call of a mapping stage."""
        self._asked(stage).inc(labels)
        self._asked_seconds(stage).observe(seconds)
        if prompt_tokens or completion_tokens:
            self._mapping_tokens.labels(stage, "prompt").inc(prompt_tokens)
            self._mapping_tokens.labels(stage, "completion").inc(completion_tokens)

    def on_stage_fault(self, stage: str, fault: str, labels: int) -> None:
        """Count labels for which a mapping stage could not try."""
        self._mapping_faults.labels(stage, fault).inc(labels)

    def on_stage_cost(self, stage: str, usd: float) -> None:
        """Add what a call of a mapping stage cost."""
        self._mapping_cost.labels(stage).inc(usd)

    def on_wrong_answer(self, model: str) -> None:
        """Count an answer of a mapping model that was none of its choices."""
        self._wrong_answers.labels(model).inc()

    def on_job_ended(self, kind: str, status: str) -> None:
        """Count a job that has ended."""
        self._jobs.labels(kind, status).inc()

    def on_webhook_attempt(self, outcome: str) -> None:
        """Count an attempt at a webhook: `delivered`, `retried` or `given_up`."""
        self._webhooks.labels(outcome).inc()

    def on_generation(
        self,
        model: str,
        outcomes: Mapping[str, int],
        *,
        prompt_tokens: int,
        completion_tokens: int,
        usd: float,
        seconds: float,
    ) -> None:
        """Count a call to a language model; `outcomes` are numbers of prompts by `answered` or by fault."""
        for outcome, prompts in outcomes.items():
            self._prompts.labels(model, outcome).inc(prompts)
        self._tokens.labels(model, "read").inc(prompt_tokens)
        self._tokens.labels(model, "written").inc(completion_tokens)
        self._cost.labels(model).inc(usd)
        self._generation_seconds.labels(model).observe(seconds)

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when the metrics are."""
        Gauge(name, description, registry=self._registry).set_function(read)

    def register(self, collector: Collector) -> None:
        """Add metrics that are made when they are read."""
        self._registry.register(collector)

    def render(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
