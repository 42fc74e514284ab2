"""`CatalogueDocuments`: tenants' own documents and deployments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import text

from llama_mapper.adapters.mapping.sql_catalogue_documents import SqlCatalogueDocuments
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.crosswalks import CrosswalkStep
from llama_mapper.domain.contracts.curation import Curator, DocumentStep
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, StoreError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.documents.ports import CatalogueDocuments, Deployment, DocumentKind, NewDocument
from tests.support.loops import LoopThread
from tests.support.store_machines import TENANTS, TEXTS, StoreMachine, run_machine
from tests.support.store_places import StorePlace

Fresh = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANNA = Curator(name="anna", door=Door.COMMAND, role="operator", keyless=True)
WORDS, FRAMEWORK, CROSSWALK = DocumentKind.VOCABULARY, DocumentKind.FRAMEWORK, DocumentKind.CROSSWALK


def a_version(
    name: str, number: int, content: dict[str, Any] | None = None, *, kind: DocumentKind = WORDS
) -> NewDocument:
    return NewDocument(
        kind=kind,
        name=name,
        number=number,
        step=DocumentStep.REMOVED if content is None else DocumentStep.UPLOADED,
        digest=None if content is None else f"sha256:{number:064}",
        content=content,
        taxonomy_version="1.1.0",
        restores=None,
        curator=ANNA,
        at=NOON,
        note="",
    )


def a_deployment(number: int, version: str = "1", percent: int = 5) -> Deployment:
    return Deployment(number, CrosswalkStep.DEPLOYED, version, percent, 0.98, ANNA, NOON, "")


@pytest.fixture
async def database(fresh: Fresh) -> Database:
    return await fresh("mapping")


@pytest.fixture
async def documents(database: Database) -> CatalogueDocuments:
    return SqlCatalogueDocuments(database)


async def test_a_document_comes_back_as_it_went_with_its_keys_in_order(documents: CatalogueDocuments) -> None:
    content = {"versions": {"2": {"labels": {"d.b": ["Ω"]}}, "1": {}}, "basis": "docs"}
    stored = await documents.add("acme", a_version("v", 1, content))
    assert await documents.document("acme", WORDS, "v") == stored
    assert stored.content is not None and list(stored.content["versions"]) == ["2", "1"]
    assert (stored.position, stored.curator, stored.at) == (1, ANNA, NOON)


async def test_who_comes_second_is_refused(documents: CatalogueDocuments) -> None:
    outcomes = await asyncio.gather(
        *(documents.add("acme", a_version("v", 1, {"who": number})) for number in range(8)), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, ServiceError)]
    assert len(refused) == 7 and {each.error_code for each in refused} == {ErrorCode.CONFLICT}
    for number in (1, 3):
        with pytest.raises(StoreError):
            await documents.add("acme", a_version("v", number, {}))
    assert (await documents.mark("acme"))[0] == 1


async def test_every_version_stays_and_the_newest_stands(documents: CatalogueDocuments) -> None:
    await documents.add("acme", a_version("v", 1, {"n": 1}))
    await documents.add("acme", a_version("v", 2))
    await documents.add("acme", a_version("w", 1, {"n": 1}))
    assert [each.number for each in await documents.versions("acme", WORDS, "v")] == [2, 1]
    assert {each.name: each.content for each in await documents.newest("acme", WORDS)} == {"v": None, "w": {"n": 1}}
    first = await documents.document("acme", WORDS, "v", 1)
    assert first is not None and first.content == {"n": 1}
    assert [each.name for each in (await documents.standing("acme")).vocabularies] == ["w"]


async def test_kinds_and_names_and_tenants_are_kept_apart(documents: CatalogueDocuments) -> None:
    await documents.add("acme", a_version("x", 1, {"n": 1}))
    await documents.add("acme", a_version("x", 1, {"n": 2}, kind=FRAMEWORK))
    await documents.add("globex", a_version("x", 1, {"n": 3}))
    for owner, kind, found in (("acme", WORDS, 1), ("acme", FRAMEWORK, 2), ("globex", WORDS, 3)):
        document = await documents.document(owner, kind, "x")
        assert document is not None and document.content == {"n": found}
    assert await documents.document("globex", FRAMEWORK, "x") is None
    assert await documents.newest("nobody", WORDS) == []


async def test_everyones_crosswalk_is_read_by_every_tenant_and_moves_their_mark(documents: CatalogueDocuments) -> None:
    await documents.add(EVERYONE, a_version("9", 1, {"n": 1}, kind=CROSSWALK))
    assert await documents.deploy(EVERYONE, a_deployment(1, "9"))
    assert await documents.deploy("acme", a_deployment(1, "own"))
    standing = await documents.standing("acme")
    assert [each.version for each in standing.everyones_deployments] == ["9"]
    assert [each.version for each in standing.own_deployments] == ["own"]
    assert standing.mark == (1, 2) and await documents.mark("globex") == (0, 2)
    assert (await documents.standing("globex")).own_deployments == ()
    assert await documents.document("acme", CROSSWALK, "9") is None
    assert await documents.document(EVERYONE, CROSSWALK, "9") is not None


async def test_of_two_deployments_at_once_one_is_told_to_decide_anew(documents: CatalogueDocuments) -> None:
    outcomes = await asyncio.gather(*(documents.deploy("acme", a_deployment(1, str(each))) for each in range(6)))
    assert sorted(outcomes) == [False] * 5 + [True]
    assert len(await documents.deployments("acme")) == 1


@pytest.mark.parametrize("table", ["catalogue_documents", "crosswalk_deployments"])
async def test_what_was_stored_can_be_neither_changed_nor_deleted(
    documents: CatalogueDocuments, database: Database, table: str
) -> None:
    await documents.add("acme", a_version("v", 1, {"n": 1}))
    await documents.deploy("acme", a_deployment(1))
    for statement in (f"UPDATE {table} SET who = 'nobody'", f"DELETE FROM {table}"):
        with pytest.raises(StoreError):
            async with database.writing("acme") as connection:
                await connection.execute(text(statement))


class DocumentMachine(StoreMachine):
    """Versions are added; the model knows what stands and how many changes there were."""

    context = "mapping"

    def __init__(self) -> None:
        super().__init__()
        self.documents: CatalogueDocuments = SqlCatalogueDocuments(self.database)
        self.model: dict[tuple[str, DocumentKind, str], list[dict[str, str] | None]] = {}
        self.changes: dict[str, int] = {}

    @rule(
        tenant=TENANTS,
        kind=st.sampled_from([WORDS, FRAMEWORK]),
        name=st.sampled_from(["a", "b"]),
        content=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
        ahead=st.sampled_from([0, 0, 0, 1]),
    )
    def add(self, tenant: str, kind: DocumentKind, name: str, content: dict[str, str] | None, ahead: int) -> None:
        versions = self.model.setdefault((tenant, kind, name), [])
        number = len(versions) + 1 + ahead
        code = self.code_of(self.documents.add(tenant, a_version(name, number, content, kind=kind)))
        assert code == ("CONFLICT" if ahead else None)
        if not ahead:
            versions.append(content)
            self.changes[tenant] = self.changes.get(tenant, 0) + 1

    @rule(tenant=TENANTS)
    def look(self, tenant: str) -> None:
        standing = self.do(self.documents.standing(tenant))
        for kind, found in ((WORDS, standing.vocabularies), (FRAMEWORK, standing.frameworks)):
            assert {each.name: each.content for each in found} == {
                name: versions[-1]
                for (owner, of, name), versions in self.model.items()
                if owner == tenant and of is kind and versions and versions[-1] is not None
            }
        assert standing.mark == (self.changes.get(tenant, 0), 0) == self.do(self.documents.mark(tenant))

    @rule(tenant=TENANTS, kind=st.sampled_from([WORDS, FRAMEWORK]), name=st.sampled_from(["a", "b"]))
    def read_versions(self, tenant: str, kind: DocumentKind, name: str) -> None:
        versions = self.model.get((tenant, kind, name), [])
        listed = self.do(self.documents.versions(tenant, kind, name))
        assert [each.number for each in listed] == list(range(len(versions), 0, -1))
        for number, content in enumerate(versions, 1):
            document = self.do(self.documents.document(tenant, kind, name, number))
            assert document is not None and document.content == content


def test_any_sequence_of_calls_agrees_with_the_model(place: StorePlace, loop_thread: LoopThread) -> None:
    run_machine(DocumentMachine, place, loop_thread, stateful_step_count=20)
