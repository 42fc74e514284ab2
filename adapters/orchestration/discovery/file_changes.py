"""Waiting until something may have changed in folders: with watchfiles, or by looking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

_LOOK_AGAIN_S = 1.0
_SAFETY_MS = 10_000


async def changes(places: Sequence[Path], *, watching: bool = True) -> AsyncIterator[None]:
    """Give a turn whenever a file at one of the places may have changed, at the latest after ten seconds.

    The system is asked to tell where the package `watchfiles` is there and every place is; otherwise, and where it is
    not `watching`, a turn comes every second. A place on a network may change without the system telling, hence the
    turns in between.
    """
    while True:
        folders = {place if place.is_dir() else place.parent for place in places}
        if not watching or not all(folder.is_dir() for folder in folders):
            await asyncio.sleep(_LOOK_AGAIN_S)
            yield
            continue
        try:
            from watchfiles import awatch
        except ImportError:
            watching = False
            continue
        try:
            async for _ in awatch(
                *folders,
                watch_filter=None,
                debounce=200,
                rust_timeout=_SAFETY_MS,
                yield_on_timeout=True,
                recursive=False,
                ignore_permission_denied=True,
            ):
                yield
        except (OSError, RuntimeError):  # a folder is gone, or the system has no watches left
            await asyncio.sleep(_LOOK_AGAIN_S)
            yield
