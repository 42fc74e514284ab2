"""The service, over detectors that behave and detectors that do not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llama_mapper.domain.contracts.orchestration import (
    ContentType,
    DetectorResult,
    DetectorStatus,
    OrchestrationApi,
    OrchestrationResponse,
    ProcessingMode,
    VerdictAction,
)
from llama_mapper.domain.kernel.errors import (
    ConfigurationError,
    ErrorCode,
    OrchestrationError,
    PolicyEnforcementError,
    ServiceError,
    ValidationError,
)
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import DetectorFailed, DetectorUnavailable, Inspection, RawFinding
from llama_mapper.domain.orchestration.roster import DetectorRoster
from tests.unit.orchestration.support import (
    EMAIL,
    SECRET,
    TOXIC,
    FixedEngine,
    NoBundles,
    ScriptedDetector,
    SmallCatalogue,
    gives,
    raises,
    raw_plan,
    request,
    says,
    service,
    sleeps,
)

CONTENT = "write to jo@example.org"


class Panic(BaseException):
    """What a broken native extension may raise."""


def result_of(response: OrchestrationResponse, name: str) -> DetectorResult:
    [found] = [one for one in response.detector_results if one.detector == name]
    return found


async def test_a_record_tells_everything_and_keeps_no_content() -> None:
    found = says(RawFinding("EMAIL", 0.9, 9, 23), language="en")
    response = await service([ScriptedDetector("a", behave=found), ScriptedDetector("b", (TOXIC,))]).orchestrate(
        request(CONTENT)
    )
    assert response.request_id.startswith("req_")
    assert (response.tenant_id, response.content_length, response.language) == ("t1", len(CONTENT), "en")
    assert (response.coverage_achieved, response.coverage.sufficient) == (1.0, True)
    assert response.verdict.action is VerdictAction.FLAG
    assert response.policy.policy_applied == response.version_info.policy_version == "default@1.0.0"
    assert response.policy.selected_detectors == ("a", "b")
    assert response.version_info.detectors == {"a": "1.0", "b": "1.0"}
    assert [step.component for step in response.provenance] == ["policy", "a", "b", "aggregation"]
    first, second = response.detector_results
    assert (first.output, first.confidence) == ("EMAIL", 0.9)
    assert (second.output, second.confidence) == ("clean", 0.5)
    assert "jo@example.org" not in response.model_dump_json()
    assert OrchestrationResponse.model_validate_json(response.model_dump_json()) == response


async def test_the_service_keeps_the_published_promise() -> None:
    api: OrchestrationApi = service([ScriptedDetector("b"), ScriptedDetector("a", not_ready="loading")])
    assert [(one.name, one.ready, one.reason) for one in await api.detectors()] == [
        ("a", False, "loading"),
        ("b", True, ""),
    ]
    assert [one.bundle for one in await api.policies("t1")] == ["default"]


# --- a bad detector never fails the request --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behave", "status", "code", "message"),
    [
        (raises(DetectorUnavailable("not installed")), "unavailable", "DETECTOR_UNAVAILABLE", "not installed"),
        (raises(DetectorFailed("HTTP 500")), "failed", "DETECTOR_FAILED", "HTTP 500"),
        (raises(DetectorFailed("\ud800")), "failed", "DETECTOR_FAILED", "?"),
        (raises(ValueError(CONTENT)), "failed", "DETECTOR_ERROR", "ValueError"),
        (raises(ExceptionGroup(CONTENT, [ValueError(CONTENT)])), "failed", "DETECTOR_ERROR", "ExceptionGroup"),
        (raises(Panic(CONTENT)), "failed", "DETECTOR_ERROR", "Panic"),
        (raises(asyncio.CancelledError()), "failed", "DETECTOR_ERROR", "CancelledError"),
        (raises(TimeoutError()), "failed", "DETECTOR_ERROR", "TimeoutError"),
        (sleeps(5), "timeout", "DETECTOR_TIMEOUT", "no answer within 50 ms"),
        (gives(None), "failed", "MALFORMED_FINDING", "the answer is not an inspection"),
        (says(("EMAIL", 7.0)), "failed", "MALFORMED_FINDING", "a finding's score is outside 0 to 1"),
    ],
)
async def test_one_bad_detector_is_reported_and_all_others_are_returned(
    behave: Any, status: str, code: str, message: str
) -> None:
    detectors = [ScriptedDetector("bad", behave=behave), ScriptedDetector("good", behave=says(("EMAIL", 0.9)))]
    plan = raw_plan(["bad", "good"], own={"bad": {"timeout_ms": 50}})
    response = await service(detectors, plan).orchestrate(request(CONTENT))
    bad = result_of(response, "bad")
    assert (bad.status.value, bad.output, bad.confidence, bad.findings) == (status, status, 0.0, ())
    assert bad.fault is not None
    assert (bad.fault.code, bad.fault.message) == (code, message)
    assert result_of(response, "good").findings
    assert response.coverage_achieved == 0.5
    assert CONTENT not in response.model_dump_json()


async def test_a_detector_that_is_not_ready_is_not_asked() -> None:
    loading = ScriptedDetector("loading", not_ready="its model is still loading")
    response = await service([loading, ScriptedDetector("a")]).orchestrate(request())
    fault = result_of(response, "loading").fault
    assert fault is not None
    assert (fault.code, fault.message, loading.asked) == ("DETECTOR_NOT_READY", "its model is still loading", 0)


async def test_a_detector_that_cannot_even_tell_its_readiness_fails_alone() -> None:
    class Broken(ScriptedDetector):
        @property
        def readiness(self) -> str | None:
            raise OSError("pipe")

        @readiness.setter
        def readiness(self, value: str | None) -> None: ...

    response = await service([Broken("broken"), ScriptedDetector("a")]).orchestrate(request())
    fault = result_of(response, "broken").fault
    assert fault is not None
    assert fault.message == "its readiness cannot be told (OSError)"


async def test_an_undecided_detector_does_not_clear_its_categories() -> None:
    response = await service([ScriptedDetector("a", behave=says(("controversial", 0.9)))]).orchestrate(request())
    assert response.aggregation_summary.categories == ()
    assert (response.coverage_achieved, response.verdict.action) == (1.0, VerdictAction.ALLOW)


async def test_a_detector_that_nobody_registered_is_reported_unavailable() -> None:
    response = await service([ScriptedDetector("a")], raw_plan(["a", "ghost"])).orchestrate(request())
    ghost = result_of(response, "ghost")
    assert ghost.status is DetectorStatus.UNAVAILABLE
    assert ghost.fault is not None
    assert ghost.fault.code == "DETECTOR_NOT_REGISTERED"
    assert [gap.subject for gap in response.coverage.gaps] == ["ghost"]
    assert "ghost" not in response.version_info.detectors


@pytest.mark.parametrize("behave", [raises(ValueError("x")), sleeps(5), gives(None)])
async def test_a_request_that_nobody_answered_is_an_error_worth_a_retry(behave: Any) -> None:
    plan = raw_plan(["a"], own={"a": {"timeout_ms": 20}})
    with pytest.raises(OrchestrationError) as caught:
        await service([ScriptedDetector("a", behave=behave)], plan).orchestrate(request())
    assert (caught.value.error_code, caught.value.retryable) == (ErrorCode.ALL_DETECTORS_UNAVAILABLE, True)


async def test_a_plan_that_selects_nobody_answers_with_its_gaps() -> None:
    plan = raw_plan(coverage={"method": "taxonomy", "on_insufficient": "block"})
    response = await service([], plan).orchestrate(request())
    assert response.detector_results == ()
    assert (response.coverage_achieved, response.verdict.action) == (0.0, VerdictAction.BLOCK)


async def test_a_block_hides_none_of_the_other_results() -> None:
    plan = raw_plan(["a", "b", "c"], actions={"default": [{"threshold": 0.5, "action": "block"}], "categories": {}})
    detectors = [
        ScriptedDetector("a", behave=says((SECRET, 0.95))),
        ScriptedDetector("b", (TOXIC,), sleeps(0.02)),
        ScriptedDetector("c", behave=says(("EMAIL", 0.9))),
    ]
    response = await service(detectors, plan).orchestrate(request())
    assert response.verdict.action is VerdictAction.BLOCK
    assert all(one.status is DetectorStatus.SUCCESS for one in response.detector_results)
    assert [one.subject for one in response.verdict.reasons] == [SECRET, EMAIL]


async def test_a_silent_fail_closed_detector_blocks() -> None:
    plan = raw_plan(["a"], ["b"], {"b": {"failure_mode": "fail_closed"}})
    detectors = [ScriptedDetector("a"), ScriptedDetector("b", behave=raises(DetectorFailed("gone")))]
    response = await service(detectors, plan).orchestrate(request())
    assert (response.coverage_achieved, response.verdict.action) == (1.0, VerdictAction.BLOCK)


async def test_cancelling_a_request_cancels_its_detectors() -> None:
    detector = ScriptedDetector("a", behave=sleeps(5))
    running = asyncio.create_task(service([detector]).orchestrate(request()))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert detector.cancelled == 1


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content": "x" * 1001}, ErrorCode.CONTENT_TOO_LARGE),
        ({"categories": (EMAIL, "no.such")}, ErrorCode.CATEGORY_NOT_FOUND),
        ({"policy_bundle": "nope"}, ErrorCode.POLICY_NOT_FOUND),
        ({"tenant_id": None}, ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_cannot_be_judged_is_refused_before_any_detector_is_asked(
    changes: dict[str, Any], code: ErrorCode
) -> None:
    detector = ScriptedDetector("a")
    with pytest.raises(ServiceError) as caught:
        await service([detector]).orchestrate(request(**changes))
    assert (caught.value.error_code, caught.value.retryable, detector.asked) == (code, False, 0)


async def test_the_limit_itself_is_admitted() -> None:
    assert (await service([ScriptedDetector("a")]).orchestrate(request("x" * 1000))).content_length == 1000


async def test_an_invalid_plan_names_its_policy_and_the_path() -> None:
    bad = service([], engine=FixedEngine(raw_plan() | {"timeout_ms": -1}))
    with pytest.raises(PolicyEnforcementError, match=r"policy 'default@1\.0\.0': plan\.timeout_ms"):
        await bad.orchestrate(request())


@pytest.mark.parametrize(
    ("name", "detector"),
    [
        ("b", ScriptedDetector("a")),
        ("a", ScriptedDetector("a", ("no.such",))),
        ("a b", ScriptedDetector("a b")),
        ("a", ScriptedDetector("a", ("PII",))),
    ],
)
def test_a_detector_that_declares_itself_wrongly_is_refused_at_the_start(name: str, detector: ScriptedDetector) -> None:
    with pytest.raises(ConfigurationError):
        DetectorRoster(SmallCatalogue(), {name: detector})


# --- languages and categories ----------------------------------------------------------------------------------------


async def test_language_support_is_told_for_each_detector() -> None:
    detectors = [
        ScriptedDetector("any"),
        ScriptedDetector("english", (TOXIC,), languages=("en",)),
        ScriptedDetector("german", (TOXIC,), languages=("de", "nl")),
        ScriptedDetector("tells", (), says(language="de")),
    ]
    response = await service(detectors).orchestrate(request())
    told = {one.detector: one.language_supported for one in response.detector_results}
    assert told == {"any": True, "english": False, "german": True, "tells": True}
    assert [gap.subject for gap in response.coverage.gaps] == ["english"]


async def test_language_support_is_unknown_where_no_detector_told_the_language() -> None:
    response = await service([ScriptedDetector("english", languages=("en",))]).orchestrate(request())
    assert response.detector_results[0].language_supported is None


async def test_a_caller_that_names_categories_gets_only_these_judged() -> None:
    detector = ScriptedDetector("a", (EMAIL, TOXIC), says(("EMAIL", 0.9), ("toxic", 0.9)))
    plan = raw_plan(["a"], categories=[EMAIL])
    response = await service([detector], plan).orchestrate(request(categories=(EMAIL,)))
    assert [one.category for one in response.aggregation_summary.categories] == [EMAIL]
    assert response.detector_results[0].categories == (EMAIL,)
    assert len(response.detector_results[0].findings) == 2
    everything = await service([detector], plan).orchestrate(request())
    assert [one.category for one in everything.aggregation_summary.categories] == [EMAIL, TOXIC]


# --- remembered decisions --------------------------------------------------------------------------------------------


async def test_a_decision_on_equal_facts_is_made_once() -> None:
    engine, bundles = FixedEngine(raw_plan(["a"])), NoBundles()
    subject = service([ScriptedDetector("a")], engine=engine, bundles=bundles)
    for number in range(10):
        await subject.orchestrate(request(f"content {number}"))
    assert (engine.evaluations, bundles.lookups) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant_id": "t2"},
        {"content_type": ContentType.CODE},
        {"processing_mode": ProcessingMode.CRITICAL},
        {"categories": (EMAIL,)},
        {"metadata": {"channel": "mail"}},
    ],
)
async def test_a_decision_on_other_facts_is_made_anew(changes: dict[str, Any]) -> None:
    engine = FixedEngine(raw_plan(["a"]))
    subject = service([ScriptedDetector("a")], engine=engine)
    await subject.orchestrate(request())
    await subject.orchestrate(request(**changes))
    assert engine.evaluations == 2


async def test_a_decision_is_made_anew_when_readiness_changes() -> None:
    engine, detector = FixedEngine(raw_plan(["a", "b"])), ScriptedDetector("a", not_ready="loading")
    subject = service([detector, ScriptedDetector("b")], engine=engine)
    await subject.orchestrate(request())
    detector.readiness = None
    await subject.orchestrate(request())
    assert [facts["detectors"][0]["ready"] for facts in engine.facts] == [False, True]


async def test_bundles_of_equal_content_are_still_named_apart() -> None:
    engine, bundles = FixedEngine(raw_plan(["a"])), NoBundles()
    subject = service([ScriptedDetector("a")], engine=engine, bundles=bundles)
    await bundles.put("t1", make_bundle("mine", "1", "", {}, {}))
    await bundles.put("t1", make_bundle("theirs", "2", "", {}, {}))
    first = await subject.orchestrate(request(policy_bundle="mine"))
    second = await subject.orchestrate(request(policy_bundle="theirs"))
    assert (first.policy.policy_applied, second.policy.policy_applied) == ("mine@1", "theirs@2")


async def test_metadata_that_the_policy_does_not_read_neither_reaches_it_nor_costs_a_decision() -> None:
    engine = FixedEngine(raw_plan(["a"]))
    subject = service([ScriptedDetector("a")], engine=engine, data={"metadata_facts": ["channel"]})
    for number in range(3):
        await subject.orchestrate(request(metadata={"channel": "mail", "message": number}))
    assert engine.evaluations == 1
    assert engine.facts[0]["metadata"] == {"channel": "mail"}


async def test_a_quiet_run_is_judged_anew_when_a_detector_fails() -> None:
    moods: list[Any] = [None, ValueError(), None]

    async def moody(content: str) -> Inspection:
        mood = moods.pop(0)
        if mood is not None:
            raise mood
        return Inspection()

    subject = service([ScriptedDetector("a", behave=moody), ScriptedDetector("b")])
    achieved = [(await subject.orchestrate(request())).coverage_achieved for _ in range(3)]
    assert achieved == [1.0, 0.5, 1.0]


def test_errors_here_are_of_the_published_kinds() -> None:
    assert issubclass(ValidationError, ServiceError)
