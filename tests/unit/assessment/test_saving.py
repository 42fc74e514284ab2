"""A record whose id somebody waits for is stored or never will be, however the call ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.assessment.service import AssessmentService
from llama_mapper.domain.kernel.errors import StoreError

ROW = AssessmentRow("asm_1", "acme", datetime(2026, 3, 1, tzinfo=UTC), "allow", "LOW", 1.0, b"{}")


class Slow:
    """A store that takes its time and, unless it is told to fail, stores."""

    def __init__(self, *, fails: bool = False) -> None:
        self.stored: list[AssessmentRow] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self._fails = fails

    async def save(self, row: AssessmentRow) -> None:
        self.begun.set()
        await self.go_on.wait()
        if self._fails:
            raise StoreError("away")
        self.stored.append(row)


def saving(store: Slow) -> asyncio.Task[None]:
    unused: Any = None
    service = AssessmentService(unused, unused, unused, unused, store, unused, unused, unused)  # type: ignore[arg-type]  # only save is used
    return asyncio.create_task(service._save_to_the_end(ROW))


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_save_ends_when_it_is_decided(fails: bool) -> None:
    store = Slow(fails=fails)
    task = saving(store)
    await store.begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
    store.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.stored == ([] if fails else [ROW])


async def test_a_save_that_fails_says_so() -> None:
    store = Slow(fails=True)
    store.go_on.set()
    with pytest.raises(StoreError):
        await saving(store)
