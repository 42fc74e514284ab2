"""Embeddings by the real MiniLM on the real tritonserver."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Sequence

import pytest

from llama_mapper.adapters.mapping.generation.triton_connection import TritonAddress
from llama_mapper.adapters.mapping.generation.triton_models import TritonModels
from llama_mapper.adapters.mapping.triton_embeddings import TritonEmbeddings
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ModelServingError
from tests.contract.generation.contract import ENOUGH_S
from tests.support.servers import free_port
from tests.support.triton import TritonServer


@pytest.fixture(scope="module")
async def embeddings(triton: TritonServer) -> AsyncIterator[TritonEmbeddings]:
    opened = await TritonEmbeddings.opened(triton.address)
    yield opened
    await opened.close()


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


async def test_it_says_what_it_is(embeddings: TritonEmbeddings) -> None:
    assert embeddings.dimensions == 384
    assert embeddings.version == "triton/embeddings:1"


async def test_texts_become_unit_vectors_in_their_order(embeddings: TritonEmbeddings) -> None:
    texts = ["credit card number", "a" * 5000, "", "\U0001f9ea", "\ud800", "credit card number"]
    vectors = await embeddings.embed(texts, within_s=ENOUGH_S)
    assert all(isinstance(vector, array) and len(vector) == 384 for vector in vectors)
    assert all(cosine(vector, vector) == pytest.approx(1.0, abs=1e-4) for vector in vectors)
    assert cosine(vectors[0], vectors[5]) == pytest.approx(1.0, abs=1e-4)
    assert cosine(vectors[0], vectors[1]) < 0.9


async def test_like_meaning_is_near(embeddings: TritonEmbeddings) -> None:
    card, payment, hate = await embeddings.embed(
        ["credit card number", "payment card details", "hateful speech about a group"], within_s=ENOUGH_S
    )
    assert cosine(card, payment) > cosine(card, hate) + 0.2


async def test_a_text_is_the_same_whatever_is_beside_it(embeddings: TritonEmbeddings) -> None:
    (alone,) = await embeddings.embed(["email address"], within_s=ENOUGH_S)
    among = await embeddings.embed(["x" * size for size in range(1, 90)] + ["email address"], within_s=ENOUGH_S)
    assert cosine(alone, among[-1]) == pytest.approx(1.0, abs=1e-5)


async def test_no_texts_are_no_vectors(embeddings: TritonEmbeddings) -> None:
    assert list(await embeddings.embed([], within_s=ENOUGH_S)) == []


async def test_requests_under_way_together_are_one_execution(
    triton: TritonServer, embeddings: TritonEmbeddings
) -> None:
    models = TritonModels(triton.address)
    (before,) = await models.statistics("embeddings")
    await asyncio.gather(*(embeddings.embed([f"label {number}"], within_s=ENOUGH_S) for number in range(40)))
    for _ in range(200):  # it counts a request just after it has answered
        (after,) = await models.statistics("embeddings")
        if after.requests - before.requests >= 40:
            break
        await asyncio.sleep(0.05)
    await models.close()
    assert after.requests - before.requests >= 40
    assert after.executions - before.executions < 30


async def test_too_little_time_is_said_so(embeddings: TritonEmbeddings) -> None:
    for within_s in (0.0, 0.001):
        with pytest.raises(ModelServingError) as caught:
            await embeddings.embed(["x" * 1000] * 200, within_s=within_s)
        assert caught.value.error_code is ErrorCode.REQUEST_TIMEOUT


async def test_a_server_that_is_away_is_said_so() -> None:
    with pytest.raises(ModelServingError) as caught:
        await TritonEmbeddings.opened(TritonAddress(f"127.0.0.1:{free_port()}"))
    assert caught.value.error_code is ErrorCode.SERVICE_UNAVAILABLE


async def test_a_model_that_makes_no_vectors_is_refused(triton: TritonServer) -> None:
    with pytest.raises(ConfigurationError):
        await TritonEmbeddings.opened(triton.address, "llama3_mapper")
    with pytest.raises(ModelServingError, match="model_not_loaded"):
        await TritonEmbeddings.opened(triton.address, "no-such-model")


async def test_what_is_closed_cannot_be_asked(triton: TritonServer) -> None:
    closed = await TritonEmbeddings.opened(triton.address)
    await closed.close()
    await closed.close()
    with pytest.raises(ModelServingError) as caught:
        await closed.embed(["x"], within_s=ENOUGH_S)
    assert caught.value.error_code is ErrorCode.SERVICE_UNAVAILABLE
