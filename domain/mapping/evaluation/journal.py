"""The journal of finished folds that lives as long as the process."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.mapping.evaluation.ports import FoldResult


class MemoryJournal:
    """Keeps what `FoldJournal` promises, but for surviving the process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], FoldResult] = {}

    def finished(self) -> Sequence[FoldResult]:
        """Every fold kept so far."""
        return tuple(self._kept.values())

    def keep(self, result: FoldResult) -> None:
        """Keep a fold until the process ends."""
        refuse_second(result, self._kept)
        self._kept[result.subject, result.fold] = result


def refuse_second(result: FoldResult, kept: Collection[tuple[str, str]]) -> None:
    """Raise `CONFLICT` if this method's fold is among those kept."""
    if (result.subject, result.fold) in kept:
        raise ValidationError(f"fold '{result.fold}' of '{result.subject}' is finished already", ErrorCode.CONFLICT)
