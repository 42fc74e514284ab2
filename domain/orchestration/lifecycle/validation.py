"""Validation of a bundle: what it reports, and the examination that every bundle has to pass."""

from __future__ import annotations

from dataclasses import dataclass

from llama_mapper.domain.contracts.policies import ProblemSeverity
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import check_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `path` says where, and is empty for the bundle as a whole."""

    code: str
    path: str
    message: str
    severity: ProblemSeverity = ProblemSeverity.ERROR


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """All that validation found."""

    problems: tuple[Problem, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether nothing found is an error."""
        return not any(problem.severity is ProblemSeverity.ERROR for problem in self.problems)


class PlanValidation:
    """Keeps `BundleValidator`: the bundle must give a valid plan for every content type and processing mode."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    async def validate(self, bundle: PolicyBundle, tenant_id: str) -> ValidationReport:
        """Report the first plan that is not valid."""
        try:
            await check_bundle(self._engine, bundle, tenant_id)
        except PolicyEnforcementError as error:
            return ValidationReport((Problem(error.error_code.value, "", error.message),))
        return ValidationReport()
