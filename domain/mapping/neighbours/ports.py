"""What neighbours by meaning need from outside: an embedding model, and a search over its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

Vector = Sequence[float]
"""Of length 1. Adapters give `array.array("f")`, which other adapters read without copying."""


class Embeddings(Protocol):
    """A model that turns short texts into vectors whose scalar product says how alike they are."""

    @property
    def version(self) -> str:
        """The model and its weights: vectors of another version cannot be compared with these."""
        ...

    async def current_version(self) -> str:
        """The version as it is now: another one than `version` where a server has other weights meanwhile.

        Then this gives no vectors any more, and has to be opened anew. Raises `SERVICE_UNAVAILABLE` if the model
        cannot be asked.
        """
        ...

    @property
    def dimensions(self) -> int:
        """Numbers a vector has."""
        ...

    async def embed(self, texts: Sequence[str], *, within_s: float) -> Sequence[Vector]:
        """One unit vector a text, in order; the same text always gives the same vector, whatever is beside it.

        The event loop is not blocked. Raises `SERVICE_UNAVAILABLE` if the model cannot be asked and
        `REQUEST_TIMEOUT` if it took longer than `within_s` seconds.
        """
        ...

    async def close(self) -> None:
        """Free what it holds. A second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A vector that was found: its number in the index, and the cosine with the query, -1 to 1."""

    number: int
    cosine: float


class VectorIndex(Protocol):
    """Exact search for the nearest of some thousands of vectors.

    Raises `STORE_UNAVAILABLE`, and `CONFIGURATION_INVALID` where the store lacks what it needs.
    """

    def turn(self) -> AbstractAsyncContextManager[None]:
        """One process at a time, of all that share the index: who waited finds what the one before made."""
        ...

    async def holds(self, version: str) -> bool:
        """Whether the vectors of this version are held, all of them."""
        ...

    async def replace(self, version: str, vectors: Sequence[Vector]) -> None:
        """Hold these vectors, numbered from 0, under this version: all or none, instead of older versions.

        An index that several processes share may keep the versions that others use.
        """
        ...

    async def nearest(
        self, version: str, queries: Sequence[Vector], limit: int, *, within_s: float
    ) -> Sequence[Sequence[Neighbour]]:
        """For each query the `limit` nearest vectors of a version, best first, equally near ones by number.

        Empty where the version is not held. Raises `REQUEST_TIMEOUT` after `within_s` seconds.
        """
        ...
