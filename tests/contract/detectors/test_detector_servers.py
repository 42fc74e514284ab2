"""The detector server that other tests build on does what it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.detector_servers import DetectorServer, detector_server


@pytest.fixture(scope="module")
def server() -> Iterator[DetectorServer]:
    with detector_server({"bomb": "weapons", "ünïcode": "odd"}) as started:
        yield started


def _ask(server: DetectorServer, text: str = "a bomb") -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=5.0) as client:
        return client.post(f"{server.url}/api/v1/text/contents", json={"contents": [text]})


def test_finds_its_words_by_code_points(server: DetectorServer) -> None:
    server.behave("good")
    answer = _ask(server, "🙂 ünïcode bomb").json()
    assert [(one["detection"], one["start"], one["end"]) for one in answer[0]] == [("odd", 2, 9), ("weapons", 10, 14)]


def test_refuses_and_comes_back_on_the_same_port(server: DetectorServer) -> None:
    server.behave("refuse")
    with pytest.raises(httpx2.ConnectError):
        _ask(server)
    server.behave("good")
    assert _ask(server).status_code == 200


def test_resets_in_mid_body(server: DetectorServer) -> None:
    server.behave("reset")
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
        _ask(server)


def test_answers_with_a_status_and_headers(server: DetectorServer) -> None:
    server.behave("status", status=503, headers={"retry-after": "7"})
    answer = _ask(server)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


def test_flaky_is_good_and_bad_by_turns(server: DetectorServer) -> None:
    server.behave("flaky", probability=0.5, bad="status", status=500)
    assert {_ask(server).status_code for _ in range(40)} == {200, 500}


def test_counts_connections_and_requests(server: DetectorServer) -> None:
    server.behave("good", forget=True)
    _ask(server)
    _ask(server)
    counted = server.counted()
    assert (counted["connections"], counted["requests"], counted["probes"]) == (2, 2, 0)


def test_is_the_same_after_a_crash(server: DetectorServer) -> None:
    server.kill()
    with pytest.raises(httpx2.ConnectError):
        _ask(server)
    server.start()
    assert _ask(server).json()[0][0]["detection"] == "weapons"


def test_lets_go_of_a_caller_who_went_away(server: DetectorServer) -> None:
    server.behave("hang", forget=True)
    with httpx2.Client(trust_env=False, timeout=0.2) as client, pytest.raises(httpx2.ReadTimeout):
        client.post(f"{server.url}/api/v1/text/contents", json={"contents": ["x"]})
    until = time.monotonic() + 10
    while server.counted()["in_flight"] and time.monotonic() < until:
        time.sleep(0.01)
    assert server.counted()["in_flight"] == 0
