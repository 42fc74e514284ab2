"""What every index of vectors promises."""

from __future__ import annotations

import math
import random
from array import array
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.numpy_vectors import NumpyVectorIndex
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.neighbours.ports import VectorIndex
from tests.contract.mapping.conftest import DIMENSIONS

LONG_S = 60.0


def vectors(count: int, seed: int = 0) -> list[array[float]]:
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        plain = [chance.gauss(0, 1) for _ in range(DIMENSIONS)]
        length = math.sqrt(sum(value * value for value in plain))
        found.append(array("f", [value / length for value in plain]))
    return found


def cosine(one: array[float], other: array[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_the_nearest_are_those_with_the_greatest_cosine(index: VectorIndex) -> None:
    held, asked = vectors(200), vectors(7, seed=1)
    await index.replace("one", held)
    found = await index.nearest("one", asked, 5, within_s=LONG_S)
    for query, near in zip(asked, found, strict=True):
        expected = sorted(((cosine(query, vector), number) for number, vector in enumerate(held)), reverse=True)[:5]
        assert [one.number for one in near] == [number for _, number in expected]
        assert [one.cosine for one in near] == pytest.approx([value for value, _ in expected], abs=1e-5)


async def test_equally_near_ones_stand_by_number(index: VectorIndex) -> None:
    [same] = vectors(1)
    await index.replace("one", [same] * 9)
    [near] = await index.nearest("one", [same], 4, within_s=LONG_S)
    assert [one.number for one in near] == [0, 1, 2, 3]


async def test_fewer_are_found_where_fewer_are_held(index: VectorIndex) -> None:
    await index.replace("one", vectors(3))
    [near] = await index.nearest("one", vectors(1), 10, within_s=LONG_S)
    assert len(near) == 3


async def test_a_version_that_is_not_held_finds_nothing(index: VectorIndex) -> None:
    await index.replace("one", vectors(3))
    assert await index.holds("one")
    assert not await index.holds("two")
    assert [list(near) for near in await index.nearest("two", vectors(2), 3, within_s=LONG_S)] == [[], []]


async def test_replacing_holds_the_new_vectors_alone(index: VectorIndex) -> None:
    await index.replace("one", vectors(5))
    await index.replace("one", vectors(2, seed=3))
    [near] = await index.nearest("one", vectors(1), 10, within_s=LONG_S)
    assert len(near) == 2
    await index.replace("two", vectors(4))
    assert await index.holds("two")


async def test_no_query_finds_nothing(index: VectorIndex) -> None:
    await index.replace("one", vectors(3))
    assert list(await index.nearest("one", [], 3, within_s=LONG_S)) == []


async def test_a_folder_keeps_the_vectors_for_the_next_start(tmp_path: Path) -> None:
    await NumpyVectorIndex(tmp_path).replace("one", vectors(5))
    again = NumpyVectorIndex(tmp_path)
    assert await again.holds("one")
    assert len((await again.nearest("one", vectors(1), 9, within_s=LONG_S))[0]) == 5


@pytest.mark.parametrize("broken", [b"", b"\x93NUMPY", b"not a matrix at all"])
async def test_a_broken_file_is_not_held(tmp_path: Path, broken: bytes) -> None:
    await NumpyVectorIndex(tmp_path).replace("one", vectors(5))
    (tmp_path / "one.npy").write_bytes(broken)
    assert not await NumpyVectorIndex(tmp_path).holds("one")


async def test_a_file_that_was_cut_short_is_not_held(tmp_path: Path) -> None:
    await NumpyVectorIndex(tmp_path).replace("one", vectors(50))
    whole = (tmp_path / "one.npy").read_bytes()
    (tmp_path / "one.npy").write_bytes(whole[: len(whole) // 2])
    assert not await NumpyVectorIndex(tmp_path).holds("one")


async def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        await NumpyVectorIndex(tmp_path / "file").replace("one", vectors(2))
