"""What the validator tells of a bundle before it decides anything."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from llama_mapper.adapters.orchestration.policies.process_bundle_exercise import ProcessBundleExercise
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, PolicyBundle
from llama_mapper.domain.orchestration.validation.report import ProblemCode, ProblemSeverity, ValidationReport
from llama_mapper.domain.orchestration.validation.trials import Registered
from llama_mapper.domain.orchestration.validation.validator import DeepBundleValidator
from tests.unit.orchestration.test_shipped_policies import DECLARED

CATEGORIES = load_catalogue().categories
REGISTERED = tuple(
    DetectorDescriptor(name, "acme", "1", categories, (), (), 0.0) for name, categories in DECLARED.items()
)
BUNDLES = {bundle.name: bundle for bundle in load_shipped_bundles()}
PASSING = "package policy_test\n\nimport rego.v1\n\ntest_it if data.defaults.coverage.threshold == 0.8\n"


NEVER = """\
plan := {"video": video}

video if {
	input.content_type == "video"
	input.metadata.long
}
"""


async def report_on(bundle: PolicyBundle, registered: tuple[Registered, ...] = REGISTERED) -> ValidationReport:
    async def detectors() -> tuple[Registered, ...]:
        return registered

    validator = DeepBundleValidator(ProcessBundleExercise(30, 120), detectors, CATEGORIES)
    return await validator.validate(bundle, "t1")


def changed(
    modules: Mapping[str, str] | None = None, tenant: Mapping[str, Any] | None = None, **defaults: Any
) -> PolicyBundle:
    data = copy.deepcopy(dict(BUNDLES["default"].data))
    data["defaults"].update(defaults)
    data["tenants"] = {"t1": tenant} if tenant else {}
    return make_bundle("changed", "1", "", {**BUNDLES["default"].modules, **(modules or {})}, data)


def found(report: ValidationReport) -> set[tuple[str, str]]:
    return {(problem.code.value, problem.path) for problem in report.problems}


@pytest.mark.parametrize("name", sorted(BUNDLES))
async def test_the_shipped_bundles_are_valid_and_every_rule_of_them_is_reached(name: str) -> None:
    report = await report_on(BUNDLES[name])
    assert report.valid
    assert {problem.code for problem in report.problems} <= {ProblemCode.NO_TESTS, ProblemCode.LINES_UNREACHED}


async def test_nothing_is_said_about_detectors_where_none_are_known() -> None:
    report = await report_on(BUNDLES["default"], ())
    assert {problem.code for problem in report.problems} <= {
        ProblemCode.NO_TESTS,
        ProblemCode.LINES_UNREACHED,
        ProblemCode.RULE_UNREACHED,
    }


async def test_a_bundle_with_a_passing_test_is_told_so() -> None:
    report = await report_on(changed({"policy_test.rego": PASSING}))
    assert [(test.name, test.passed) for test in report.tests] == [("data.policy_test.test_it", True)]
    assert ProblemCode.NO_TESTS not in {problem.code for problem in report.problems}


async def test_a_failing_test_is_an_error_at_its_line() -> None:
    report = await report_on(changed({"policy_test.rego": PASSING.replace("0.8", "0.9")}))
    assert not report.valid
    assert ("TEST_FAILED", "policy_test.rego:5") in found(report)


async def test_a_bundle_that_does_not_compile_is_told_nothing_else() -> None:
    report = await report_on(changed({"broken.rego": "package p\n\nx := {"}))
    assert [problem.code for problem in report.problems] == [ProblemCode.NOT_COMPILING]


async def test_a_plan_that_is_not_valid_is_told_once_with_its_first_case() -> None:
    report = await report_on(changed(tenant={"coverage": {"threshold": 2}}))
    [problem] = [each for each in report.problems if each.code is ProblemCode.PLAN_INVALID]
    assert "plan.coverage.threshold" in problem.message
    assert "text content in mode normal" in problem.message


@pytest.mark.parametrize(
    ("tenant", "code", "path", "severity"),
    [
        ({"required_detectors": ["nobody"]}, "UNKNOWN_DETECTOR", "plan.detectors.primary", ProblemSeverity.ERROR),
        (
            {"detectors": {"presidio": {"substitutes": ["nobody"]}}},
            "UNKNOWN_DETECTOR",
            "plan.detectors.terms",
            ProblemSeverity.ERROR,
        ),
        (
            {"actions": {"categories": {"pii.personal_identifier": [{"threshold": 0.5, "action": "block"}]}}},
            "UNKNOWN_CATEGORY",
            "plan.actions.categories",
            ProblemSeverity.ERROR,
        ),
        (
            {"conflicts": {"categories": {"piii.*": "majority_vote"}}},
            "UNKNOWN_CATEGORY",
            "plan.conflicts.categories",
            ProblemSeverity.ERROR,
        ),
        (
            {"actions": {"default": [{"threshold": 0.4, "action": "block"}, {"threshold": 0.6, "action": "flag"}]}},
            "ACTION_SHADOWED",
            "plan.actions.default[1]",
            ProblemSeverity.WARNING,
        ),
        (
            {"content_types": {"video": {"categories": ["*"]}}},
            "PROFILE_UNREACHABLE",
            "data.tenants.t1.content_types.video",
            ProblemSeverity.WARNING,
        ),
        (
            {"timeouts_ms": {"urgent": 10}},
            "PROFILE_UNREACHABLE",
            "data.tenants.t1.timeouts_ms.urgent",
            ProblemSeverity.WARNING,
        ),
        (
            {"excluded_detectors": ["picket"]},
            "TERMS_UNUSED",
            "data.defaults.detectors.picket",
            ProblemSeverity.WARNING,
        ),
        (
            {"excluded_detectors": ["toxicity", "abuse"], "coverage": {"threshold": 1}},
            "COVERAGE_UNATTAINABLE",
            "plan.coverage",
            ProblemSeverity.WARNING,
        ),
        (
            {"excluded_detectors": ["toxicity", "abuse"], "coverage": {"threshold": 1, "on_insufficient": "block"}},
            "COVERAGE_UNATTAINABLE",
            "plan.coverage",
            ProblemSeverity.ERROR,
        ),
    ],
)
async def test_every_kind_of_problem_is_found(
    tenant: dict[str, Any], code: str, path: str, severity: ProblemSeverity
) -> None:
    report = await report_on(changed(tenant=tenant))
    assert (code, path) in found(report)
    assert {each.severity for each in report.problems if (each.code, each.path) == (code, path)} == {severity}
    assert report.valid is (severity is ProblemSeverity.WARNING)


async def test_equally_strong_rules_are_shadowed_and_rising_ones_are_not() -> None:
    rising = [{"threshold": 0.8, "action": "block"}, {"threshold": 0.4, "action": "flag"}]
    report = await report_on(changed(tenant={"actions": {"default": rising}}))
    assert ProblemCode.ACTION_SHADOWED not in {problem.code for problem in report.problems}
    same = [{"threshold": 0.4, "action": "flag"}, {"threshold": 0.6, "action": "flag"}]
    report = await report_on(changed(tenant={"actions": {"default": same}}))
    assert ("ACTION_SHADOWED", "plan.actions.default[1]") in found(report)


async def test_a_rule_that_no_test_and_no_trial_comes_to_is_named_with_its_line() -> None:
    head = "package llama_mapper.policy\n\nimport rego.v1\n\n"
    unused = head + "unused(x) := x + 1\n"
    assert ("RULE_UNREACHED", "extra.rego:5") in found(await report_on(changed({"extra.rego": unused})))
    never = make_bundle("b", "1", "", {"policy.rego": head + NEVER}, {})
    assert ("LINES_UNREACHED", "policy.rego:9") in found(await report_on(never))


async def test_errors_come_before_warnings() -> None:
    report = await report_on(changed(tenant={"required_detectors": ["nobody"], "timeouts_ms": {"urgent": 10}}))
    severities = [problem.severity for problem in report.problems]
    assert severities == sorted(severities)
    assert len(set(severities)) == 2
