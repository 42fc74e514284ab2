"""Refusing at the door."""

from __future__ import annotations

import asyncio

import pytest

from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError
from llama_mapper.domain.orchestration.resilience.load_shedding import LoadShedder
from llama_mapper.entrypoints.http.problems import problem_response


async def test_one_request_more_than_the_limit_is_refused_and_the_next_is_not() -> None:
    shedder = LoadShedder(2)
    free = asyncio.Event()

    async def request() -> None:
        with shedder:
            await free.wait()

    requests = [asyncio.create_task(request()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OrchestrationError) as caught:
        await request()
    assert caught.value.error_code is ErrorCode.DETECTOR_OVERLOADED
    assert caught.value.retryable
    response = problem_response(caught.value)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    requests[0].cancel()
    await asyncio.gather(requests[0], return_exceptions=True)
    free.set()
    await request()
    await requests[1]
    assert (shedder.in_flight, shedder.refused) == (0, 1)
