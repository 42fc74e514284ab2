"""Every call counts once, whatever the store does; the number of series is bounded, and no label's text is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery, MappedLabel, MappingStage
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.cascade.calibration import Calibration
from llama_mapper.domain.mapping.cascade.cascade import Cascade, CascadeAnswer, CascadeAnswers, StageSlot, StageUse
from llama_mapper.domain.mapping.cascade.decision import Decision
from llama_mapper.domain.mapping.cascade.ports import Ranking
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.monitoring.meter import WindowMeter
from llama_mapper.domain.mapping.monitoring.observed import Observed, answered_by, asked_of, count_into
from llama_mapper.domain.mapping.monitoring.tally import (
    OTHER,
    Dimension,
    Tally,
    as_document,
    confidence_bin,
    tally_of,
    together,
)
from llama_mapper.domain.mapping.monitoring.windows import Span, Width, start_of
from llama_mapper.domain.mapping.service import MappingService
from tests.unit.mapping.monitoring.stores import Moving, Windows
from tests.unit.mapping.review_queue import ListReviewQueue

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
VENDORS = frozenset({"presidio", "llama_guard"})
SECRET = "ZEBRA-CODE-7"

ANSWERS = st.builds(
    lambda vendor, stage, confidence: MappedLabel(
        vendor=vendor,
        label=SECRET,
        canonical=None if stage is MappingStage.ABSTAINED else "pii.contact_information.email_address",
        score=1.0,
        confidence=0.0 if stage is MappingStage.ABSTAINED else confidence,
        stage=stage,
        abstained=stage is MappingStage.ABSTAINED,
    ),
    st.sampled_from(["presidio", "llama_guard", "acme", "beta"]),
    st.sampled_from([MappingStage.CATALOGUE_EXACT, MappingStage.LEXICAL, MappingStage.ABSTAINED]),
    st.sampled_from([0.0, 0.61, 0.95, 1.0]),
)


def _call(*labels: MappedLabel, seconds: float = 0.001) -> Observed:
    return Observed(answered_by(labels), seconds)


def _tally(*calls: Observed) -> Tally:
    tally = Tally()
    count_into(tally, calls, VENDORS)
    return tally


@given(st.lists(ANSWERS, min_size=1, max_size=40))
def test_each_dimension_counts_every_label_of_its_kind_once(labels: list[MappedLabel]) -> None:
    tally = _tally(_call(*labels))
    abstained = sum(label.abstained for label in labels)

    def counted(dimension: Dimension) -> int:
        return sum(counts.labels for counts in tally.of(dimension).values())

    assert tally.all.labels == counted(Dimension.STAGE) == counted(Dimension.VENDOR) == len(labels)
    assert tally.all.abstained == abstained == sum(each.abstained for each in tally.of(Dimension.VENDOR).values())
    assert counted(Dimension.CATEGORY) == counted(Dimension.CONFIDENCE) == len(labels) - abstained
    assert set(tally.of(Dimension.VENDOR)) <= {*VENDORS, OTHER}
    assert tally.all.abstained_ppm == pytest.approx(abstained / len(labels) * 1e6, abs=1)
    assert SECRET not in str(as_document(tally))


@given(st.lists(st.lists(ANSWERS, min_size=1, max_size=5), max_size=6), st.randoms())
def test_windows_add_up_in_any_order_and_survive_being_written(calls: list[list[MappedLabel]], random: object) -> None:
    tallies = [_tally(_call(*labels)) for labels in calls]
    total = together(tallies)
    random.shuffle(tallies)  # type: ignore[attr-defined]  # Hypothesis' own Random
    assert as_document(together(tally_of(as_document(each)) for each in tallies)).keys() == as_document(total).keys()
    assert together(tally_of(as_document(each)) for each in tallies).series == total.series


def test_what_a_newer_version_counts_besides_is_passed_over() -> None:
    tally = tally_of({"all": {"all": list(range(1, 30))}, "moods": {"good": [1]}})
    assert (tally.all.labels, tally.all.abstained) == (1, 2)
    assert set(tally.series) == {Dimension.ALL}


def test_any_number_of_names_makes_a_bounded_number_of_series() -> None:
    tally = Tally()
    for number in range(10_000):
        for dimension in Dimension:
            tally.at(dimension, f"name{number}").labels += 1
    assert sum(len(own) for own in tally.series.values()) < 600
    assert sum(counts.labels for counts in tally.of(Dimension.FAULT).values()) == 10_000


@pytest.mark.parametrize(("confidence", "name"), [(0.0, "00"), (0.05, "01"), (0.15, "03"), (0.95, "19"), (1.0, "19")])
def test_a_confidence_belongs_to_the_bin_that_it_begins(confidence: float, name: str) -> None:
    assert confidence_bin(confidence) == name


def test_faults_wrong_answers_and_versions_are_counted_apart() -> None:
    keys = [LabelKey("acme", None, SECRET), LabelKey("presidio", "2", SECRET)]
    abstained = Decision(None, 0.0, MappingStage.ABSTAINED)
    sure = Decision("pii.contact_information", 0.9, MappingStage.LEXICAL)
    found = CascadeAnswers(
        (CascadeAnswer(abstained, ("model: vllm_invalid_answer",)), CascadeAnswer(sure)),
        (StageUse(MappingStage.LEXICAL, "1", 2, 0.002), StageUse(MappingStage.MODEL, "m@7", 1, 0.5)),
    )
    labels = [
        MappedLabel(
            vendor="acme", label=SECRET, score=1.0, confidence=0.0, stage=MappingStage.ABSTAINED, abstained=True
        ),
        MappedLabel(
            vendor="presidio",
            label=SECRET,
            canonical="pii.contact_information",
            score=1.0,
            confidence=0.9,
            stage=MappingStage.LEXICAL,
            abstained=False,
        ),
    ]
    tally = _tally(Observed(answered_by(labels), 0.6, asked_of(keys, found)))
    fault = tally.of(Dimension.FAULT)["model: vllm_invalid_answer"]
    assert (fault.faulted, fault.wrong, fault.abstained) == (1, 1, 1)
    assert tally.of(Dimension.VENDOR)[OTHER].faulted == tally.all.faulted == tally.all.wrong == 1
    model = tally.of(Dimension.VERSION)["model@m@7"]
    assert (model.labels, model.abstained, model.faulted, model.busy_us) == (1, 1, 1, 500_000)
    work = tally.of(Dimension.WORK)
    assert work["catalogue"].busy_us == pytest.approx(98_000, abs=2)
    assert (work["model"].calls, work["model"].wrong) == (1, 1)
    assert tally.all.faulted_ppm == 500_000
    assert sum(tally.latencies("call").values()) == 1


@given(st.lists(st.sampled_from(["call", "flush", "away", "lost", "back", "minute", "hour"]), max_size=40))
@settings(deadline=None)
def test_whatever_the_store_does_every_call_counts_once(steps: list[str]) -> None:
    async def run() -> None:
        store, clock = Windows(), Moving(NOON)
        meter = WindowMeter(store, clock, VENDORS)
        calls = 0
        label = MappedLabel(
            vendor="acme", label=SECRET, score=1.0, confidence=0.0, stage=MappingStage.ABSTAINED, abstained=True
        )
        for step in [*steps, "back", "flush"]:
            match step:
                case "call":
                    meter.record("acme", _call(label))
                    calls += 1
                case "flush":
                    await meter.flush()
                case "minute" | "hour":
                    clock.now += timedelta(**{f"{step}s": 1})
                case _:
                    store.away, store.lost = step == "away", step == "lost"
        span = Span(NOON - timedelta(hours=1), clock.now + timedelta(hours=2))
        for tenant in ("acme", EVERYONE):
            for width in Width:
                windows = await store.windows(tenant, width, span)
                assert sum(window.tally.all.labels for window in windows) == calls
        assert meter.dropped == 0

    asyncio.run(run())


async def test_what_is_over_and_written_is_forgotten_and_what_is_not_is_kept() -> None:
    store, clock = Windows(), Moving(NOON)
    meter = WindowMeter(store, clock, VENDORS)
    store.away = True
    meter.record("acme", _call())
    await meter.flush()
    clock.now += timedelta(hours=2)
    await meter.flush()
    assert meter.held == 4
    store.away = False
    assert set(await meter.flush()) == {"acme", EVERYONE}
    assert meter.held == 0


async def test_windows_without_room_are_dropped_and_counted_only_while_the_store_is_away() -> None:
    store, clock = Windows(), Moving(NOON)
    meter = WindowMeter(store, clock, VENDORS, most_windows=8)
    store.away = True
    for number in range(10):
        meter.record(f"t{number}", _call())
    await meter.flush()
    assert (meter.held, meter.dropped > 0) == (8, True)
    store.away = False
    await meter.flush()
    meter.dropped = 0
    for number in range(40):
        meter.record(f"u{number}", _call())
        await meter.flush()
    assert meter.held <= 8
    assert meter.dropped == 0
    hour = Span(NOON, NOON + timedelta(hours=1))
    for number in range(40):
        (window,) = await store.windows(f"u{number}", Width.HOUR, hour)
        assert window.tally.all.calls == 1


async def test_a_flush_writes_one_tenant_alone_where_asked() -> None:
    store, clock = Windows(), Moving(NOON)
    meter = WindowMeter(store, clock, VENDORS)
    for tenant in ("acme", "beta"):
        meter.record(tenant, _call())
    assert await meter.flush("acme") == ("acme",)
    assert set(store.parts) == {"acme"}


class _Away:
    """A stage that cannot try."""

    stage = MappingStage.LEXICAL
    version = "9"

    async def rank(self, labels: Sequence[LabelKey], *, within_s: float) -> Sequence[Ranking]:
        return [Ranking(fault="away")] * len(labels)


async def test_the_service_counts_what_it_answers_with_and_without_stages() -> None:
    store, clock, catalogue = Windows(), Moving(NOON), load_catalogue()
    meter = WindowMeter(store, clock, catalogue.vendors)
    cascade = Cascade([StageSlot(_Away())], Calibration("1", {}, 39), catalogue.labels.keys())
    service = MappingService(catalogue, ListReviewQueue(), clock, "1", cascade=cascade, windows=meter)
    queries = [LabelQuery(vendor="presidio", label="CREDIT_CARD")] * 3 + [LabelQuery(vendor="acme", label=SECRET)]
    await service.map_labels(LabelMappingRequest(labels=tuple(queries), tenant_id="acme"))
    await service.map_labels(LabelMappingRequest(labels=(queries[0],), tenant_id="acme", min_confidence=1.0))
    await meter.flush()
    (window,) = await store.windows("acme", Width.MINUTE, Span(NOON, NOON + timedelta(minutes=1)))
    assert window.start == start_of(NOON, Width.MINUTE)
    tally = window.tally
    assert (tally.all.labels, tally.all.abstained, tally.all.calls, tally.all.faulted) == (5, 2, 2, 1)
    assert tally.of(Dimension.STAGE)["catalogue_exact"].labels == 3
    assert tally.of(Dimension.VENDOR)["presidio"].abstained == 1
    assert list(tally.of(Dimension.FAULT)) == ["lexical: away"]
    assert SECRET not in str(store.parts)
