"""The same request twice is carried out once, and nothing of it is kept but digests."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.adapters.platform.key_files import TenantRequestDigests
from llama_mapper.adapters.platform.shared_state.memory_idempotency import MemoryIdempotency
from llama_mapper.adapters.platform.shared_state.redis_client import open_redis
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.kernel.idempotency import Fresh, RecordName
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry, Inspection, RawFinding
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.idempotency import HEADER, REPLAYED, Idempotency, Idempotent, PartlyKept
from llama_mapper.entrypoints.http.operations import Operation, routes_of
from tests.support.doors import Door, Everyone, open_door

BODY = {"content": "write to anna@example.com"}


class GatedDetector:
    """Finds `anna`; counts how often it was asked, and while `gate` is set waits for it. `broken` makes it fail."""

    descriptor = DetectorDescriptor(
        name="gated",
        vendor="presidio",
        vendor_version="1",
        categories=("pii.personal_identifiers",),
        labels=(),
        languages=(),
        cost_ms_per_kchar=0.01,
    )
    readiness: str | None = None

    def __init__(self) -> None:
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.broken = False

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise RuntimeError("broken as told")
        at = inquiry.text.find("anna")
        return Inspection((RawFinding("EMAIL_ADDRESS", 0.9, at, at + 4),) if at >= 0 else ())


@pytest.fixture
def detector() -> GatedDetector:
    return GatedDetector()


@pytest.fixture
async def door(tmp_path: Path, detector: GatedDetector, state: Mapping[str, object]) -> AsyncIterator[Door]:
    async with open_door(tmp_path, [detector], **state) as opened:
        yield opened


@pytest.fixture
def key() -> dict[str, str]:
    """A key that no other test has used."""
    return {HEADER: secrets.token_hex(12)}


async def assessed(door: Door, headers: Mapping[str, str], body: object = None) -> httpx2.Response:
    return await door.client.post("/v1/assessments", json=body or BODY, headers=dict(headers))


async def test_the_same_request_again_gets_the_same_bytes_and_runs_nothing(
    door: Door, detector: GatedDetector, key: dict[str, str]
) -> None:
    first = await assessed(door, key)
    assert first.status_code in (200, 206)
    assert REPLAYED not in first.headers
    for _ in range(2):
        again = await assessed(door, key)
        assert again.headers[REPLAYED] == "true"
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["traceparent"] != first.headers["traceparent"]
    assert detector.asked == 1
    other = await assessed(door, {})
    assert other.json()["id"] != first.json()["id"]


async def test_of_two_at_once_one_runs_and_both_get_its_answer(
    door: Door, detector: GatedDetector, key: dict[str, str]
) -> None:
    detector.gate = asyncio.Event()
    both = [asyncio.create_task(assessed(door, key)) for _ in range(2)]
    async with asyncio.timeout(30):
        while detector.asked == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        detector.gate.set()
        one, other = await asyncio.gather(*both)
    assert detector.asked == 1
    assert one.content == other.content
    assert sorted((REPLAYED in one.headers, REPLAYED in other.headers)) == [False, True]


async def test_the_same_key_with_another_body_is_refused(door: Door, key: dict[str, str]) -> None:
    first = await assessed(door, key)
    refused = await assessed(door, key, {"content": "another"})
    assert (refused.status_code, refused.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert refused.json()["retryable"] is False
    assert (await assessed(door, key)).content == first.content


async def test_a_key_is_of_one_tenant_and_one_operation(door: Door, key: dict[str, str]) -> None:
    alpha, beta = await door.new_key("alpha"), await door.new_key("beta")
    answers = [await assessed(door, key | caller) for caller in (alpha, beta)]
    answers.append(await door.client.post("/v1/orchestrate", json=BODY, headers=key | alpha))
    assert [REPLAYED in answer.headers for answer in answers] == [False] * 3
    assert [answer.json()["tenant_id"] for answer in answers] == ["alpha", "beta", "alpha"]
    assert (await assessed(door, key | beta)).content == answers[1].content


async def test_a_request_that_failed_on_our_side_may_be_sent_again(
    door: Door, detector: GatedDetector, key: dict[str, str]
) -> None:
    detector.broken = True
    failed = await assessed(door, key)
    assert (failed.status_code, failed.json()["code"]) == (502, "ALL_DETECTORS_UNAVAILABLE")
    detector.broken = False
    assert (await assessed(door, key)).status_code in (200, 206)


async def test_a_refusal_frees_the_key_and_keeps_nothing(
    door: Door, detector: GatedDetector, key: dict[str, str]
) -> None:
    bad = {"content": "x", "policy_bundle": "nobody"}
    first, again = await assessed(door, key, bad), await assessed(door, key, bad)
    assert first.status_code == again.status_code == 400
    assert REPLAYED not in again.headers
    assert (await assessed(door, key)).status_code in (200, 206), "what was wrong may be put right under the same key"


@pytest.mark.parametrize("value", ["", "a b", "a" * 256, "é".encode(), b"\x7f"])
async def test_a_malformed_key_is_refused_and_nothing_runs(
    door: Door, detector: GatedDetector, value: str | bytes
) -> None:
    raw = value if isinstance(value, bytes) else value.encode()
    refused = await door.client.post("/v1/assessments", json=BODY, headers=[(HEADER.encode(), raw)])
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST")
    twice = await door.client.post("/v1/assessments", json=BODY, headers=[(HEADER, "a"), (HEADER, "b")])
    assert twice.status_code == 400
    assert detector.asked == 0


async def test_the_longest_and_strangest_keys_are_good(door: Door) -> None:
    for value in ("x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!:{}%~"):
        unique = secrets.token_hex(6)
        headers = {HEADER: (unique + value)[:255]}
        assert REPLAYED not in (await assessed(door, headers)).headers
        assert REPLAYED in (await assessed(door, headers)).headers


async def test_every_operation_that_says_so_takes_a_key(door: Door, key: dict[str, str]) -> None:
    orchestration = (await door.client.post("/v1/orchestrate", json=BODY)).json()
    orchestration.pop("redacted", None)  # content, which analysis does not take
    bodies: dict[str, object] = {
        "/v1/assessments": BODY,
        "/v1/orchestrate": BODY,
        "/v1/analyze": {"orchestration_response": orchestration},
        "/v1/map": {"vendor": "presidio", "label": "EMAIL_ADDRESS"},
        "/v1/map:batch": {"labels": [{"vendor": "presidio", "label": "EMAIL_ADDRESS"}]},
        "/v1/moderations": {"input": "x"},
    }
    for path, body in bodies.items():
        first, again = [await door.client.post(path, json=body, headers=key) for _ in range(2)]
        assert first.status_code in (200, 206), first.text
        assert (REPLAYED in first.headers, REPLAYED in again.headers) == (False, True)
        assert first.content == again.content
    document = (await door.client.get("/openapi.json")).json()
    declared = {
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if any(parameter["name"] == HEADER for parameter in operation.get("parameters", ()))
    }
    assert declared == set(bodies)
    for path in declared:
        assert "IDEMPOTENCY_CONFLICT" in document["paths"][path]["post"]["responses"]["409"]["description"]


async def test_neither_content_nor_key_is_in_the_store(tmp_path: Path, detector: GatedDetector, valkey: str) -> None:
    mark = f"Xq7{secrets.token_hex(6)}"
    async with open_door(tmp_path, [detector], redis_url=valkey, redis_timeout_ms=5000) as door:
        answer = await assessed(door, {HEADER: f"key-{mark}"}, {"content": f"anna {mark} anna@example.com"})
        assert answer.status_code in (200, 206)
        redis = open_redis(valkey)
        try:
            keys = await redis.call("KEYS", "lm:local:idempotency:createAssessment:*")
            assert keys
            held = [part for name in keys for part in (name, *await redis.call("HVALS", name))]
        finally:
            await redis.close()
    assert any(answer.json()["id"].encode() in part for part in held)
    assert not [part for part in held if mark.encode() in part]


async def test_the_request_waits_no_longer_than_it_may_take(tmp_path: Path, detector: GatedDetector) -> None:
    async with open_door(tmp_path, [detector], request_timeout_ms=400) as door:
        store = door.running.platform.shared_state().idempotency
        digests = door.running.platform.request_digests()
        name = RecordName("local", "orchestrate", digests.digest("local", "idempotency key", b"held").hex())
        body = b'{"content":"x"}'
        claim = await store.begin(name, digests.digest("local", "idempotency body", b"orchestrate", body), 3600)
        assert isinstance(claim, Fresh)
        headers = {HEADER: "held", "content-type": "application/json"}
        late = await door.client.post("/v1/orchestrate", content=body, headers=headers)
        assert (late.status_code, late.json()["code"]) == (504, "REQUEST_TIMEOUT")
        assert late.json()["retryable"] is True
        await store.abandon(name, claim.token)
        assert (await door.client.post("/v1/orchestrate", content=body, headers=headers)).status_code in (200, 206)


async def test_a_request_that_took_too_long_frees_its_key(tmp_path: Path, detector: GatedDetector) -> None:
    async with open_door(tmp_path, [detector], request_timeout_ms=400) as door:
        detector.gate = asyncio.Event()
        critical = BODY | {"processing_mode": "low"}
        late = await door.client.post("/v1/orchestrate", json=critical, headers={HEADER: "slow"})
        assert late.status_code == 504
        detector.gate = None
        again = await door.client.post("/v1/orchestrate", json=critical, headers={HEADER: "slow"})
        assert again.status_code in (200, 206)


SECRET_PART = b"the content with parts replaced"


class WatchedRecords(MemoryIdempotency):
    """Notes every answer that it was given to keep."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[bytes] = []

    async def complete(self, name: RecordName, token: str, answer: bytes, keep_s: float) -> bool:
        """See `IdempotencyRecords.complete`."""
        self.given.append(answer)
        return await super().complete(name, token, answer, keep_s)


async def test_a_part_that_may_not_be_kept_is_made_again_of_the_repeated_request() -> None:
    records = WatchedRecords()

    async def handler(request: Request, _: Principal) -> Response:
        asked = await read_model(request, AssessmentRequest, 1000)
        kept = b'{"id":1}'
        return PartlyKept(kept[:-1] + b',"part":"' + str(asked.content).encode() + b'"}', kept, 206, {"location": "/1"})

    async def complete(kept: bytes, request: Request, _: Principal) -> bytes:
        asked = await read_model(request, AssessmentRequest, 1000)
        return kept[:-1] + b',"part":"' + str(asked.content).encode() + b'"}'

    operation = Operation(
        id="try",
        method="POST",
        path="/try",
        tag="test",
        summary="",
        scope=Scope.ASSESS,
        handler=handler,
        responses={},
        requests=(AssessmentRequest,),
        idempotent=Idempotent(1000, complete),
    )
    idempotency = Idempotency(records, TenantRequestDigests(bytes(32)), lease_s=60, keep_s=60)
    app = Starlette(routes=routes_of([operation], Everyone(), 30, None, idempotency))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
        body = b'{"content": "' + SECRET_PART + b'"}'
        first, again = [await client.post("/try", content=body, headers={HEADER: "k"}) for _ in range(2)]
    assert SECRET_PART in first.content
    assert again.headers[REPLAYED] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content) == (206, first.content)
    assert again.headers["location"] == "/1"
    assert len(records.given) == 1
    assert SECRET_PART not in records.given[0]
