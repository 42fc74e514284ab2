"""A tenant's words as another process reads them are those of the mapping itself."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx2
import pytest

from llama_mapper.adapters.links import http_overlays
from llama_mapper.adapters.links.http_link import HttpLink, open_client
from llama_mapper.adapters.links.http_overlays import HttpOverlays
from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery
from llama_mapper.domain.contracts.own_catalogue import VocabularyUpload
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.contracts.reviews import ReviewCorrection
from llama_mapper.domain.kernel.errors import LinkError
from llama_mapper.domain.mapping.tenants.directory import TenantCatalogues
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.http.services import application_of
from llama_mapper.entrypoints.settings import Settings
from tests.support.apis import BASE_URL, SECRET

ANNA = Curator(name="anna", door=Door.HTTP, role="admin", keyless=False)
EMAIL, CARD = "pii.personal_identifiers.email", "pii.financial_data.payment_card"


def link_to(running: Running, settings: Settings) -> HttpLink:
    transport = httpx2.ASGITransport(application_of(running, settings, front=False))
    return HttpLink(open_client(BASE_URL, secret=SECRET, timeout_s=30.0, transport=transport), "mapping", 30.0)


async def test_words_over_the_link_match_as_in_the_mapping(running: Running, settings: Settings) -> None:
    desks, tenant, label = running.mapping_desks, f"t{uuid4().hex}", f"ODD_{uuid4().hex}"
    assert desks is not None
    asked = LabelMappingRequest(labels=(LabelQuery(vendor="acme_codes", label=label),), tenant_id=tenant)
    await running.mapper.map_labels(asked)
    [waiting] = (await running.mapper.reviews(tenant)).items
    await desks.reviews.correct(tenant, waiting.id, ReviewCorrection(canonical=CARD), ANNA)
    upload = VocabularyUpload.model_validate_json(
        '{"source": "handbook", "basis": "docs", "versions": {"2": {"same_as": "presidio:2.2.366", '
        f'"labels": {{"{EMAIL}": ["TICKET"]}}}}, "1": {{"families": {{"{CARD}": ["PAY"]}}}}}}}}'
    )
    await desks.vocabularies.put(tenant, "acme_codes", upload, ANNA, expected=None, note="")
    link = link_to(running, settings)
    try:
        platform = running.platform
        there = TenantCatalogues(
            HttpOverlays(link), platform.catalogue(), load_raw_catalogue, platform.current_id(), ttl_s=0.0
        )
        view, other = await there.view_of(tenant), await there.view_of("somebody-else")
    finally:
        await link.close()
    assert other.overlay_version is None
    labels = [("1", "PAY.7"), ("2", "TICKET"), (None, "ticket"), ("2", "CREDIT_CARD"), (None, label), ("9", "TICKET")]
    queries = tuple(LabelQuery(vendor="acme_codes", vendor_version=version, label=name) for version, name in labels)
    answer = await running.mapper.map_labels(LabelMappingRequest(labels=queries, tenant_id=tenant))
    while answer.version_info.overlay_version != view.overlay_version:
        await asyncio.sleep(0.1)
        answer = await running.mapper.map_labels(LabelMappingRequest(labels=queries, tenant_id=tenant))
    for (version, name), mapped in zip(labels, answer.mappings, strict=True):
        found = view.catalogue.match("acme_codes", version, name)
        assert found is not None, name
        assert (found.canonical, found.confidence) == (mapped.canonical, mapped.confidence), name


async def test_a_mapping_service_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(http_overlays, "_MARK_S", 0.05)
    transport = httpx2.MockTransport(hang)
    link = HttpLink(open_client(BASE_URL, secret=None, timeout_s=30.0, transport=transport), "mapping", 30.0)
    try:
        with pytest.raises(LinkError):
            await HttpOverlays(link).mark("acme")
    finally:
        await link.close()
