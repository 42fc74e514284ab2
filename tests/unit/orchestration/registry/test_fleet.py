"""What the sources offer gets into service, and nothing that is wrong with one of it touches another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.detectors import DetectorSource
from llama_mapper.domain.orchestration.ports import Detector
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.registry.model import PRECEDENCE, Offer, digest_of, settled
from llama_mapper.domain.orchestration.roster import DetectorRoster, info_of
from tests.support.definitions import Workshop, a_definition
from tests.unit.orchestration.support import ScriptedDetector, SmallCatalogue

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FILE, REGISTRY, DNS = DetectorSource.FILE, DetectorSource.REGISTRY, DetectorSource.DNS


def an_offer(name: str = "outside", source: DetectorSource = REGISTRY, revision: int = 1, **changes: Any) -> Offer:
    definition = a_definition(name, **changes)
    return Offer(source, definition, revision, digest_of(definition), NOON, "anna")


class Yard:
    """A fleet beside one shipped detector."""

    def __init__(self, linger_s: float = 60.0) -> None:
        self.shipped: Detector = ScriptedDetector("shipped")
        self.roster = DetectorRoster(SmallCatalogue(), {"shipped": self.shipped})
        self.workshop = Workshop()
        self.fleet = DetectorFleet(
            self.roster,
            {"shipped": (DetectorSource.SHIPPED, self.shipped)},
            self.workshop.make,
            SmallCatalogue(),
            release=self.workshop.release,
            linger_s=linger_s,
        )


async def test_an_offer_is_in_service_beside_what_was_there() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer()])
    assert list(yard.roster.detectors) == ["outside", "shipped"]
    assert yard.roster.detectors["shipped"] is yard.shipped
    yard.fleet.offer(REGISTRY, [])
    assert list(yard.roster.detectors) == ["shipped"]


async def test_a_disabled_detector_is_out_of_service_and_keeps_its_name() -> None:
    yard = Yard()
    yard.fleet.offer(FILE, [an_offer(source=FILE, enabled=False)])
    yard.fleet.offer(REGISTRY, [an_offer()])
    assert list(yard.roster.detectors) == ["shipped"]
    assert yard.fleet.holder("outside") is FILE
    assert yard.fleet.problems == {"registry.outside": "the name belongs to a detector from file"}


async def test_a_shipped_detector_cannot_be_replaced() -> None:
    yard = Yard()
    yard.fleet.offer(FILE, [an_offer("shipped", FILE)])
    assert yard.roster.detectors["shipped"] is yard.shipped
    assert list(yard.fleet.problems) == ["file.shipped"]


@pytest.mark.parametrize("wrong", [{"url": "http://extra"}, {"categories": ["no.such"]}])
async def test_an_offer_that_cannot_be_used_leaves_the_others_in_service(wrong: dict[str, Any]) -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer("bad", **wrong), an_offer("good")])
    assert list(yard.roster.detectors) == ["good", "shipped"]
    assert list(yard.fleet.problems) == ["registry.bad"]
    assert all(made.released == (made.definition.name == "bad") for made in yard.workshop.made)


async def test_a_revision_that_cannot_be_used_leaves_the_one_before_in_service() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer()])
    before = yard.roster.detectors["outside"]
    yard.fleet.offer(REGISTRY, [an_offer(revision=2, url="http://extra")])
    assert yard.roster.detectors["outside"] is before
    assert "revision 1 stays in service" in yard.fleet.notes()["registry.outside"]
    yard.fleet.offer(REGISTRY, [an_offer(revision=3, url="http://127.0.0.1:2")])
    assert yard.roster.detectors["outside"] is not before
    assert yard.fleet.notes() == {}


async def test_what_did_not_change_is_not_made_anew_and_forgets_no_decision() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer()])
    before, generation = yard.roster.detectors["outside"], yard.roster.generation
    yard.fleet.offer(REGISTRY, [an_offer(revision=2)])
    assert yard.roster.detectors["outside"] is before
    assert yard.roster.generation == generation
    assert yard.fleet.described((info_of(before),))[0].revision == 2


async def test_a_replaced_detector_is_released_only_when_requests_had_their_time() -> None:
    yard = Yard(linger_s=0.05)
    yard.fleet.offer(REGISTRY, [an_offer()])
    yard.fleet.offer(REGISTRY, [an_offer(revision=2, url="http://127.0.0.1:2")])
    old, new = yard.workshop.made
    assert (old.released, new.released) == (0, 0)
    while not old.released:
        await asyncio.sleep(0.01)
    yard.fleet.close()
    assert (old.released, new.released) == (1, 1)


async def test_closing_releases_every_detector_once() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer("a"), an_offer("b")])
    yard.fleet.offer(REGISTRY, [an_offer("a", revision=2, url="http://127.0.0.1:2")])
    yard.fleet.close()
    yard.fleet.close()
    assert [made.released for made in yard.workshop.made] == [1, 1, 1]


async def test_a_source_in_trouble_keeps_what_it_offered() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer()])
    yard.fleet.trouble(REGISTRY, "it cannot be read")
    assert "outside" in yard.roster.detectors
    assert yard.fleet.notes() == {"registry": "it cannot be read"}
    yard.fleet.trouble(REGISTRY, None)
    assert yard.fleet.notes() == {}


async def test_a_detector_that_cannot_be_asked_is_noted() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer()])
    yard.workshop.made[0].readiness = "its secret is not set"
    assert yard.fleet.notes() == {"detector.outside": "its secret is not set"}


async def test_where_each_detector_comes_from_is_told() -> None:
    yard = Yard()
    yard.fleet.offer(DNS, [an_offer("found", DNS)])
    told = yard.fleet.described(tuple(info_of(each) for each in yard.roster.detectors.values()))
    assert [(each.name, each.source, each.revision) for each in told] == [
        ("found", DNS, 1),
        ("shipped", DetectorSource.SHIPPED, None),
    ]


OFFERS = st.lists(st.builds(an_offer, st.sampled_from("abc"), st.sampled_from([FILE, REGISTRY, DNS])), max_size=12)


@given(offers=OFFERS, fixed=st.sets(st.sampled_from("abc")))
def test_every_name_has_one_holder_and_no_weaker_source_takes_it(offers: list[Offer], fixed: set[str]) -> None:
    chosen, shadowed = settled(dict.fromkeys(fixed, DetectorSource.SHIPPED), offers)
    assert set(chosen) == {offer.name for offer in offers} - fixed
    assert len(chosen) + len(shadowed) == len(offers)
    for offer, holder in shadowed:
        assert PRECEDENCE.index(holder) <= PRECEDENCE.index(offer.source)


def test_switching_a_detector_off_and_on_keeps_its_digest_and_nothing_else_does() -> None:
    assert digest_of(a_definition(enabled=False)) == digest_of(a_definition())
    assert digest_of(a_definition(timeout_ms=1)) != digest_of(a_definition())


async def test_a_changed_definition_changes_what_answers_are_remembered_under() -> None:
    yard = Yard()
    yard.fleet.offer(REGISTRY, [an_offer()])
    before = yard.roster.fingerprint
    yard.fleet.offer(REGISTRY, [an_offer(revision=2, url="http://127.0.0.1:2")])
    assert yard.roster.fingerprint != before
    yard.fleet.offer(REGISTRY, [an_offer(revision=3)])
    assert yard.roster.fingerprint == before
