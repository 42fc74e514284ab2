"""Adding steps to a model's log, one after another whoever takes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.models.events import Event, Log, StoredModel, StoredVersion
from llama_mapper.domain.mapping.models.ports import ModelRecords

_ATTEMPTS = 12


async def take(
    records: ModelRecords,
    owner: str,
    name: str,
    decide: Callable[[Log], Event | None],
    content: StoredVersion | None = None,
) -> StoredModel:
    """Add the event that `decide` gives for the log, and return the model as it is then; nothing is added for None.

    If somebody else was quicker, `decide` is asked again.
    """
    for attempt in range(_ATTEMPTS):
        model = await records.model(owner, name)
        event = decide(model.log)
        if event is None or await records.append(owner, name, event, content):
            return model if event is None else await records.model(owner, name)
        await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))  # noqa: S311 - spreads callers, guards nothing
    raise StoreError(f"the model '{name}' is being changed by many at once")
