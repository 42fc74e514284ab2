"""Detectors that change while requests run."""

from __future__ import annotations

import asyncio

import pytest

from llama_mapper.domain.contracts.orchestration import DetectorStatus
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from tests.unit.orchestration.support import (
    EMAIL,
    FixedEngine,
    HmacDigests,
    NoBundles,
    ScriptedDetector,
    SmallCatalogue,
    raw_plan,
    request,
    says,
    service,
)


def over(roster: DetectorRoster) -> OrchestrationService:
    engine = FixedEngine(raw_plan(["a"]))
    shipped = [make_bundle("default", "1.0.0", "for tests", {}, {})]
    return OrchestrationService(roster, engine, NoBundles(), shipped, SmallCatalogue(), HmacDigests(), "0.0.1", 1000)


async def test_a_change_takes_effect_with_the_next_request() -> None:
    roster = DetectorRoster(SmallCatalogue(), {})
    subject = over(roster)
    roster.replace({"a": ScriptedDetector("a")})
    assert [result.output for result in (await subject.orchestrate(request())).detector_results] == ["clean"]
    roster.replace({"a": ScriptedDetector("a", behave=says(("EMAIL", 0.9)))})
    assert [result.output for result in (await subject.orchestrate(request())).detector_results] == ["EMAIL"]
    assert [info.name for info in await subject.detectors()] == ["a"]


async def test_a_request_goes_on_with_the_detectors_that_it_started_with() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def behave(content: str) -> Inspection:
        asked.set()
        await go_on.wait()
        return Inspection()

    roster = DetectorRoster(SmallCatalogue(), {"a": ScriptedDetector("a", behave=behave)})
    running = asyncio.create_task(over(roster).orchestrate(request()))
    await asked.wait()
    roster.replace({"b": ScriptedDetector("b")})
    go_on.set()
    assert [result.status for result in (await running).detector_results] == [DetectorStatus.SUCCESS]


def test_a_refused_change_changes_nothing() -> None:
    fine = ScriptedDetector("a")
    roster = DetectorRoster(SmallCatalogue(), {"a": fine})
    before = roster.generation
    with pytest.raises(ConfigurationError, match="unknown categories"):
        roster.replace({"a": fine, "b": ScriptedDetector("b", ("no.such",))})
    assert (dict(roster.detectors), roster.generation) == ({"a": fine}, before)


def speaking(vocabulary: dict[str, str]) -> ScriptedDetector:
    detector = ScriptedDetector("a", behave=says(("MAIL_ADDRESS", 0.9)))
    detector.descriptor = DetectorDescriptor("a", "newcomer", "1", (EMAIL,), (), (), 0.0, vocabulary)
    return detector


async def test_a_detector_may_declare_what_its_own_labels_mean() -> None:
    answer = await service([speaking({"MAIL_ADDRESS": f"{EMAIL}.email"})]).orchestrate(request())
    [finding] = answer.detector_results[0].findings
    assert (finding.category, finding.declared) == (EMAIL, f"{EMAIL}.email")
    assert answer.aggregation_summary.categories[0].flagged


@pytest.mark.parametrize("canonical", ["no.such", "nothing"])
def test_a_vocabulary_off_the_taxonomy_is_refused(canonical: str) -> None:
    with pytest.raises(ConfigurationError, match="MAIL_ADDRESS"):
        DetectorRoster(SmallCatalogue(), {"a": speaking({"MAIL_ADDRESS": canonical})})
