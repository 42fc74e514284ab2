"""Releases of a schema's version: what is known of one before it gets traffic, and the plan of its canary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from llama_mapper.domain.contracts.evolution.places import places_of
from llama_mapper.domain.contracts.evolution.versions import SchemaVersions
from llama_mapper.domain.contracts.releases import CanaryStart, EvaluationSummary, ReleaseGates, VariantKind
from llama_mapper.domain.contracts.schema_defaults import SchemaDeployment
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.releases.ports import EvaluationRecords


class SchemaEvaluations:
    """Keeps `EvaluationRecords`: of schemas what is committed of the version, of all else what `others` know."""

    def __init__(self, versions: Callable[[], SchemaVersions], others: EvaluationRecords | None = None) -> None:
        self._versions = versions
        self._others = others

    async def of(self, kind: VariantKind, version: str) -> EvaluationSummary | None:
        """See `EvaluationRecords.of`; raise `RELEASE_GATE_FAILED` for a version of a schema that is not served."""
        if kind is VariantKind.SCHEMA:
            return self._of_schema(version)
        return None if self._others is None else await self._others.of(kind, version)

    def _of_schema(self, version: str) -> EvaluationSummary:
        model, _, major = version.partition(":")
        asked = (model, int(major))
        found = next((one for one in self._versions().all() if (one.model, one.version.major) == asked), None)
        if found is None:
            raise MappingError(f"the schema {version} is not served", ErrorCode.RELEASE_GATE_FAILED)
        text = json.dumps(found.schema, sort_keys=True, separators=(",", ":"))
        return EvaluationSummary(
            digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
            figures={"places": float(len(places_of(found.schema))), "minor": float(found.version.minor)},
        )


def canary_of(model: str, major: int, in_force: int, asked: SchemaDeployment) -> CanaryStart:
    """The release that makes a version the default; raise `RELEASE_STATE` if it is in force already."""
    if major == in_force:
        raise MappingError(f"version {major} of {model} is in force already", ErrorCode.RELEASE_STATE)
    return CanaryStart(
        kind=VariantKind.SCHEMA,
        baseline=f"{model}:{in_force}",
        candidate=f"{model}:{major}",
        tenants=asked.tenants,
        excluded_tenants=asked.excluded_tenants,
        unit=asked.unit,
        note=asked.note,
        stages=asked.stages,
        min_requests=asked.min_requests,
        min_seconds=asked.min_seconds,
        gates=ReleaseGates(
            schema_validity_drop=asked.schema_validity_drop,
            error_rise=asked.error_rise,
            abstention_rise=None,
            agreement_least=None,
            latency_ratio=None,
            alpha=asked.alpha,
        ),
        automatic=asked.automatic,
        compare_percent=0.0,
    )
