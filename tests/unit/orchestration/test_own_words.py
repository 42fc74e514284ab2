"""What labels mean to a tenant, and what happens where that cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.kernel.errors import LinkError
from llama_mapper.domain.orchestration.own_words import AS_SHIPPED, OwnWords
from tests.unit.orchestration.support import SmallCatalogue


@dataclass(frozen=True)
class View:
    catalogue: CatalogueView
    overlay_version: str | None


SAID = "not known (SERVICE_UNAVAILABLE): labels mean what ships"


class Views:
    def __init__(self, view: View | None) -> None:
        self._view = view

    async def view_of(self, tenant_id: str) -> View:
        if self._view is None:
            raise LinkError("away")
        return self._view


async def test_words_that_cannot_be_told_are_the_shipped_ones_and_the_record_says_so() -> None:
    told: list[ProvenanceEntry] = []
    assert await OwnWords(Views(None), "1").of("acme", told) is AS_SHIPPED
    [entry] = told
    assert (entry.component, entry.detail) == (
        "tenant_words",
        "not known (SERVICE_UNAVAILABLE): labels mean what ships",
    )


async def test_a_tenant_without_words_costs_nothing_more_than_one_that_is_not_asked_about() -> None:
    told: list[ProvenanceEntry] = []
    assert await OwnWords(Views(View(SmallCatalogue(), None)), "1").of("acme", told) is AS_SHIPPED
    assert await OwnWords(None, "1").of("acme", told) is AS_SHIPPED
    own = await OwnWords(Views(View(SmallCatalogue(), "7")), "1").of("acme", told)
    assert (own.version, told) == ("7", [])
