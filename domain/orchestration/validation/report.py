"""What a validation found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llama_mapper.domain.contracts.policies import ProblemSeverity as ProblemSeverity


class ProblemCode(StrEnum):
    """What is wrong, for programs to branch on."""

    NOT_COMPILING = "NOT_COMPILING"
    TOO_SLOW = "TOO_SLOW"
    PLAN_INVALID = "PLAN_INVALID"
    TEST_FAILED = "TEST_FAILED"
    NO_TESTS = "NO_TESTS"
    UNKNOWN_DETECTOR = "UNKNOWN_DETECTOR"
    UNKNOWN_CATEGORY = "UNKNOWN_CATEGORY"
    ACTION_SHADOWED = "ACTION_SHADOWED"
    PROFILE_UNREACHABLE = "PROFILE_UNREACHABLE"
    TERMS_UNUSED = "TERMS_UNUSED"
    RULE_UNREACHED = "RULE_UNREACHED"
    LINES_UNREACHED = "LINES_UNREACHED"
    COVERAGE_UNATTAINABLE = "COVERAGE_UNATTAINABLE"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `path` is a place in a module (`policy.rego:12`), in the data or in the plan."""

    code: ProblemCode
    path: str
    message: str
    severity: ProblemSeverity


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What became of one of the bundle's own tests; `message` says why it failed."""

    __test__ = False  # a test runner would take it for one of its own

    name: str
    path: str
    line: int
    passed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Every problem, errors first, and every test of the bundle."""

    problems: tuple[Problem, ...] = ()
    tests: tuple[TestOutcome, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether no problem is an error."""
        return all(problem.severity is not ProblemSeverity.ERROR for problem in self.problems)


def error(code: ProblemCode, path: str, message: str) -> Problem:
    """A problem that keeps the bundle from being used."""
    return Problem(code, path, message, ProblemSeverity.ERROR)


def warning(code: ProblemCode, path: str, message: str) -> Problem:
    """A problem that its author may want to look at."""
    return Problem(code, path, message, ProblemSeverity.WARNING)
