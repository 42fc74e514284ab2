"""The whole validation of a bundle: one trial run, and every check on what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.model import Plan
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.domain.orchestration.validation.data_checks import data_problems
from llama_mapper.domain.orchestration.validation.exercise import BundleExercise, Exercise
from llama_mapper.domain.orchestration.validation.plan_checks import (
    each_once,
    shadowed_actions,
    unattainable_coverage,
    unknown_names,
)
from llama_mapper.domain.orchestration.validation.report import (
    Problem,
    ProblemCode,
    ProblemSeverity,
    ValidationReport,
    error,
    warning,
)
from llama_mapper.domain.orchestration.validation.trials import Registered, Trial, trials

_PROBLEMS_LIMIT = 256


class DeepBundleValidator:
    """Tries a bundle and tells all that is wrong with it.

    Errors: it does not compile; it takes too long; a test of its own fails; it gives no valid plan for some content
    type and mode; its plan names a detector or a risk category that does not exist; every request would be blocked
    for want of coverage. Warnings: it has no tests; action rules, profiles, terms or lines that no trial comes to;
    coverage that can never be reached. `detectors` is asked at every validation; where it gives none, nothing is said
    about detectors' names and coverage.
    """

    def __init__(
        self,
        exercise: BundleExercise,
        detectors: Callable[[], Awaitable[Sequence[Registered]]],
        categories: Collection[str],
    ) -> None:
        self._exercise = exercise
        self._detectors = detectors
        self._categories = frozenset(categories)

    async def validate(self, bundle: PolicyBundle, tenant_id: str) -> ValidationReport:
        """Every problem of the bundle for this tenant, errors first."""
        detectors = {detector.name: detector for detector in await self._detectors()}
        tried = trials(tenant_id, tuple(detectors.values()), self._categories)
        outcome = await self._exercise.run(bundle, [trial.facts for trial in tried])
        problems = list(self._problems(bundle, tenant_id, detectors, tried, outcome))
        problems.sort(key=lambda problem: problem.severity is not ProblemSeverity.ERROR)
        return ValidationReport(tuple(problems[:_PROBLEMS_LIMIT]), outcome.tests)

    def _problems(
        self,
        bundle: PolicyBundle,
        tenant_id: str,
        detectors: Mapping[str, Registered],
        tried: Sequence[Trial],
        outcome: Exercise,
    ) -> Iterator[Problem]:
        if outcome.fault is not None:
            yield error(ProblemCode.NOT_COMPILING, "", outcome.fault)
            return
        yield from _test_problems(outcome)
        if outcome.overrun is not None:
            yield error(ProblemCode.TOO_SLOW, "", f"it took longer than it may: {outcome.overrun}")
            return
        found: list[tuple[str, Problem]] = []
        selected: set[str] = set()
        for trial, given in zip(tried, outcome.plans, strict=True):
            plan = _plan(given)
            if not isinstance(plan, Plan):
                found.append((trial.name, error(ProblemCode.PLAN_INVALID, "plan", plan)))
                continue
            selected.update(plan.selected, _substitutes(plan))
            found += [(trial.name, each) for each in self._plan_problems(plan, trial, detectors)]
        yield from each_once(found)
        if detectors:
            yield from data_problems(bundle.data, tenant_id, detectors, selected)
        for part in outcome.unreached:
            lines = ", ".join(map(str, part.lines))
            where = f"{part.path}:{part.lines[0]}"
            if part.whole:
                yield warning(ProblemCode.RULE_UNREACHED, where, f"no test and no trial comes to '{part.rule}'")
            else:
                message = f"no test and no trial comes to line {lines} of '{part.rule}'"
                yield warning(ProblemCode.LINES_UNREACHED, where, message)

    def _plan_problems(self, plan: Plan, trial: Trial, detectors: Mapping[str, Registered]) -> Iterator[Problem]:
        if detectors:
            yield from unknown_names(plan, detectors, self._categories)
            for name in sorted(_substitutes(plan)):
                if name not in detectors:
                    message = f"no detector '{name}' is registered"
                    yield error(ProblemCode.UNKNOWN_DETECTOR, "plan.detectors.terms", message)
            if trial.plain:
                yield from unattainable_coverage(plan, detectors)
        else:
            unknown = unknown_names(plan, {*plan.selected, *plan.coverage.requirements}, self._categories)
            yield from unknown
        yield from shadowed_actions(plan)


def _test_problems(outcome: Exercise) -> Iterator[Problem]:
    if not outcome.tests:
        yield warning(ProblemCode.NO_TESTS, "", "the bundle has no tests (rules 'test_…' in modules '*_test.rego')")
    for test in outcome.tests:
        if not test.passed:
            yield error(ProblemCode.TEST_FAILED, f"{test.path}:{test.line}", f"{test.name}: {test.message}")


def _plan(given: Mapping[str, Any] | str) -> Plan | str:
    if isinstance(given, str):
        return given
    try:
        return parse_plan(given)
    except PolicyEnforcementError as refused:
        return refused.message


def _substitutes(plan: Plan) -> set[str]:
    """Detectors that stand in for others."""
    return {name for terms in plan.terms.values() for name in terms.substitutes}
