"""`llama-mapper ARGUMENTS…`, which comes to a halt at a given point of publishing a model: `POINT ARGUMENTS…`.

It prints the point and does nothing from there on, until it is killed. `part` is inside of a file of at least three
parts, `file` between two files, `record` when all files are in the store and nothing is registered, `transaction` when
the registration is written and not committed, `registered` when it is committed and nobody was told. At `full` nothing
halts: the system refuses files beyond `LARGEST` bytes, as a full disk refuses to go on.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.objects import checked_objects
from llama_mapper.domain.mapping.models.service import ModelRegistry
from llama_mapper.entrypoints.cli.main import main

LARGEST = 4 * 1024 * 1024
POINTS = ("part", "file", "record", "transaction", "registered")
_pieces, _upload, _register, _writing = (
    checked_objects.pieces,  # type: ignore[attr-defined]  # replaced where it is used
    ModelRegistry.upload,
    ModelRegistry.register,
    Database.writing,
)
_at = ""
_registering = False


async def _halt(point: str) -> None:
    if point == _at:
        print(point, flush=True)
        await asyncio.sleep(3600)


async def _halting_pieces(*arguments: Any) -> AsyncIterator[bytes]:
    number = 0
    async for piece in _pieces(*arguments):
        number += 1
        if number == 3:
            await _halt("part")
        yield piece


async def _halting_upload(registry: ModelRegistry, *arguments: Any) -> Any:
    stored = await _upload(registry, *arguments)
    await _halt("file")
    return stored


async def _halting_register(registry: ModelRegistry, *arguments: Any) -> Any:
    global _registering
    await _halt("record")
    _registering = True
    registered = await _register(registry, *arguments)
    await _halt("registered")
    return registered


@asynccontextmanager
async def _halting_writing(database: Database, tenant_id: str | None = None) -> AsyncIterator[AsyncConnection]:
    async with _writing(database, tenant_id) as connection:
        yield connection
        if _registering:
            await _halt("transaction")


if __name__ == "__main__":
    _at = sys.argv.pop(1)
    for place, name, halting in (
        (checked_objects, "pieces", _halting_pieces),
        (ModelRegistry, "upload", _halting_upload),
        (ModelRegistry, "register", _halting_register),
        (Database, "writing", _halting_writing),
    ):
        setattr(place, name, halting)
    if _at == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    main()
