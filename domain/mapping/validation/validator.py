"""Documents against their schema, then against the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from llama_mapper.domain.contracts.analysis import AnalysisRequest
from llama_mapper.domain.contracts.assessment import Assessment, AssessmentAnswer, AssessmentRequest
from llama_mapper.domain.contracts.base import Contract
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.evolution.changes import Side
from llama_mapper.domain.contracts.evolution.versions import SchemaVersions, named_schema, schema_id
from llama_mapper.domain.contracts.mapping import (
    LabelMappingRequest,
    LabelMappingResponse,
    MappingRequest,
    MappingResponse,
)
from llama_mapper.domain.contracts.refusals import faults_of
from llama_mapper.domain.contracts.validation import (
    FAULTS_TOLD,
    FaultCode,
    FaultSeverity,
    ValidationFault,
    ValidationQuery,
    ValidationReport,
)
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.validation.faults import error
from llama_mapper.domain.mapping.validation.inputs import framework_faults, label_request_faults
from llama_mapper.domain.mapping.validation.outputs import label_response_faults, mapping_faults

Check = Callable[[Contract, CatalogueView], Iterator[ValidationFault]]
"""A further check of documents of the right shape; it yields nothing for a model that is not its subject."""

_COUNTED = 100_000


class Validator:
    """Checks documents with a catalogue, by default the shipped one; `checks` come after our own."""

    def __init__(
        self,
        catalogue: CatalogueView,
        schemas: Callable[[], SchemaVersions],
        models: dict[str, type[Contract]],
        checks: tuple[Check, ...] = (),
    ) -> None:
        self._catalogue = catalogue
        self._schemas = schemas
        self._models = models
        self._checks = (meaning_faults, *checks)

    def validate(
        self, query: ValidationQuery, catalogue: CatalogueView | None = None, overlay_version: str | None = None
    ) -> ValidationReport:
        """What is wrong with the document; raise `SCHEMA_UNKNOWN` or `INVALID_REQUEST` for a schema not served.

        `catalogue` stands in for the shipped one, and `overlay_version` is that of the tenant's words in it.
        """
        catalogue = catalogue or self._catalogue
        name, major = named_schema(query.schema_id)
        versions = self._schemas()
        document = self._newest(versions, name, major, query.document)
        newest = versions.newest(name).version
        faults = list(islice(self._faults(self._models[name], document, catalogue), _COUNTED))
        errors = sum(fault.severity is FaultSeverity.ERROR for fault in faults)
        return ValidationReport(
            schema_id=schema_id(name, newest),
            valid=errors == 0,
            faults=tuple(sorted(faults, key=lambda fault: fault.severity)[:FAULTS_TOLD]),
            errors=errors,
            warnings=len(faults) - errors,
            taxonomy_version=catalogue.versions.taxonomy,
            vocabulary_version=catalogue.versions.vocabulary,
            crosswalk_version=catalogue.versions.crosswalk,
            overlay_version=overlay_version,
        )

    def newest_major(self, name: str) -> int:
        """The newest major version of a published model; raise `SCHEMA_UNKNOWN` for another name."""
        if name not in self._models:
            raise ValidationError("no schema of this name is published", ErrorCode.SCHEMA_UNKNOWN)
        return self._schemas().newest(name).version.major

    def _newest(self, versions: SchemaVersions, name: str, major: int, document: Any) -> Any:
        if name in self._models and versions.newest(name).side is Side.READER:
            return versions.upgraded(name, major, document)
        if name not in self._models or versions.newest(name).version.major != major:
            raise ValidationError(f"version {major} of the schema {name} is not checked here", ErrorCode.SCHEMA_UNKNOWN)
        return document

    def _faults(self, model: type[Contract], document: Any, catalogue: CatalogueView) -> Iterator[ValidationFault]:
        value, shape = faults_of(model, document)
        if value is None:
            yield from (error(fault.field, FaultCode.SHAPE, fault.message) for fault in shape)
            return
        for check in self._checks:
            yield from check(value, catalogue)


def meaning_faults(value: Contract, catalogue: CatalogueView) -> Iterator[ValidationFault]:
    """What a document of the right shape gets wrong about labels, frameworks and controls."""
    if isinstance(value, LabelMappingRequest):
        yield from label_request_faults(value, catalogue)
    elif isinstance(value, MappingRequest | AnalysisRequest | AssessmentRequest):
        yield from framework_faults("frameworks", value.frameworks, catalogue)
    elif isinstance(value, LabelMappingResponse):
        yield from label_response_faults(value, catalogue)
    elif isinstance(value, MappingResponse):
        yield from mapping_faults("", value, catalogue)
    elif isinstance(value, Assessment | AssessmentAnswer):
        yield from mapping_faults("mapping", value.mapping, catalogue)
