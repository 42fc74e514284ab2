"""Waiting until something may have changed in folders: with watchfiles, or by looking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

_LOOK_AGAIN_S = 1.0
_AT_THE_LATEST_MS = 2_000


async def changes(places: Sequence[Path], *, watching: bool = True) -> AsyncGenerator[None]:
    """Give a turn whenever a file at one of the places may have changed, at the latest after two seconds.

    The system is asked to tell where the package `watchfiles` is installed and `watching` is wanted; otherwise a turn
    comes every second. A place on a network may change without the system telling, and a change may come just before
    the watch is set up: hence the turns in between, which cost a look at the folder.
    """
    while True:
        folders = _folders(places)
        if watching and folders:
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
                    rust_timeout=_AT_THE_LATEST_MS,
                    yield_on_timeout=True,
                    recursive=False,
                    ignore_permission_denied=True,
                ):
                    yield
                    if _folders(places) != folders:
                        break
            except (OSError, RuntimeError):  # a folder is gone, or the system has no watches left
                await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            await asyncio.sleep(_LOOK_AGAIN_S)
            yield


def _folders(places: Sequence[Path]) -> set[Path]:
    """The folders to watch: a place that is a file, or is not there yet, is watched from the folder that it is in."""
    return {folder for place in places for folder in (place, place.parent) if folder.is_dir()}
