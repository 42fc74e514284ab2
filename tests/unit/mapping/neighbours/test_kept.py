"""The stage that compares meanings, over a model that comes, goes and changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
from llama_mapper.domain.kernel.errors import ModelServingError
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.neighbours.embedding import EmbeddingStage
from llama_mapper.domain.mapping.neighbours.kept import KeptEmbeddingStage
from llama_mapper.domain.mapping.neighbours.ports import Embeddings, Vector
from llama_mapper.domain.mapping.neighbours.references import NO_LEXICON, Reference

REFERENCES = (Reference("aaa", "pii.financial_data.payment_card"), Reference("bbb", "content.toxic_language.insult"))
LABEL = LabelKey("acme", None, "aab")


class Model:
    """Of two directions; its server has the version `now`."""

    def __init__(self, server: Server) -> None:
        self.server, self.version, self.dimensions, self.closed = server, server.now, 2, False
        self.calls = 0

    async def current_version(self) -> str:
        if self.server.away:
            raise ModelServingError("model: unavailable")
        return self.server.now

    async def embed(self, texts: Sequence[str], *, within_s: float) -> Sequence[Vector]:
        self.calls += 1
        if self.server.away or self.server.now != self.version:
            raise ModelServingError("model: unavailable")
        return [[1.0, 0.0] if text.count("a") > text.count("b") else [0.0, 1.0] for text in texts]

    async def close(self) -> None:
        self.closed = True


class Server:
    def __init__(self) -> None:
        self.now, self.away = "v1", False
        self.opened: list[Model] = []

    async def open(self) -> Embeddings:
        if self.away:
            raise ModelServingError("model: unavailable")
        self.opened.append(Model(self))
        return self.opened[-1]

    def kept(self) -> KeptEmbeddingStage:
        index = NumpyVectorIndex()
        return KeptEmbeddingStage(
            self.open,
            lambda model: EmbeddingStage(model, index, REFERENCES, NO_LEXICON),
            look_every_s=60.0,
            while_away_s=0.01,
        )


async def fault_of(stage: KeptEmbeddingStage) -> str | None:
    return (await stage.rank([LABEL], within_s=5.0))[0].fault


async def test_a_model_that_is_away_at_the_start_is_found_when_it_comes() -> None:
    server = Server()
    server.away = True
    stage = server.kept()
    assert await fault_of(stage) == "not_ready"
    await stage.look()
    assert stage.looked.is_set()
    assert (stage.state, stage.version, stage.model_version) == ("model: unavailable", "not_ready", "")
    server.away = False
    await stage.look()
    assert (stage.state, stage.model_version) == ("", "v1")
    (ranking,) = await stage.rank([LABEL], within_s=5.0)
    assert ranking.candidates[0].canonical == "pii.financial_data.payment_card"


async def test_a_model_that_goes_away_is_a_fault_and_its_vectors_are_kept_for_its_return() -> None:
    server = Server()
    stage = server.kept()
    await stage.look()
    server.away = True
    assert await fault_of(stage) == "service_unavailable"
    await stage.look()
    assert stage.state == "model: unavailable"
    server.away = False
    assert await fault_of(stage) is None
    await stage.look()
    assert (stage.state, len(server.opened)) == ("", 1)


async def test_another_version_gets_vectors_of_its_own_and_the_old_model_is_closed() -> None:
    server = Server()
    stage = server.kept()
    await stage.look()
    before = stage.version
    server.now = "v2"
    assert await fault_of(stage) == "service_unavailable"
    await stage.look()
    assert await fault_of(stage) is None
    assert (stage.model_version, stage.version != before) == ("v2", True)
    assert [model.closed for model in server.opened] == [True, False]


async def test_a_disk_that_takes_no_more_is_told_and_the_vectors_are_not_computed_again(tmp_path: Path) -> None:
    place = tmp_path / "neighbours"
    place.touch()  # where the folder should be
    server = Server()
    index = NumpyVectorIndex(place)
    stage = KeptEmbeddingStage(server.open, lambda model: EmbeddingStage(model, index, REFERENCES, NO_LEXICON))
    for _ in range(3):
        await stage.look()
        assert stage.state
        assert await fault_of(stage) == "store_unavailable"
    assert server.opened[0].calls == 1
    place.unlink()
    await stage.look()
    assert (stage.state, await fault_of(stage)) == ("", None)


async def test_a_call_that_meets_a_fault_makes_it_look_at_once() -> None:
    server = Server()
    stage = server.kept()
    keeping = asyncio.create_task(stage.keep())
    async with asyncio.timeout(10):
        await stage.looked.wait()
        await asyncio.sleep(0.1)  # it waits for a minute now
        server.now = "v2"
        while await fault_of(stage) is not None:
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await stage.close()
    assert server.opened[-1].closed
    assert await fault_of(stage) == "not_ready"
