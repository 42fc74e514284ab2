"""Answers kept for equal requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llama_mapper.adapters.platform.key_files import TenantRequestDigests
from llama_mapper.adapters.platform.shared_state.memory_cache import MemoryCache
from llama_mapper.domain.contracts.orchestration import DetectorStatus, ProcessingMode
from llama_mapper.domain.kernel.cache import Cached
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.pace import Pace
from llama_mapper.domain.orchestration.ports import DetectorFailed, Inspection, RawFinding
from llama_mapper.domain.orchestration.response_cache import ResponseCache
from llama_mapper.domain.orchestration.roster import DetectorRoster
from llama_mapper.domain.orchestration.service import OrchestrationService
from tests.unit.orchestration.support import (
    FixedEngine,
    HmacDigests,
    NoBundles,
    ScriptedDetector,
    SmallCatalogue,
    raw_plan,
    request,
)

SECRET = "jo@example.org"


async def slowly(text: str) -> Inspection:
    await asyncio.sleep(0.006)
    return Inspection((RawFinding("EMAIL", 0.9, 9, 23),))


class Watched(MemoryCache):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[bytes] = []

    async def put(self, tenant_id: str, namespace: str, key: str, value: bytes, **options: Any) -> None:
        self.kept.append(value + key.encode())
        await super().put(tenant_id, namespace, key, value, **options)


class Counted(MemoryCache):
    looked = 0

    async def get(self, tenant_id: str, namespace: str, key: str) -> Cached:
        self.looked += 1
        return await super().get(tenant_id, namespace, key)


class Gone(MemoryCache):
    async def get(self, tenant_id: str, namespace: str, key: str) -> Cached:
        raise StoreError("gone")


def over(
    roster: DetectorRoster, cache: MemoryCache, plan: dict[str, Any] | None = None, release: str = "0.0.1"
) -> OrchestrationService:
    return OrchestrationService(
        roster,
        FixedEngine(plan or raw_plan(["a"])),
        NoBundles(),
        [make_bundle("default", "1.0.0", "for tests", {}, {})],
        SmallCatalogue(),
        HmacDigests(),
        "0.0.1",
        1000,
        cache=ResponseCache(cache, TenantRequestDigests(bytes(32)), 60.0, release),
    )


@pytest.fixture
def detector() -> ScriptedDetector:
    return ScriptedDetector("a", behave=slowly)


@pytest.fixture
def roster(detector: ScriptedDetector) -> DetectorRoster:
    return DetectorRoster(SmallCatalogue(), {"a": detector})


async def test_an_equal_request_is_answered_without_asking_again(
    detector: ScriptedDetector, roster: DetectorRoster
) -> None:
    subject = over(roster, MemoryCache())
    first, again = [await subject.orchestrate(request()) for _ in range(2)]
    assert detector.asked == 1
    assert again.detector_results == first.detector_results
    assert again.verdict == first.verdict
    assert again.request_id != first.request_id
    assert [step.detail for step in again.provenance if step.component == "cache"] == [
        f"the answer to {first.request_id}"
    ]


@pytest.mark.parametrize("other", [{"content": "write to jo@example.com"}, {"tenant_id": "t2"}, {"metadata": {"a": 1}}])
async def test_another_request_is_judged(
    detector: ScriptedDetector, roster: DetectorRoster, other: dict[str, Any]
) -> None:
    subject = over(roster, MemoryCache())
    await subject.orchestrate(request())
    await subject.orchestrate(request(**other))
    assert detector.asked == 2


async def test_a_change_of_the_detectors_or_of_the_policy_is_noticed_at_once(
    detector: ScriptedDetector, roster: DetectorRoster
) -> None:
    cache = MemoryCache()
    await over(roster, cache).orchestrate(request())
    other = ScriptedDetector("b")
    roster.replace({"a": detector, "b": other})
    await over(roster, cache).orchestrate(request())
    assert detector.asked == 2
    changed = OrchestrationService(
        roster,
        FixedEngine(raw_plan(["a"])),
        NoBundles(),
        [make_bundle("default", "1.0.1", "for tests", {"new.rego": ""}, {})],
        SmallCatalogue(),
        HmacDigests(),
        "0.0.1",
        1000,
        cache=ResponseCache(cache, TenantRequestDigests(bytes(32)), 60.0, "0.0.1"),
    )
    await changed.orchestrate(request())
    assert detector.asked == 3


async def test_critical_requests_are_always_judged(detector: ScriptedDetector, roster: DetectorRoster) -> None:
    subject = over(roster, MemoryCache())
    for _ in range(2):
        await subject.orchestrate(request(processing_mode=ProcessingMode.CRITICAL))
    assert detector.asked == 2


async def test_an_answer_without_one_of_the_detectors_is_not_kept(detector: ScriptedDetector) -> None:
    async def breaks(text: str) -> Inspection:
        raise DetectorFailed("broken")

    broken = ScriptedDetector("b", behave=breaks)
    cache = Watched()
    subject = over(DetectorRoster(SmallCatalogue(), {"a": detector, "b": broken}), cache, raw_plan(["a", "b"]))
    await subject.orchestrate(request())
    assert cache.kept == []


async def test_an_answer_that_cost_nothing_is_not_kept() -> None:
    cache = Watched()
    await over(DetectorRoster(SmallCatalogue(), {"a": ScriptedDetector("a")}), cache).orchestrate(request())
    assert cache.kept == []


async def test_what_is_kept_holds_no_content(roster: DetectorRoster) -> None:
    cache = Watched()
    await over(roster, cache).orchestrate(request(f"write to {SECRET}"))
    [kept] = cache.kept
    assert b'"EMAIL"' in kept
    assert SECRET.encode() not in kept


async def test_a_cache_that_is_gone_costs_nothing_but_time(detector: ScriptedDetector, roster: DetectorRoster) -> None:
    subject = over(roster, Gone())
    for _ in range(2):
        assert (await subject.orchestrate(request())).detector_results
    assert detector.asked == 2


async def test_an_answer_of_another_release_is_not_given_again(
    detector: ScriptedDetector, roster: DetectorRoster
) -> None:
    cache = MemoryCache()
    for release in ("0.0.1", "0.0.2"):
        await over(roster, cache, release=release).orchestrate(request())
    assert detector.asked == 2


async def test_where_asking_is_quick_looking_stops_until_it_is_slow_again(detector: ScriptedDetector) -> None:
    cache = MemoryCache()
    pace = Pace()
    kept = ResponseCache(cache, TenantRequestDigests(bytes(32)), 60.0, "0.0.1")
    whole = await over(DetectorRoster(SmallCatalogue(), {"a": detector}), MemoryCache()).orchestrate(request())
    quick, slow = (whole.model_copy(update={"processing_time_ms": took}) for took in (4.9, 5.0))
    length = whole.content_length
    for _ in range(7):
        await kept.keep(None, quick, pace)
    assert pace.makes_looking_worth(length)
    await kept.keep(None, quick, pace)
    assert not pace.makes_looking_worth(length)
    assert pace.makes_looking_worth(length * 2)
    await kept.keep(None, slow, pace)
    assert pace.makes_looking_worth(length)
    assert len(cache) == 0


async def test_a_quick_detector_is_asked_without_looking_first() -> None:
    cache = Counted()
    answering = ScriptedDetector("a")
    subject = over(DetectorRoster(SmallCatalogue(), {"a": answering}), cache)
    for number in range(200):  # so many that a busy machine does not make eight in a row slow
        await subject.orchestrate(request(content=f"write to {number:03}"))
    assert 8 <= cache.looked < 200
    assert answering.asked == 200


async def test_a_run_that_failed_quickly_says_nothing_about_the_pace(detector: ScriptedDetector) -> None:
    whole = await over(DetectorRoster(SmallCatalogue(), {"a": detector}), MemoryCache()).orchestrate(request())
    (result,) = whole.detector_results
    failed = whole.model_copy(
        update={
            "processing_time_ms": 0.1,
            "detector_results": (result.model_copy(update={"status": DetectorStatus.FAILED}),),
        }
    )
    pace = Pace()
    kept = ResponseCache(MemoryCache(), TenantRequestDigests(bytes(32)), 60.0, "0.0.1")
    for _ in range(20):
        await kept.keep(None, failed, pace)
    assert pace.makes_looking_worth(whole.content_length)
