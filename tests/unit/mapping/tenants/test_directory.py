"""What stands for a tenant is remembered for a moment, and followed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_catalogue, load_raw_catalogue
from llama_mapper.domain.contracts.crosswalks import CrosswalkStep
from llama_mapper.domain.contracts.curation import Curator, DocumentStep
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.documents.ports import (
    Deployment,
    DocumentKind,
    ReviewedMeaning,
    StoredDocument,
    StoredStanding,
)
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.domain.mapping.service import MappingService
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from tests.unit.mapping.review_queue import ListReviewQueue

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANNA = Curator(name="anna", door=Door.HTTP, role="admin", keyless=False)
EMAIL = "pii.personal_identifiers.email"
EMPTY = StoredStanding((0, 0), (), (), (), (), ())
CATALOGUE, RAW = load_catalogue(), load_raw_catalogue()


class Standings:
    """A store that counts what it is asked, and can be away."""

    def __init__(self) -> None:
        self.stored = EMPTY
        self.crosswalks: dict[str, StoredDocument] = {}
        self.marks = self.readings = 0
        self.away = False

    async def mark(self, tenant_id: str) -> tuple[int, int]:
        self.marks += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreError("away")
        return self.stored.mark

    async def standing(self, tenant_id: str) -> StoredStanding:
        self.readings += 1
        return self.stored

    async def document(
        self, owner: str, kind: DocumentKind, name: str, number: int | None = None
    ) -> StoredDocument | None:
        return self.crosswalks.get(name) if owner == "acme" else None

    def review(self, canonical: str) -> None:
        position = self.stored.mark[0] + 1
        meaning = ReviewedMeaning(LabelKey("acme", "1", "X"), canonical, position, "1.1.0")
        self.stored = replace(self.stored, mark=(position, 0), reviewed=(meaning,))


class Clock:
    """Seconds that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Standings:
    return Standings()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tenants(store: Standings, clock: Clock) -> TenantCatalogues:
    return TenantCatalogues(store, CATALOGUE, lambda: RAW, lambda name, _: name, ttl_s=1.0, monotonic=clock)


async def canonical_of(tenants: TenantCatalogues) -> str | None:
    view = (await tenants.standing("acme")).rest
    found = view.catalogue.match("acme", "1", "X")
    return None if found is None else found.canonical


async def test_a_change_is_seen_once_the_moment_is_over(
    tenants: TenantCatalogues, store: Standings, clock: Clock
) -> None:
    assert await canonical_of(tenants) is None
    store.review(EMAIL)
    assert await canonical_of(tenants) is None
    clock.now = 1.0
    assert await canonical_of(tenants) == EMAIL


async def test_nothing_is_read_again_while_nothing_changed(
    tenants: TenantCatalogues, store: Standings, clock: Clock
) -> None:
    store.review(EMAIL)
    views = []
    for second in range(5):
        clock.now = float(second)
        views.append((await tenants.standing("acme")).rest)
    assert (store.marks, store.readings) == (5, 1)
    assert all(view is views[0] for view in views)


async def test_requests_that_ask_together_share_one_reading(tenants: TenantCatalogues, store: Standings) -> None:
    store.review(EMAIL)
    await asyncio.gather(*(tenants.standing("acme") for _ in range(20)))
    assert (store.marks, store.readings) == (1, 1)


async def test_a_tenant_without_anything_has_the_shipped_catalogue_itself(tenants: TenantCatalogues) -> None:
    assert (await tenants.standing("acme")).rest is tenants.shipped
    assert tenants.shipped.catalogue is CATALOGUE


async def test_while_the_store_is_away_what_was_read_last_stands(
    tenants: TenantCatalogues, store: Standings, clock: Clock
) -> None:
    store.review(EMAIL)
    assert await canonical_of(tenants) == EMAIL
    store.away = True
    clock.now = 5.0
    assert await canonical_of(tenants) == EMAIL
    store.away = False
    store.review("pii.financial_data.iban")
    clock.now = 6.0
    assert await canonical_of(tenants) == "pii.financial_data.iban"


async def test_a_tenant_of_which_nothing_was_read_is_not_answered_without_its_words(
    tenants: TenantCatalogues, store: Standings
) -> None:
    store.away = True
    with pytest.raises(StoreError):
        await tenants.standing("acme")


def a_crosswalk(version: str) -> StoredDocument:
    content = {
        "crosswalk": {
            EMAIL: {"rationale": "New.", "controls": {"gdpr:2016": ["Article.5", "Article.999"], "gone:1": ["X"]}}
        },
        "without": {},
        "cases": [],
    }
    return StoredDocument(
        version, 1, 1, DocumentStep.UPLOADED, f"sha256:{'0' * 64}", content, "1.1.0", None, ANNA, NOW, ""
    )


def deployed(version: str, percent: int, number: int = 1) -> Deployment:
    return Deployment(number, CrosswalkStep.DEPLOYED, version, percent, 1.0, ANNA, NOW, "")


@pytest.mark.parametrize(("share", "version"), [(0, "2"), (24, "2"), (25, "1.1.0"), (99, "1.1.0")])
async def test_a_share_of_the_requests_is_answered_by_the_deployed_crosswalk(
    tenants: TenantCatalogues, store: Standings, share: int, version: str
) -> None:
    store.crosswalks["2"] = a_crosswalk("2")
    store.stored = replace(EMPTY, mark=(1, 0), own_deployments=(deployed("2", 25),))
    asked: list[tuple[str, str, str]] = []

    def share_of(*key: str) -> int:
        asked.append((key[0], key[1], key[2]))
        return share

    service = MappingService(CATALOGUE, ListReviewQueue(), lambda: NOW, "1", tenants, share_of)
    request = LabelMappingRequest(
        labels=(LabelQuery(vendor="presidio", label="EMAIL_ADDRESS"),), frameworks=("gdpr", "soc2"), tenant_id="acme"
    )
    answer = await service.map_labels(request)
    assert answer.version_info.crosswalk_version == version
    expected = {"gdpr:2016": ("Article.5",)} if version == "2" else None
    assert expected is None or answer.mappings[0].controls == expected
    assert asked == [("acme", "crosswalk", "presidio//EMAIL_ADDRESS")]


async def test_a_crosswalk_that_is_deployed_and_lost_is_an_error_and_no_silent_change(
    tenants: TenantCatalogues, store: Standings
) -> None:
    store.stored = replace(EMPTY, mark=(1, 0), own_deployments=(deployed("2", 25),))
    with pytest.raises(StoreError, match="not in the store"):
        await tenants.standing("acme")


def never() -> Callable[[], int]:
    def share() -> int:
        raise AssertionError("nobody needs a share where nothing is split")

    return share


async def test_no_share_is_worked_out_where_nothing_is_split(tenants: TenantCatalogues, store: Standings) -> None:
    store.review(EMAIL)
    assert (await tenants.standing("acme")).view(never())
