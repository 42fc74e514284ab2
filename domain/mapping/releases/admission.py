"""Nothing is released whose evaluation is below the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.releases import AbStart, EvaluationSummary, ShadowStart, Start, VariantKind
from llama_mapper.domain.kernel.errors import ErrorCode, MappingError
from llama_mapper.domain.mapping.releases.ports import EvaluationRecords, VersionCheck


@dataclass(frozen=True, slots=True)
class AdmissionGate:
    """Bounds that an evaluation's figures must keep, by name; a figure that is missing keeps none."""

    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)

    def require(self, version: str, evaluation: EvaluationSummary | None) -> None:
        """Raise `RELEASE_GATE_FAILED`, naming every figure that keeps its bound not, or that no evaluation is there."""
        if evaluation is None:
            raise MappingError(f"{version} has no evaluation", ErrorCode.RELEASE_GATE_FAILED)
        figures = evaluation.figures
        failed = [
            *(
                _told(name, figures.get(name), "at least", bound)
                for name, bound in self.least.items()
                if not figures.get(name, float("-inf")) >= bound
            ),
            *(
                _told(name, figures.get(name), "at most", bound)
                for name, bound in self.most.items()
                if not figures.get(name, float("inf")) <= bound
            ),
        ]
        if failed:
            raise MappingError(
                f"the evaluation of {version} is below the gate: {'; '.join(failed)}", ErrorCode.RELEASE_GATE_FAILED
            )


def _told(name: str, value: float | None, relation: str, bound: float) -> str:
    return f"{name} must be {relation} {bound:g} and is {'missing' if value is None else format(value, 'g')}"


_NO_BOUNDS = AdmissionGate()


class Admission:
    """Finds a version's evaluation and holds it against the gate of its kind.

    A kind without a gate of its own needs an evaluation all the same. Where evaluations are registered, the registered
    one counts and what a caller brings must be the same; elsewhere the caller's counts.
    """

    def __init__(
        self,
        gates: Mapping[VariantKind, AdmissionGate],
        registered: EvaluationRecords | None = None,
        here: VersionCheck | None = None,
    ) -> None:
        self._gates = gates
        self._registered = registered
        self._here = here

    async def require_runnable(self, plan: Start) -> None:
        """Raise `RELEASE_STATE` for a plan with a version that cannot be released here."""
        if self._here is None:
            return
        if isinstance(plan, AbStart | ShadowStart):
            versions = [plan.baseline, *(each.version for each in plan.treatments)]
        else:
            versions = [plan.baseline, plan.candidate]
        for version in versions:
            if problem := await self._here.problem(plan.kind, version):
                raise MappingError(problem, ErrorCode.RELEASE_STATE)

    async def require(
        self, kind: VariantKind, version: str, brought: EvaluationSummary | None
    ) -> EvaluationSummary | None:
        """The evaluation that counts; raise `RELEASE_GATE_FAILED`."""
        evaluation = brought
        if self._registered is not None and (known := await self._registered.of(kind, version)) is not None:
            if brought is not None and brought != known:
                raise MappingError(
                    f"the evaluation of {version} is not the registered one ({known.digest})",
                    ErrorCode.RELEASE_GATE_FAILED,
                )
            evaluation = known
        self._gates.get(kind, _NO_BOUNDS).require(version, evaluation)
        return evaluation
