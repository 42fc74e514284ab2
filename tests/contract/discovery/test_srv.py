"""Detectors whose addresses DNS tells."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.discovery.srv_dnspython import DnspythonSrv
from llama_mapper.adapters.orchestration.discovery.srv_records import (
    LONGEST_S,
    Address,
    Answer,
    chosen,
    srv_entry,
    wait_s,
    with_address,
)
from llama_mapper.adapters.orchestration.discovery.srv_source import SrvSource
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.detectors import DetectorHealth, DetectorSource
from llama_mapper.domain.contracts.orchestration import HealthState
from llama_mapper.domain.kernel.errors import ConfigurationError, LinkError
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.roster import DetectorRoster
from tests.support.definitions import Workshop, a_definition
from tests.support.dns_server import NameServer, name_server

CATALOGUE = load_catalogue()
NAME = "_fms-detector._tcp.example.org"


class Followed:
    """One name, and the fleet that it leads to."""

    def __init__(self, server: NameServer) -> None:
        self.health: DetectorHealth | None = None
        self.roster = DetectorRoster(CATALOGUE, {})
        self.fleet = DetectorFleet(self.roster, {}, Workshop().make, CATALOGUE, health_of=lambda _: self.health)
        self.source = SrvSource(
            {NAME: a_definition(url="https://anything/base")},
            DnspythonSrv(server.address),
            self.fleet,
            lambda: datetime.now(UTC),
            again_s=0.05,
        )

    @property
    def urls(self) -> list[str]:
        return [offer.definition.url for offer in self.fleet.offered()]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not holds():
            await asyncio.sleep(0.02)


async def test_the_lowest_priority_is_called_and_scheme_and_path_stay() -> None:
    async with name_server("20 0 1 b.example.org.", "10 0 8033 a.example.org.") as server:
        followed = Followed(server)
        await followed.source.refresh(NAME)
    assert followed.urls == ["https://a.example.org:8033/base"]
    assert followed.fleet.offered()[0].source is DetectorSource.DNS
    assert server.asked == [NAME + "."]


async def test_within_a_priority_weights_decide_how_often_each_is_drawn() -> None:
    async with name_server("10 90 1 heavy.example.org.", "10 10 1 light.example.org.") as server:
        resolver = DnspythonSrv(server.address)
        drawn = Counter([(await resolver.look_up(NAME)).addresses[0].host for _ in range(200)])
    # Binomial, n = 200, p = 0.9: outside 150…198 less than once in a hundred million times.
    assert 150 <= drawn["heavy.example.org"] <= 198, drawn


async def test_the_address_in_use_is_kept_while_it_is_among_the_most_preferred() -> None:
    async with name_server(*(f"10 10 1 h{n}.example.org." for n in range(8))) as server:
        followed = Followed(server)
        for _ in range(10):
            await followed.source.refresh(NAME)
        assert (len(followed.urls), followed.fleet.offered()[0].revision) == (1, 1)
        server.records = ["5 0 1 better.example.org.", *server.records]
        await followed.source.refresh(NAME)
    assert followed.urls == ["https://better.example.org:1/base"]


async def test_an_unhealthy_address_is_left_for_the_next_and_taken_again_later() -> None:
    async with name_server("10 0 1 a.example.org.", "20 0 1 b.example.org.") as server:
        followed = Followed(server)
        await followed.source.refresh(NAME)
        followed.health = DetectorHealth(state=HealthState.UNHEALTHY)
        await followed.source.refresh(NAME)
        assert followed.urls == ["https://b.example.org:1/base"]
        followed.health = DetectorHealth(state=HealthState.HEALTHY)
        await followed.source.refresh(NAME)
        assert followed.urls == ["https://a.example.org:1/base"]


async def test_while_dns_does_not_answer_the_last_address_stays_and_is_told() -> None:
    async with name_server("10 0 1 a.example.org.") as server:
        followed = Followed(server)
        await followed.source.refresh(NAME)
        for down, records in ((True, server.records), (False, ())):
            server.down, server.records = down, records
            await followed.source.refresh(NAME)
            assert followed.urls == ["https://a.example.org:1/base"]
            assert "stays in service" in followed.fleet.notes()[f"dns.{NAME}"]
        server.records = ["0 0 0 ."]
        await followed.source.refresh(NAME)
        assert followed.urls == []
        assert "not available" in followed.fleet.notes()[f"dns.{NAME}"]
        server.records = ["10 0 1 a.example.org."]
        await followed.source.refresh(NAME)
        assert (followed.urls, followed.fleet.notes()) == (["https://a.example.org:1/base"], {})


async def test_a_name_is_followed_as_often_as_its_answers_expire() -> None:
    async with name_server() as server:
        followed = Followed(server)
        following = asyncio.create_task(followed.source.run())
        await until(lambda: bool(followed.fleet.notes()))
        server.ttl, server.records = 1, ["10 0 1 a.example.org."]
        await until(lambda: followed.urls == ["https://a.example.org:1/base"])
        server.ttl, server.records = 3600, ["10 0 2 a.example.org."]
        await until(lambda: followed.urls == ["https://a.example.org:2/base"])
        asked = len(server.asked)
        server.records = ["10 0 3 a.example.org."]
        await asyncio.sleep(0.3)
        assert len(server.asked) == asked, "the answer holds for an hour"
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_a_server_that_is_not_there_is_an_error_that_may_pass() -> None:
    async with name_server() as server:
        address = server.address
    with pytest.raises(LinkError):
        async with asyncio.timeout(40):
            await DnspythonSrv(address).look_up(NAME)


def test_a_server_is_an_address() -> None:
    with pytest.raises(ConfigurationError):
        DnspythonSrv("ns.example.org")


def test_an_entry_names_records_and_a_file() -> None:
    assert srv_entry(f"{NAME} = some/file.yaml") == (NAME, Path("some/file.yaml"))
    for wrong in (NAME, f"{NAME}=", "example.org=x", "_a.example.org=x", "=x"):
        with pytest.raises(ConfigurationError):
            srv_entry(wrong)


ADDRESSES = st.lists(
    st.builds(Address, st.sampled_from("abc"), st.sampled_from([1, 2]), st.integers(0, 2)), max_size=6
).map(lambda all: tuple(sorted(all, key=lambda each: each.priority)))


@given(addresses=ADDRESSES, current=st.none() | st.builds(Address, st.sampled_from("abcd"), st.just(1)))
def test_one_that_works_is_always_of_the_best_priority(addresses: tuple[Address, ...], current: Address | None) -> None:
    picked = chosen(Answer(addresses, 1.0), current, failing=False)
    assert (picked is None) is (not addresses)
    assert picked is None or picked.priority == addresses[0].priority


@given(ttl=st.floats(0, 1e7))
def test_an_answer_is_asked_for_again_within_bounds(ttl: float) -> None:
    assert 1.0 <= wait_s(ttl) <= LONGEST_S
    assert wait_s(ttl) == ttl or ttl < 1.0 or ttl > LONGEST_S


def test_a_url_gets_another_host_and_port() -> None:
    assert with_address("http://x:1/a/b", Address("h", 2)) == "http://h:2/a/b"
    assert with_address("https://x", Address("h.example", 443)) == "https://h.example:443"
