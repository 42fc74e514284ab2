"""Which models are published, and their JSON schemas."""

from __future__ import annotations

from typing import Any, Literal

from llama_mapper.domain.contracts.analysis import AnalysisRequest, AnalysisResponse
from llama_mapper.domain.contracts.assessment import Assessment, AssessmentAnswer, AssessmentRequest, EvidenceEnvelope
from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.evaluation import LabelledLabel, MappingEvaluation
from llama_mapper.domain.contracts.evolution.changes import Side
from llama_mapper.domain.contracts.jobs import BatchRequest, Job, JobEvent, JobPage
from llama_mapper.domain.contracts.mapping import (
    LabelMappingRequest,
    LabelMappingResponse,
    MappingRequest,
    MappingResponse,
    ReviewPage,
)
from llama_mapper.domain.contracts.orchestration import (
    DetectorList,
    OrchestrationAnswer,
    OrchestrationRequest,
    OrchestrationResponse,
    PolicyList,
)
from llama_mapper.domain.contracts.policy_simulation import PolicySimulation, PolicySimulationRequest
from llama_mapper.domain.contracts.validation import ValidationQuery, ValidationReport

REQUESTS: tuple[type[Contract], ...] = (
    AssessmentRequest,
    BatchRequest,
    OrchestrationRequest,
    AnalysisRequest,
    MappingRequest,
    LabelMappingRequest,
    PolicySimulationRequest,
    ValidationQuery,
    LabelledLabel,
)
RESPONSES: tuple[type[Contract], ...] = (
    AssessmentAnswer,
    Assessment,
    Job,
    JobPage,
    JobEvent,
    OrchestrationAnswer,
    OrchestrationResponse,
    AnalysisResponse,
    MappingResponse,
    LabelMappingResponse,
    ReviewPage,
    DetectorList,
    PolicyList,
    EvidenceEnvelope,
    PolicySimulation,
    ValidationReport,
    MappingEvaluation,
)


def published_schemas() -> dict[str, dict[str, Any]]:
    """Model name → its JSON Schema, draft 2020-12: of what is accepted for requests, of what is sent for responses."""
    kinds: tuple[tuple[tuple[type[Contract], ...], Literal["validation", "serialization"]], ...] = (
        (REQUESTS, "validation"),
        (RESPONSES, "serialization"),
    )
    return {
        model.__name__: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **model.model_json_schema(mode=mode),
        }
        for models, mode in kinds
        for model in models
    }


def sides() -> dict[str, Side]:
    """Model name → whom its schema must not break: requests those who write them, answers those who read them."""
    return {model.__name__: Side.READER for model in REQUESTS} | {model.__name__: Side.WRITER for model in RESPONSES}


def models() -> dict[str, type[Contract]]:
    """Model name → the model."""
    return {model.__name__: model for model in (*REQUESTS, *RESPONSES)}
