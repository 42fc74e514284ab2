"""What can be wrong with a valid plan: names of nothing, actions that never speak, coverage that cannot be reached."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from llama_mapper.domain.contracts.orchestration import DetectorResult, DetectorStatus, VerdictAction
from llama_mapper.domain.orchestration.coverage import measure_coverage
from llama_mapper.domain.orchestration.model import ActionRule, Plan
from llama_mapper.domain.orchestration.validation.report import Problem, ProblemCode, error, warning
from llama_mapper.domain.orchestration.validation.trials import Registered

_STRENGTH = {action: strength for strength, action in enumerate(VerdictAction)}


def unknown_names(plan: Plan, detectors: Collection[str], categories: Collection[str]) -> Iterator[Problem]:
    """Detectors that nobody registered and risk categories that the taxonomy lacks."""
    for part, names in (("primary", plan.primary), ("secondary", plan.secondary)):
        for name in names:
            if name not in detectors:
                yield error(
                    ProblemCode.UNKNOWN_DETECTOR, f"plan.detectors.{part}", f"no detector '{name}' is registered"
                )
    for name in plan.categories:
        if name not in categories:
            yield error(ProblemCode.UNKNOWN_CATEGORY, "plan.categories", f"the taxonomy has no category '{name}'")
    for name in plan.coverage.requirements:
        if name not in detectors and name not in categories:
            message = f"'{name}' is neither a registered detector nor a category"
            yield error(ProblemCode.UNKNOWN_DETECTOR, "plan.coverage.requirements", message)
    for part, by_category in (("conflicts", plan.conflicts.categories), ("actions", plan.actions.categories)):
        for name in by_category:
            if not _covers_any(name, categories):
                message = f"the taxonomy has no category '{name}'"
                yield error(ProblemCode.UNKNOWN_CATEGORY, f"plan.{part}.categories", message)


def _covers_any(name: str, categories: Collection[str]) -> bool:
    if name.endswith(".*"):
        return any(category.startswith(name[:-1]) for category in categories)
    return name in categories


def shadowed_actions(plan: Plan) -> Iterator[Problem]:
    """Action rules that a rule of a lower threshold and at least the same strength always outdoes."""
    yield from _shadowed("plan.actions.default", plan.actions.default)
    for name, rules in plan.actions.categories.items():
        yield from _shadowed(f"plan.actions.categories[{name}]", rules)


def _shadowed(path: str, rules: Sequence[ActionRule]) -> Iterator[Problem]:
    for at, rule in enumerate(rules):
        for other_at, other in enumerate(rules):
            earlier = other.threshold < rule.threshold or (other.threshold == rule.threshold and other_at < at)
            stronger = _STRENGTH[other.action] > _STRENGTH[rule.action]
            same = _STRENGTH[other.action] == _STRENGTH[rule.action]
            if (earlier and (stronger or same)) or (other.threshold == rule.threshold and stronger):
                message = (
                    f"'{rule.action}' from {rule.threshold:g} never decides: '{other.action}' from "
                    f"{other.threshold:g} is at least as strong"
                )
                yield warning(ProblemCode.ACTION_SHADOWED, f"{path}[{at}]", message)
                break


def unattainable_coverage(plan: Plan, detectors: Mapping[str, Registered]) -> Iterator[Problem]:
    """A threshold that is missed even if every selected detector answers; an error if that blocks every request."""
    report = measure_coverage([_succeeding(name, detectors.get(name)) for name in plan.selected], plan)
    if report.sufficient:
        return
    gaps = ", ".join(gap.subject for gap in report.gaps[:8])
    message = f"at most {report.achieved:.2f} of {report.threshold:.2f} can be covered; nobody registered judges {gaps}"
    blocks = plan.coverage.on_insufficient is VerdictAction.BLOCK
    made = error if blocks else warning
    yield made(ProblemCode.COVERAGE_UNATTAINABLE, "plan.coverage", message)


def _succeeding(name: str, detector: Registered | None) -> DetectorResult:
    return DetectorResult(
        detector=name,
        vendor="trial",
        vendor_version="0",
        status=DetectorStatus.UNAVAILABLE if detector is None else DetectorStatus.SUCCESS,
        output="clean",
        confidence=0.0,
        categories=() if detector is None else detector.categories,
        processing_time_ms=0.0,
    )


def each_once(problems: Iterable[tuple[str, Problem]]) -> Iterator[Problem]:
    """Every problem once, however many trials show it, told with the first of them."""
    seen: set[tuple[str, str, str]] = set()
    for trial, problem in problems:
        key = (problem.code, problem.path, problem.message)
        if key not in seen:
            seen.add(key)
            yield Problem(problem.code, problem.path, f"{problem.message} (for {trial})", problem.severity)
