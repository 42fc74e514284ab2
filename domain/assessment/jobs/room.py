"""How much may wait in memory, in all and for one tenant."""

from __future__ import annotations

from collections import Counter

from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError

RETRY_AFTER_S = 5.0


class WaitingRoom:
    """Counts items and characters of content that wait. A tenant may have half of either, or a single job more."""

    def __init__(self, items: int, characters: int) -> None:
        self._limits = (items, characters)
        self._items = Counter[str]()
        self._characters = Counter[str]()

    @property
    def items(self) -> int:
        """Items that wait, of all tenants."""
        return self._items.total()

    def admit(self, tenant_id: str, items: int, characters: int) -> None:
        """Count a job in; raise `JOB_QUEUE_FULL` where there is no room.

        In an empty room any job has room that the whole room would hold.
        """
        for kind, counts, more, limit in (
            ("items", self._items, items, self._limits[0]),
            ("characters", self._characters, characters, self._limits[1]),
        ):
            own, all_of_them = counts[tenant_id], counts.total()
            if all_of_them + more > limit or (own and own + more > limit // 2):
                raise OrchestrationError(
                    f"too many {kind} of jobs wait already", ErrorCode.JOB_QUEUE_FULL, True, retry_after_s=RETRY_AFTER_S
                )
        self._items[tenant_id] += items
        self._characters[tenant_id] += characters

    def leave(self, tenant_id: str, items: int, characters: int) -> None:
        """Count out what no longer waits."""
        for counts, fewer in ((self._items, items), (self._characters, characters)):
            counts[tenant_id] -= fewer
            if not counts[tenant_id]:
                del counts[tenant_id]
