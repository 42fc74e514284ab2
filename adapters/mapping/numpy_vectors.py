"""Vector search in memory with NumPy; a folder keeps the vectors for the next start."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.mapping.neighbours.ports import Neighbour, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_QUERIES_AT_ONCE = 256


class NumpyVectorIndex:
    """Keeps `VectorIndex`' promise for one version at a time. Without a folder nothing outlives the process.

    The file is the matrix in NumPy's own format; a half-written or foreign one is not held.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._version: str | None = None
        self._matrix: NDArray[np.float32] | None = None

    def turn(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Nobody waits: processes that share the folder write the same file, each whole."""
        return contextlib.nullcontext()

    async def holds(self, version: str) -> bool:
        """Whether the vectors of this version are in memory or in the folder."""
        if self._version != version and self._folder is not None:
            matrix = await asyncio.to_thread(_read, self._folder / f"{version}.npy")
            if matrix is not None:
                self._version, self._matrix = version, matrix
        return self._version == version

    async def replace(self, version: str, vectors: Sequence[Vector]) -> None:
        """Hold these vectors and none else; raise `STORE_UNAVAILABLE` if the folder cannot keep them."""
        import numpy as np

        matrix = np.asarray(vectors, dtype=np.float32).reshape(len(vectors), -1)
        if self._folder is not None:
            await asyncio.to_thread(_write, self._folder, f"{version}.npy", matrix)
        self._version, self._matrix = version, matrix

    async def nearest(
        self, version: str, queries: Sequence[Vector], limit: int, *, within_s: float
    ) -> Sequence[Sequence[Neighbour]]:
        """For each query the `limit` nearest vectors, best first, then by number."""
        if self._matrix is None or not await self.holds(version):
            return [()] * len(queries)
        found: list[Sequence[Neighbour]] = []
        try:
            async with asyncio.timeout(within_s):
                for start in range(0, len(queries), _QUERIES_AT_ONCE):
                    piece = queries[start : start + _QUERIES_AT_ONCE]
                    found += await asyncio.to_thread(_nearest, self._matrix, piece, limit)
        except TimeoutError as error:
            raise ServiceError("the vector search took too long", ErrorCode.REQUEST_TIMEOUT, True) from error
        return found


def _nearest(matrix: NDArray[np.float32], queries: Sequence[Vector], limit: int) -> list[Sequence[Neighbour]]:
    import numpy as np

    cosines = np.asarray(queries, dtype=np.float32) @ matrix.T
    found: list[Sequence[Neighbour]] = []
    for row in cosines:
        if limit < len(row):
            # Everything as near as the last one counts, so that equally near ones come in by their number.
            edge = np.partition(row, len(row) - limit)[len(row) - limit]
            numbers = np.flatnonzero(row >= edge)
        else:
            numbers = np.arange(len(row))
        order = numbers[np.argsort(-row[numbers], kind="stable")][:limit]
        found.append([Neighbour(int(number), float(row[number])) for number in order])
    return found


def _read(path: Path) -> NDArray[np.float32] | None:
    import numpy as np

    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # absent, cut short or not ours: it is computed again
    return matrix if matrix.ndim == 2 and matrix.dtype == np.float32 else None


def _write(folder: Path, name: str, matrix: NDArray[np.float32]) -> None:
    import numpy as np

    part = folder / f"{name}.{os.getpid()}.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.save(file, matrix, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / name)
        for old in folder.glob("*.npy"):
            if old.name != name:
                old.unlink(missing_ok=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise StoreError(f"the vectors cannot be kept: {error.strerror}") from error
