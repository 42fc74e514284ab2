"""`ObjectStore`."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.objects import ObjectStore
from tests.contract.objects.conftest import Opened
from tests.support.loops import LoopThread
from tests.support.object_places import IMPORTS, PART, ObjectPlace
from tests.support.store_machines import machine_settings


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def given(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content_of(store: ObjectStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key)])


async def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    return sorted([entry.key async for entry in store.entries(prefix)])


async def put(store: ObjectStore, key: str, content: bytes, *, replace: bool = False) -> None:
    await store.put(key, given(content), digest(content), replace=replace)


async def code_of(awaitable: object) -> str | None:
    try:
        await awaitable  # type: ignore[misc]  # of whichever kind
    except ServiceError as error:
        return error.error_code.value
    return None


async def drained(chunks: AsyncIterator[bytes]) -> None:
    async for _ in chunks:
        pass


async def test_bytes_come_back_as_they_were_put(store: ObjectStore, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    stored = await store.put("a/b.c+d@e=f", given(b"one ", b"", b"two"), digest(b"one two"))
    assert (stored.key, stored.size, stored.sha256) == ("a/b.c+d@e=f", 7, digest(b"one two"))
    assert before < stored.stored_at < datetime.now(UTC) + timedelta(seconds=5)
    assert await store.head("a/b.c+d@e=f") == stored
    assert await content_of(store, "a/b.c+d@e=f") == b"one two"
    assert await store.fetch("a/b.c+d@e=f", tmp_path / "file") == stored
    assert (tmp_path / "file").read_bytes() == b"one two"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


async def test_an_object_may_be_empty(store: ObjectStore) -> None:
    await store.put("empty", given(), digest(b""))
    assert await content_of(store, "empty") == b""


async def test_a_file_of_several_parts_comes_back_whole(store: ObjectStore, big: Path, tmp_path: Path) -> None:
    sha256 = digest(big.read_bytes())
    assert (await store.put("big", big, sha256)).size == big.stat().st_size
    await store.fetch("big", tmp_path / "again")
    assert digest((tmp_path / "again").read_bytes()) == sha256
    assert [each async for each in store.unfinished()] == []
    assert await keys_of(store) == ["big"]


async def test_other_bytes_than_the_digest_says_are_not_stored(store: ObjectStore, big: Path) -> None:
    assert await code_of(store.put("a", given(b"one"), digest(b"two"))) == ErrorCode.ARTIFACT_CORRUPTED
    assert await code_of(store.put("b", big, digest(b"two"))) == ErrorCode.ARTIFACT_CORRUPTED
    assert await keys_of(store) == []
    assert await store.head("a") is None
    assert await store.head("b") is None


async def test_the_same_bytes_again_are_no_conflict_and_others_are(store: ObjectStore) -> None:
    await put(store, "a", b"one")
    await put(store, "a", b"one")
    assert await code_of(put(store, "a", b"two")) == ErrorCode.CONFLICT
    assert await content_of(store, "a") == b"one"


async def test_an_object_is_replaced_when_asked(store: ObjectStore, big: Path) -> None:
    await put(store, "a", b"one")
    await put(store, "a", b"two", replace=True)
    assert await content_of(store, "a") == b"two"
    await store.put("a", big, digest(big.read_bytes()), replace=True)
    assert digest(await content_of(store, "a")) == digest(big.read_bytes())
    await put(store, "a", b"three", replace=True)
    assert await content_of(store, "a") == b"three"
    assert await keys_of(store) == ["a"]


async def test_of_many_who_put_one_key_one_wins_and_nothing_is_mixed(store: ObjectStore) -> None:
    contents = [bytes([number]) * 1000 for number in range(6)]
    outcomes = await asyncio.gather(*(code_of(put(store, "a", each)) for each in contents))
    assert sorted(outcomes, key=str) == ["CONFLICT"] * 5 + [None]
    assert await content_of(store, "a") == contents[outcomes.index(None)]


async def test_two_may_put_the_same_parts_at_the_same_time(opened: Opened, big: Path) -> None:
    other = opened.place.open(opened.name)
    sha256 = digest(big.read_bytes())
    try:
        await asyncio.gather(opened.store.put("big", big, sha256), other.put("big", big, sha256))
    finally:
        await other.close()
    assert digest(await content_of(opened.store, "big")) == sha256


async def test_what_is_not_there_is_told(store: ObjectStore, tmp_path: Path) -> None:
    assert await store.head("a/b") is None
    assert await code_of(drained(store.read("a/b"))) == ErrorCode.NOT_FOUND
    assert await code_of(store.fetch("a/b", tmp_path / "x")) == ErrorCode.NOT_FOUND
    assert await store.delete("a/b") is False
    assert list(tmp_path.iterdir()) == []


async def test_a_deleted_object_is_gone_and_its_key_is_free(store: ObjectStore) -> None:
    await put(store, "a/b", b"one")
    await put(store, "a/b/c", b"two")
    await put(store, "a", b"three")
    assert await store.delete("a/b") is True
    assert await keys_of(store) == ["a", "a/b/c"]
    assert await store.delete("a/b") is False
    await put(store, "a/b", b"other")
    assert await content_of(store, "a/b") == b"other"


async def test_a_listing_shows_what_begins_with_the_prefix(store: ObjectStore) -> None:
    for key in ("a/b/c", "a/b", "a-b", "ab", "b"):
        await put(store, key, key.encode())
    assert await keys_of(store, "a/") == ["a/b", "a/b/c"]
    assert await keys_of(store, "a/b") == ["a/b", "a/b/c"]
    assert await keys_of(store, "a") == ["a-b", "a/b", "a/b/c", "ab"]
    assert await keys_of(store, "c/") == []
    assert {(each.key, each.size) async for each in store.entries("ab")} == {("ab", 2)}


async def test_changed_bytes_are_found_when_they_are_read(opened: Opened, tmp_path: Path) -> None:
    for number, spoilt in enumerate([b"ona", b"on", b"", b"one more"]):
        key = f"a{number}"
        await put(opened.store, key, b"one")
        await opened.place.spoil(opened.name, key, spoilt)
        assert await code_of(drained(opened.store.read(key))) == ErrorCode.ARTIFACT_CORRUPTED
        assert await code_of(opened.store.fetch(key, tmp_path / "file")) == ErrorCode.ARTIFACT_CORRUPTED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", ".a", "a b", "ä", "a\\b", "a\x00", "a/" * 16 + "a", "a" * 129],
)
async def test_a_key_that_is_none_is_refused(store: ObjectStore, key: str, tmp_path: Path) -> None:
    refused = [
        store.put(key, given(), digest(b"")),
        store.head(key),
        store.delete(key),
        store.fetch(key, tmp_path / "x"),
        drained(store.read(key)),
    ]
    assert [await code_of(each) for each in refused] == [ErrorCode.INVALID_REQUEST] * 5


async def test_a_source_that_breaks_off_stores_nothing(store: ObjectStore) -> None:
    class Gone(Exception):
        pass

    async def broken(size: int) -> AsyncIterator[bytes]:
        yield b"x" * size
        raise Gone

    for size in (10, PART * 2 + 1):
        with pytest.raises(Gone):
            await store.put("a", broken(size), digest(b""))
    assert await keys_of(store) == []
    assert await store.head("a") is None
    await put(store, "a", b"one")
    assert await content_of(store, "a") == b"one"


async def test_a_file_that_is_not_there_is_told(store: ObjectStore, tmp_path: Path) -> None:
    assert await code_of(store.put("a", tmp_path / "missing", digest(b""))) == ErrorCode.STORE_UNAVAILABLE


async def test_a_store_that_answers_says_so(store: ObjectStore) -> None:
    await store.ping()


UPLOADER = (
    IMPORTS
    + """
import asyncio, sys

async def slowly(path):
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk
            sent = file.tell()
            if sent >= {stop_after}:
                print("half", flush=True)
                await asyncio.sleep(600)

async def main():
    await {opening}.put("big", slowly({path!r}), {sha256!r})

asyncio.run(main())
"""
)


async def test_an_upload_killed_half_way_is_invisible_and_finishes_when_it_is_put_again(
    opened: Opened, big: Path, tmp_path: Path
) -> None:
    sha256 = digest(big.read_bytes())
    program = UPLOADER.format(
        opening=opened.place.opening(opened.name), path=str(big), sha256=sha256, stop_after=PART * 2 + (1 << 20)
    )
    left = []
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == b"half\n"
            for _ in range(600):  # until the parts that it has begun to send are there
                left = [each async for each in opened.store.unfinished()]
                if left and await opened.place.staged(opened.name, "big") >= 1:
                    break
                await asyncio.sleep(0.05)
        finally:
            process.kill()
    assert [each.key for each in left] == ["big"]
    assert await opened.store.head("big") is None
    assert await keys_of(opened.store) == []
    await opened.store.put("big", big, sha256)
    assert digest(await content_of(opened.store, "big")) == sha256
    assert await keys_of(opened.store) == ["big"]
    await opened.store.discard_unfinished(datetime.now(UTC) + timedelta(hours=1))
    assert [each async for each in opened.store.unfinished()] == []
    assert digest(await content_of(opened.store, "big")) == sha256


async def test_what_a_cut_off_upload_left_is_removed_by_age_and_nothing_else_is(store: ObjectStore) -> None:
    await put(store, "kept", b"one")

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (PART * 2 + 1)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await store.put("half", broken(), digest(b"x"))
    left = [each.key async for each in store.unfinished()]
    assert await store.discard_unfinished(datetime(2000, 1, 1, tzinfo=UTC)) == 0
    assert [each.key async for each in store.unfinished()] == left
    assert await store.discard_unfinished(datetime.now(UTC) + timedelta(hours=1)) == len(left)
    assert [each async for each in store.unfinished()] == []
    assert await keys_of(store) == ["kept"]
    assert await content_of(store, "kept") == b"one"


KEYS = st.sampled_from(["a", "a/b", "a/b/c", "b", "a.b"])
CONTENTS = st.sampled_from([b"", b"one", b"two", b"x" * 100_000])


class ObjectMachine(RuleBasedStateMachine):
    place: ObjectPlace
    loop: LoopThread

    def __init__(self) -> None:
        super().__init__()
        name = self.loop.run(self.place.fresh())
        self.store = self.place.open(name)
        self.model: dict[str, bytes] = {}

    @rule(key=KEYS, content=CONTENTS, replace=st.booleans(), wrong=st.sampled_from([False, False, False, True]))
    def put(self, key: str, content: bytes, replace: bool, wrong: bool) -> None:
        claimed = digest(b"something else") if wrong else digest(content)
        outcome = self.loop.run(code_of(self.store.put(key, given(content), claimed, replace=replace)))
        known = self.model.get(key)
        if not replace and known is not None:
            assert outcome == (None if digest(known) == claimed else "CONFLICT")
        elif wrong:
            assert outcome == "ARTIFACT_CORRUPTED"
        else:
            assert outcome is None
            self.model[key] = content

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        assert self.loop.run(self.store.delete(key)) == (self.model.pop(key, None) is not None)

    @invariant()
    def objects_are_those_of_the_model(self) -> None:
        assert self.loop.run(keys_of(self.store)) == sorted(self.model)
        for key, content in self.model.items():
            assert self.loop.run(content_of(self.store, key)) == content

    def teardown(self) -> None:
        self.loop.run(self.store.close())


def test_any_sequence_of_calls_agrees_with_the_model(place: ObjectPlace, loop_thread: LoopThread) -> None:
    machine = type("Machine", (ObjectMachine,), {"place": place, "loop": loop_thread})
    run_state_machine_as_test(machine, settings=machine_settings(max_examples=8, stateful_step_count=10))
