"""The taxonomy's versions, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.taxonomies import RemappedAssessment, TaxonomyHistory, TaxonomyHop, TaxonomyPlan
from llama_mapper.domain.kernel.errors import NotFoundError
from llama_mapper.domain.mapping.taxonomies.differences import plan_report
from llama_mapper.domain.mapping.taxonomies.migrations import Migration, chain_from
from llama_mapper.domain.mapping.taxonomies.plans import composed, plan_of, unchanged
from llama_mapper.domain.mapping.taxonomies.present import CurrentId, between
from llama_mapper.domain.mapping.taxonomies.remapping import remapped_assessment


class TaxonomyLibrary:
    """The present version with its ids, and the way from the earlier ones to it."""

    def __init__(
        self, migrations: Sequence[Migration], version: str, labels: Mapping[str, str], current_id: CurrentId
    ) -> None:
        self._migrations = tuple(migrations)
        self._version = version
        self._labels = labels
        self._current_id = current_id

    def history(self) -> TaxonomyHistory:
        """Every version that there was."""
        return TaxonomyHistory(
            current=self._version,
            items=tuple(
                TaxonomyHop(before=each.before, after=each.after, changes=len(_mentioned(each)), note=each.note[:512])
                for each in self._migrations
            ),
        )

    def plan(self, version: str) -> TaxonomyPlan:
        """What becomes of the ids of `version`; raise `NOT_FOUND` for a version that there never was.

        Of an earlier version only those ids are known that are still there or that a migration names.
        """
        if version == self._version:
            return plan_report(unchanged(version, self._labels))
        chain = chain_from(self._migrations, version)
        if not chain or chain[-1].after != self._version:
            raise NotFoundError(f"there is no version {version!r} of the taxonomy; the present one is {self._version}")
        new = {
            name
            for each in chain
            for name in (*each.renamed.values(), *(part for split in each.split.values() for part in split.into))
        }
        ids = [*(name for name in self._labels if name not in new), *_mentioned(chain[0])]
        plan = unchanged(version, dict.fromkeys(ids))
        for each in chain:
            is_there = self._labels.__contains__ if each is chain[-1] else between(each)
            start = dict.fromkeys(fate.target for fate in plan.fates.values() if fate.target is not None)
            plan = composed(plan, plan_of(each, start, is_there))
        return plan_report(plan)

    def read_now(self, record: bytes) -> RemappedAssessment:
        """A stored record under the present version."""
        return remapped_assessment(Assessment.model_validate_json(record), self._current_id, self._version)


def _mentioned(migration: Migration) -> tuple[str, ...]:
    return (*migration.renamed, *migration.merged, *migration.split, *migration.removed)
