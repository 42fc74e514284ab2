"""Follows which version of each schema is spoken with callers that name none, and counts what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from llama_mapper.domain.contracts.evolution.defaults import DefaultVersions, Spoken
from llama_mapper.domain.contracts.evolution.versions import SchemaVersions
from llama_mapper.domain.contracts.schema_defaults import SchemaCounts, SchemaStanding
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.releases.tally import Outcome

INTERVAL_S = 0.5

Validity = Callable[[Mapping[str, Any], Any], bool]
"""Whether a document keeps a JSON Schema."""


class SchemaReleases(Protocol):
    """The releases of schemas, wherever they are kept."""

    async def standing(self) -> SchemaStanding:
        """What they have made of the defaults; raise a `ServiceError` if that cannot be told."""
        ...

    def count(self, release_id: str, arm: str, outcome: Outcome) -> None:
        """Count one document. Neither waits nor raises."""
        ...


class SchemaReleaseLink(Protocol):
    """The same between processes."""

    async def standing(self) -> SchemaStanding:
        """See `SchemaReleases.standing`."""
        ...

    async def take(self, counts: SchemaCounts) -> None:
        """Keep what another process has counted in all; an older number than what is kept changes nothing."""
        ...


class SchemaDefaults:
    """The versions for callers that name none. While releases cannot be read the last known ones hold.

    `schemas` is called at the first answer or at the start of `run`, whichever is first.
    """

    def __init__(
        self,
        schemas: Callable[[], SchemaVersions],
        configured: Mapping[str, int],
        releases: SchemaReleases,
        validity: Validity,
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._schemas = schemas
        self._configured = configured
        self._releases = releases
        self._validity = validity
        self._interval_s = interval_s
        self._standing = SchemaStanding()
        self._now: DefaultVersions | None = None
        self.trouble: str | None = None

    @property
    def now(self) -> DefaultVersions:
        """What holds now; raise `CONFIGURATION_INVALID` where the configured versions are not served."""
        if self._now is None:
            self._now = DefaultVersions(self._schemas(), self._standing, self._configured)
        return self._now

    def keeps(self, model: str, major: int, document: Any) -> bool:
        """Whether a document keeps the committed schema of a version."""
        return self._validity(self._schemas().get(model, major).schema, document)

    def count(self, spoken: Spoken, outcome: Outcome) -> None:
        """Count a document where a release is to know of it."""
        if spoken.release_id is not None:
            self._releases.count(spoken.release_id, spoken.arm, outcome)

    async def refresh(self) -> None:
        """Bring the versions to what holds now."""
        try:
            standing = await self._releases.standing()
        except ServiceError as error:
            self.trouble = f"the default versions of schemas cannot be read: {error.message}"
            return
        self.trouble = None
        if standing != self._standing:
            self._standing = standing
            self._now = DefaultVersions(self._schemas(), standing, self._configured)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._interval_s)

    def notes(self) -> Mapping[str, str]:
        """What is wrong with following."""
        return {} if self.trouble is None else {"schemas": self.trouble}
