"""What an OpenAI-compatible server can do to us, and which fault each is."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import aclosing
from time import monotonic
from typing import Any

import pytest

from llama_mapper.adapters.mapping.generation.openai_dialects import Dialect
from llama_mapper.adapters.mapping.generation.openai_generation import OpenAiGeneration, OpenAiServer
from llama_mapper.domain.kernel.errors import ErrorCode, ModelServingError
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault
from tests.contract.generation.contract import PICK, asking, good
from tests.contract.generation.test_openai_generation import opened_at
from tests.support.detector_servers import DetectorServer, detector_server
from tests.support.raw_http import CUT_STREAM, STREAM, raw_server

pytestmark = pytest.mark.usefixtures("hostile")

SECRET = "tell-nobody-4711"


@pytest.fixture(scope="module")
def hostile() -> Iterator[DetectorServer]:
    """A server that does what it is told."""
    with detector_server() as server:
        yield server


def at(server: DetectorServer | str, dialect: Dialect = Dialect.VLLM, **changes: Any) -> OpenAiServer:
    return OpenAiServer(server if isinstance(server, str) else server.url, "m", dialect, **changes)


def completion(content: Any = '"pear"', **changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}} | changes
    return {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


async def asked(server: OpenAiServer, within_s: float = 30.0, **changes: Any) -> Generated | GenerationFault:
    async with opened_at(server) as generation:
        return (await generation.generate([asking(SECRET, **changes)], within_s=within_s))[0]


@pytest.mark.parametrize(
    ("fault", "behaviour", "how"),
    [
        ("unavailable", "refuse", {}),
        ("unavailable", "reset", {}),
        ("unavailable", "reset_at_once", {}),
        ("unavailable", "close", {}),
        ("unavailable", "status", {"status": 500}),
        ("unavailable", "status", {"status": 502}),
        ("unavailable", "status", {"status": 503}),
        ("unavailable", "status", {"status": 401}),
        ("unavailable", "status", {"status": 403}),
        ("model_not_loaded", "status", {"status": 404}),
        ("overloaded", "status", {"status": 429}),
        ("overloaded", "status", {"status": 424}),
        ("overloaded", "status", {"status": 500, "body": {"error": "CUDA Out Of Memory"}}),
        ("timeout", "status", {"status": 504}),
        ("timeout", "status", {"status": 408}),
        ("refused", "status", {"status": 400}),
        ("refused", "status", {"status": 413}),
        ("refused", "status", {"status": 422}),
        ("refused", "status", {"status": 302, "headers": {"location": "http://127.0.0.1:9/"}}),
        ("invalid_answer", "huge", {}),
        ("invalid_answer", "huge", {"chunked": True}),
        ("invalid_answer", "not_json", {}),
        ("invalid_answer", "not_http", {}),
        ("invalid_answer", "deep", {}),
        ("invalid_answer", "crowded", {}),
        ("invalid_answer", "compressed", {}),
    ],
)
async def test_each_failure_is_the_fault_it_is(
    hostile: DetectorServer, fault: str, behaviour: str, how: dict[str, Any]
) -> None:
    hostile.behave(behaviour, **how)
    assert await asked(at(hostile)) == GenerationFault(fault)


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
async def test_a_server_that_never_ends_is_given_up_in_time(hostile: DetectorServer, behaviour: str) -> None:
    hostile.behave(behaviour)
    began = monotonic()
    assert await asked(at(hostile), within_s=0.2) is GenerationFault.TIMEOUT
    assert monotonic() - began < 10.0


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"choices": []},
        {"choices": [{}, {}], "usage": {}},
        {"choices": "one"},
        completion() | {"choices": completion()["choices"] * 2},
        completion() | {"usage": None},
        completion() | {"usage": {"prompt_tokens": -1, "completion_tokens": 2}},
        completion() | {"usage": {"prompt_tokens": True, "completion_tokens": 2}},
        completion() | {"usage": {"prompt_tokens": "5", "completion_tokens": 2}},
        completion(None),
        completion(7),
        completion(""),
        completion('"pea', finish_reason="length"),
        completion('"plum"'),
        completion("pear"),
        completion('{"fruit": "pear"}'),
        completion("[" * 100_000),
        completion('"pear"', message="pear"),
        completion(logprobs={"content": "high"}),
        completion(logprobs={"content": [{"token": "p"}]}),
        completion(logprobs={"content": [{"token": 1, "logprob": -1}]}),
        completion(logprobs={"content": [{"token": "p", "logprob": "-1"}]}),
        completion(logprobs={"content": [{"token": "p", "logprob": -1, "top_logprobs": [3]}]}),
        completion(logprobs={"content": [3]}),
        completion(logprobs={"content": [{"token": "p", "logprob": -1, "top_logprobs": 3}]}),
    ],
)
async def test_an_answer_outside_protocol_or_schema_is_invalid(hostile: DetectorServer, answer: Any) -> None:
    hostile.behave("wrong_schema", body=answer)
    assert await asked(at(hostile), likely_tokens=3) is GenerationFault.INVALID_ANSWER


async def test_likely_tokens_are_read_with_the_taken_one_first(hostile: DetectorServer) -> None:
    likely = [{"token": "q", "logprob": -0.2}, {"token": "p", "logprob": -1.5}, {"token": "x", "logprob": 7}]
    place = {"token": "p", "logprob": -1.5, "top_logprobs": likely}
    hostile.behave("wrong_schema", body=completion(logprobs={"content": [place, place | {"top_logprobs": []}]}))
    answer = good(await asked(at(hostile), likely_tokens=3))
    assert answer.places == ({"p": -1.5, "q": -0.2, "x": 0.0}, {"p": -1.5})
    assert next(iter(answer.places[0])) == "p"
    assert answer.log_probability is not None
    assert math.isclose(answer.log_probability, -3.0)
    assert good(await asked(at(hostile))).places == ()


@pytest.mark.parametrize(
    ("status", "said", "fault"),
    [
        (404, "The model `x` does not exist.", GenerationFault.ADAPTER_NOT_FOUND),
        (400, "LoRA x is not there", GenerationFault.ADAPTER_NOT_FOUND),
        (422, "unknown adapter_id", GenerationFault.ADAPTER_NOT_FOUND),
        (422, "too long", GenerationFault.REFUSED),
    ],
)
async def test_adapter_weights_that_are_not_there_are_told_apart(
    hostile: DetectorServer, status: int, said: str, fault: GenerationFault
) -> None:
    hostile.behave("status", status=status, body={"error": {"message": said}})
    assert await asked(at(hostile), adapter="x") is fault


async def test_a_server_that_asks_to_wait_is_not_asked_meanwhile(hostile: DetectorServer) -> None:
    async with opened_at(at(hostile)) as generation:
        hostile.behave("status", status=429, headers={"retry-after": "30"}, forget=True)
        assert await generation.generate([asking()], within_s=30) == [GenerationFault.OVERLOADED]
        assert await generation.generate([asking()] * 5, within_s=30) == [GenerationFault.OVERLOADED] * 5
        assert await generation.unready() is GenerationFault.OVERLOADED
        with pytest.raises(ModelServingError, match="overloaded") as raised:
            async for _ in generation.stream(asking(), within_s=30):
                pass
        assert raised.value.retry_after_s is not None
        assert 20 < raised.value.retry_after_s <= 30
        assert hostile.counted()["requests"] == 1


async def test_a_good_answer_after_a_short_wait_is_had_again(hostile: DetectorServer) -> None:
    async with opened_at(at(hostile)) as generation:
        hostile.behave("status", status=503, headers={"retry-after": "1"})
        assert await generation.generate([asking()], within_s=30) == [GenerationFault.UNAVAILABLE]
        hostile.behave("wrong_schema", body=completion())
        await asyncio.sleep(1.05)
        assert good((await generation.generate([asking()], within_s=30))[0]).text == '"pear"'


async def test_no_more_requests_are_under_way_than_permitted(hostile: DetectorServer) -> None:
    hostile.behave("wrong_schema", body=completion(), delay_s=0.05, forget=True)
    async with opened_at(at(hostile, concurrency=3)) as generation:
        calls = [generation.generate([asking()] * 6, within_s=60) for _ in range(3)]
        for answers in await asyncio.gather(*calls):
            assert all(isinstance(answer, Generated) for answer in answers)
        counted = hostile.counted()
        assert counted["requests"] == 18
        assert counted["peak_in_flight"] == 3


async def test_waiting_for_ones_turn_counts_as_time(hostile: DetectorServer) -> None:
    hostile.behave("hang")
    async with opened_at(at(hostile, concurrency=1)) as generation:
        blocking = asyncio.create_task(generation.generate([asking()], within_s=20))
        await asyncio.sleep(0.1)
        assert await generation.generate([asking()], within_s=0.1) == [GenerationFault.TIMEOUT]
        blocking.cancel()
        await asyncio.wait({blocking})
        hostile.behave("wrong_schema", body=completion())
        assert good((await generation.generate([asking()], within_s=30))[0]).text == '"pear"'


async def test_each_dialect_names_schema_and_weights_its_way(hostile: DetectorServer) -> None:
    hostile.behave("wrong_schema", body=completion())

    async def sent(dialect: Dialect, **changes: Any) -> dict[str, Any]:
        good(await asked(at(hostile, dialect, adapters=("x", "y")), **changes))
        body: dict[str, Any] = hostile.counted()["last"]["body"]
        return body

    body = await sent(Dialect.VLLM, adapter="lora-1", likely_tokens=50, seed=3)
    assert body["model"] == "lora-1"
    assert body["structured_outputs"] == {"json": PICK}
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (100, 0.0, 3)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
    body = await sent(Dialect.TGI)
    assert body["model"] == "m"
    assert body["response_format"] == {"type": "json", "value": PICK}
    assert "logprobs" not in body
    hostile.behave("wrong_schema", body=completion('{"answer": "pear"}'))
    body = await sent(Dialect.OPENAI)
    assert body["response_format"]["json_schema"]["schema"]["properties"] == {"answer": PICK}
    assert body["max_completion_tokens"] == 100
    for wrong in ('"pear"', "{", '{"answer": "plum"}', '{"answer": "pear", "more": 1}'):
        hostile.behave("wrong_schema", body=completion(wrong))
        assert await asked(at(hostile, Dialect.OPENAI)) is GenerationFault.INVALID_ANSWER
    hostile.behave("wrong_schema", body=completion())
    body = await sent(Dialect.LLAMA_CPP, adapter="y")
    assert body["lora"] == [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 1.0}]
    assert body["model"] == "m"
    assert body["messages"][1] == {"role": "user", "content": SECRET}


async def test_the_key_goes_into_the_header_and_a_missing_one_is_told(
    hostile: DetectorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.behave("wrong_schema", body=completion(), forget=True)
    server = at(hostile, key_env="SOME_MODEL_KEY")
    monkeypatch.delenv("SOME_MODEL_KEY", raising=False)
    assert await asked(server) is GenerationFault.UNAVAILABLE
    monkeypatch.setenv("SOME_MODEL_KEY", "line\nbreak")
    assert await asked(server) is GenerationFault.UNAVAILABLE
    assert hostile.counted()["requests"] == 0
    monkeypatch.setenv("SOME_MODEL_KEY", "k1")
    good(await asked(server))
    assert hostile.counted()["last"]["headers"]["authorization"] == "Bearer k1"


@pytest.mark.parametrize(
    ("fault", "behaviour", "how"),
    [
        (None, "wrong_schema", {"body": {"data": [{"id": "other"}, {"id": "m", "root": "org/m"}]}}),
        ("model_not_loaded", "wrong_schema", {"body": {"data": [{"id": "other"}]}}),
        ("invalid_answer", "wrong_schema", {"body": {"data": "m"}}),
        ("unavailable", "refuse", {}),
        ("unavailable", "hang", {}),
        ("unavailable", "status", {"status": 503}),
    ],
)
async def test_readiness_is_what_the_server_says_of_its_models(
    hostile: DetectorServer, fault: str | None, behaviour: str, how: dict[str, Any]
) -> None:
    hostile.behave(behaviour, **how)
    async with opened_at(at(hostile)) as generation:
        assert await generation.unready() == fault
        assert await generation.model_version() == ("unknown" if fault else "org/m")


async def test_tgi_tells_its_revision_and_serves_under_any_name(hostile: DetectorServer) -> None:
    hostile.behave("wrong_schema", body={"model_sha": "abc123", "data": [{"id": "whatever"}]})
    async with opened_at(at(hostile, Dialect.TGI)) as generation:
        assert await generation.unready() is None
        assert await generation.model_version() == "abc123"
        assert hostile.counted()["last"]["path"] == "/info"
    async with opened_at(at(hostile, version="v7")) as generation:
        assert await generation.model_version() == "v7"


async def test_text_that_is_not_unicode_is_refused(hostile: DetectorServer) -> None:
    assert await asked(at(hostile), system="\ud800") is GenerationFault.REFUSED


def event(**delta: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}).encode() + b"\n\n"


_LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
_USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'


@pytest.mark.parametrize("end", [_LAST + b"data: [DONE]\n\n", _LAST, _LAST + _USAGE, b"data: [DONE]\n\n"])
async def test_a_stream_that_ends_well_is_read_whole(end: bytes) -> None:
    answer = STREAM + b": comment\n\n" + event(role="assistant") + event(content="pe") + event(content="är") + end
    async with raw_server(answer) as url, opened_at(at(url)) as generation:
        assert [piece async for piece in generation.stream(asking(), within_s=30)] == ["pe", "är"]


@pytest.mark.parametrize(
    ("answer", "then", "fault", "code"),
    [
        (event(content="pe"), "close", "invalid_answer", ErrorCode.UPSTREAM_INVALID_RESPONSE),
        (event(content="pe"), "reset", "unavailable", ErrorCode.SERVICE_UNAVAILABLE),
        (event(content="pe"), "hang", "timeout", ErrorCode.REQUEST_TIMEOUT),
        (b"data: {nothing\n\n", "close", "invalid_answer", ErrorCode.UPSTREAM_INVALID_RESPONSE),
        (b'data: {"choices": 1}\n\n', "close", "invalid_answer", ErrorCode.UPSTREAM_INVALID_RESPONSE),
        (b'data: {"choices":[{"delta":{"content":5}}]}\n\n', "close", "invalid_answer", None),
        (b'data: {"error": "' + SECRET.encode() + b'"}\n\n', "close", "invalid_answer", None),
        (b"data: " + b"x" * 500_000, "close", "invalid_answer", None),
        (b":" + b"x" * 60_000 + b"\n", "hang", "timeout", None),
        (b"".join(b":" + b"x" * 60_000 + b"\n" for _ in range(80)), "hang", "invalid_answer", None),
        (b"", "close", "invalid_answer", None),
    ],
)
async def test_a_stream_that_breaks_off_raises_its_fault(
    answer: bytes, then: Any, fault: str, code: ErrorCode | None
) -> None:
    head = CUT_STREAM if then == "reset" else STREAM
    async with raw_server(head + answer, then) as url, opened_at(at(url)) as generation:
        with pytest.raises(ModelServingError) as raised:
            async for _ in generation.stream(asking(SECRET), within_s=1.0 if then == "hang" else 30.0):
                pass
    assert raised.value.message == f"vllm/m: {fault}"
    assert code is None or raised.value.error_code is code
    assert SECRET not in str(raised.value)


async def test_a_stream_left_open_gives_its_place_back(hostile: DetectorServer) -> None:
    async with raw_server(STREAM + event(content="a") * 3, "hang") as url:
        generation = OpenAiGeneration(at(url, concurrency=1))
        for _ in range(3):
            async with aclosing(generation.stream(asking(), within_s=30)) as pieces:
                assert await anext(pieces) == "a"
        await generation.close()


@pytest.mark.parametrize("behaviour", ["status", "wrong_schema", "not_json"])
async def test_nothing_that_was_asked_or_answered_is_in_a_fault(hostile: DetectorServer, behaviour: str) -> None:
    hostile.behave(behaviour, status=400, body={"error": SECRET})
    async with opened_at(at(hostile)) as generation:
        (answer,) = await generation.generate([asking(SECRET)], within_s=30)
        with pytest.raises(ModelServingError) as raised:
            async for _ in generation.stream(asking(SECRET), within_s=30):
                pass
    shown: BaseException | None = raised.value
    while shown is not None:
        assert SECRET not in repr(shown) + str(answer)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
