"""PostgreSQL itself keeps tenants apart, whatever SQL is sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from llama_mapper.adapters.analysis.sql_history import SqlFindingHistory
from llama_mapper.adapters.assessment.sql_assessments import SqlAssessments
from llama_mapper.adapters.mapping.sql_costs import SqlCostLedger
from llama_mapper.adapters.mapping.sql_models import SqlModels
from llama_mapper.adapters.mapping.sql_monitoring import SqlMonitoring
from llama_mapper.adapters.mapping.sql_reviews import SqlReviewQueue
from llama_mapper.adapters.mapping.sql_training_jobs import SqlTrainingJobs
from llama_mapper.adapters.orchestration.policies.sql_policy_records import SqlPolicyRecords
from llama_mapper.adapters.platform.database import Database
from llama_mapper.adapters.platform.migrator import CONTEXTS, migrate
from llama_mapper.domain.analysis.ports import HistoryEntry
from llama_mapper.domain.assessment.ports import AssessmentRow
from llama_mapper.domain.contracts.cost_optimisation import Recommendation, StoredRecommendation
from llama_mapper.domain.contracts.costs import BudgetRequest
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy
from llama_mapper.domain.contracts.models import (
    ModelArtifact,
    ModelDoor,
    ModelKind,
    ModelManifest,
    ModelStage,
    ModelStep,
)
from llama_mapper.domain.contracts.monitoring import MonitoringAlert, MonitoringAlertKind, ReferenceSpan
from llama_mapper.domain.contracts.policies import Door, PolicyStep
from llama_mapper.domain.contracts.training import TrainingKind, TrainingRequest
from llama_mapper.domain.kernel.errors import ConfigurationError, StoreError
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.costs.budgets import reached
from llama_mapper.domain.mapping.costs.ports import StoredBudget
from llama_mapper.domain.mapping.costs.spending import Amount, SpendingKey
from llama_mapper.domain.mapping.costs.uses import Use, UseKey, UseKind
from llama_mapper.domain.mapping.models.events import Event as ModelEvent
from llama_mapper.domain.mapping.models.events import StoredVersion
from llama_mapper.domain.mapping.monitoring.ports import Part
from llama_mapper.domain.mapping.monitoring.tally import Tally
from llama_mapper.domain.mapping.monitoring.windows import Width
from llama_mapper.domain.mapping.ports import UnknownLabel
from llama_mapper.domain.mapping.training.ports import TrainingKey
from llama_mapper.domain.orchestration.lifecycle.events import Event
from llama_mapper.domain.orchestration.ports import PolicyBundle
from tests.support.postgres import APPLICATION, PostgresDatabase
from tests.support.store_places import PostgresPlace

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TENANT_TABLES = [
    ("assessment", "assessments"),
    ("analysis", "finding_history"),
    ("mapping", "review_labels"),
    ("mapping", "costs"),
    ("mapping", "cost_batches"),
    ("mapping", "cost_budgets"),
    ("mapping", "cost_alerts"),
    ("mapping", "monitoring_windows"),
    ("mapping", "monitoring_references"),
    ("mapping", "monitoring_alerts"),
    ("mapping", "mapping_uses"),
    ("mapping", "cost_recommendations"),
    ("mapping", "model_versions"),
    ("mapping", "model_events"),
    ("mapping", "training_jobs"),
    ("orchestration", "policy_bundles"),
    ("orchestration", "policy_events"),
]


async def _draft(database: Database, owner: str) -> None:
    drafted = Event(1, PolicyStep.DRAFTED, "1", "anna", Door.HTTP, False, NOON)
    await SqlPolicyRecords(database).append(owner, "p", drafted, PolicyBundle("p", "1", "sha256:a", "", {}, {}))


async def _spend(ledger: SqlCostLedger) -> None:
    use = Use(MappingStrategy.CASCADE, UseKind.ANSWERED, MappingStage.LEXICAL)
    await ledger.add("one", "acme", {SpendingKey("acme", 1, "m"): Amount(calls=1)}, {UseKey(1, use): 1})
    advised = Recommendation(forecast="as_it_was", change=False, reason="nothing to save")
    day = NOON.date()
    told = StoredRecommendation(at=NOON, since=day, until=day, labels=1, cost=0.0, recommendation=advised)
    await ledger.recommend("acme", told)
    await ledger.set_budget(StoredBudget("acme", BudgetRequest(limit=1.0), NOON, "anna"))
    (alert,) = reached(BudgetRequest(limit=1.0, warn_at=()), 1.0, NOON)
    await ledger.alert("acme", alert)


async def _watch(store: SqlMonitoring) -> None:
    await store.put("acme", [Part(Width.HOUR, 0, "writer", 1, Tally())])
    await store.set_reference("acme", ReferenceSpan(since=NOON, until=NOON, set_at=NOON, set_by="anna"))
    alert = MonitoringAlert(
        at=NOON, day=NOON.date(), kind=MonitoringAlertKind.DRIFT, subject="stage", value=1.0, threshold=0.25
    )
    await store.alert("acme", alert)


async def _register(database: Database, owner: str) -> None:
    manifest = ModelManifest(
        name="m",
        version="1.0.0",
        kind=ModelKind.MAPPER,
        base_model="tiny",
        artifacts=(ModelArtifact(path="a", sha256="0" * 64, size=0),),
    )
    event = ModelEvent(1, ModelStep.REGISTERED, "1.0.0", ModelStage.CANDIDATE, "anna", ModelDoor.HTTP, False, NOON)
    await SqlModels(database).append(owner, "m", event, StoredVersion(manifest, "sha256:0", b"{}"))


async def _fill(database: Database) -> None:
    match database.context:
        case "assessment":
            await SqlAssessments(database).save(AssessmentRow("as_1", "acme", NOON, "allow", "LOW", 1.0, b"{}"))
        case "analysis":
            await SqlFindingHistory(database).record([HistoryEntry("acme", "r1", NOON, {"pii.contact": 1})])
        case "mapping":
            await SqlReviewQueue(database).add("acme", [UnknownLabel("vendor", None, "X", 1)], NOON)
            await _spend(SqlCostLedger(database))
            await _watch(SqlMonitoring(database))
            await _register(database, "acme")
            asked = TrainingRequest(kind=TrainingKind.MAPPER, base_model="small")
            await SqlTrainingJobs(database).add(TrainingKey("acme", "train_1"), asked, NOON)
        case "orchestration":
            await _draft(database, "acme")


@pytest.mark.parametrize(("context", "table"), TENANT_TABLES)
async def test_raw_sql_sees_and_touches_only_the_tenant_that_is_set(
    postgres_place: PostgresPlace, context: str, table: str
) -> None:
    database = await postgres_place.fresh(context)
    try:
        await _fill(database)
        count = text(f"SELECT count(*) FROM {table}")
        for tenant, visible in (("acme", 1), ("globex", 0), ("", 0), (None, 0)):
            async with database.reading(tenant) as connection:
                assert await connection.scalar(count) == visible, tenant
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET tenant_id = 'globex'"):
            async with database.writing("globex") as connection:
                assert (await connection.execute(text(statement))).rowcount == 0
        with pytest.raises(StoreError):
            async with database.writing("acme") as connection:
                await connection.execute(text(f"UPDATE {table} SET tenant_id = 'globex'"))
        async with database.reading("acme") as connection:
            assert await connection.scalar(count) == 1
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("context", "table"),
    [
        ("orchestration", "policy_bundles"),
        ("orchestration", "policy_events"),
        ("mapping", "model_versions"),
        ("mapping", "model_events"),
    ],
)
async def test_what_everyone_owns_is_seen_by_all_tenants_and_changed_by_none(
    postgres_place: PostgresPlace, context: str, table: str
) -> None:
    database = await postgres_place.fresh(context)
    count = text(f"SELECT count(*) FROM {table}")
    add = _draft if context == "orchestration" else _register
    try:
        await add(database, EVERYONE)
        await add(database, "acme")
        for tenant, visible in (("acme", 2), ("globex", 1), (EVERYONE, 1)):
            async with database.reading(tenant) as connection:
                assert await connection.scalar(count) == visible, tenant
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET name = 'other'"):
            async with database.writing("globex") as connection:
                assert (await connection.execute(text(statement))).rowcount == 0
        with pytest.raises(StoreError):
            async with database.writing("globex") as connection:
                await connection.execute(
                    text(f"INSERT INTO {table} SELECT * FROM {table} WHERE tenant_id = :owner"), {"owner": EVERYONE}
                )
    finally:
        await database.close()


async def test_the_tenant_is_forgotten_at_the_end_of_a_transaction(postgres_place: PostgresPlace) -> None:
    database = await postgres_place.fresh("assessment", pool_size=1)
    try:
        await _fill(database)
        async with database.reading() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM assessments")) == 0
    finally:
        await database.close()


async def test_even_the_tables_owner_sees_no_tenant_by_default(postgres_place: PostgresPlace) -> None:
    database = await postgres_place.fresh("assessment")
    owner = await postgres_place.as_owner("assessment")
    try:
        await _fill(database)
        async with owner.reading() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM assessments")) == 0
    finally:
        await owner.close()
        await database.close()


async def test_every_table_with_a_tenant_forces_row_security(postgres_place: PostgresPlace) -> None:
    unforced = text(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attname = 'tenant_id'"
        " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    )
    found: list[str] = []
    for context in CONTEXTS:
        owner = await postgres_place.as_owner(context)
        async with owner.reading() as connection:
            found += (await connection.scalars(unforced)).all()
        await owner.close()
    # Read to learn the tenant; the agendas have ids and times only.
    assert sorted(found) == ["api_keys", "job_agenda", "training_agenda"]


async def test_the_application_role_owns_nothing_and_cannot_change_the_schema(postgres_place: PostgresPlace) -> None:
    database = await postgres_place.fresh("assessment")
    try:
        for statement in (
            "ALTER TABLE assessments DISABLE ROW LEVEL SECURITY",
            "DROP POLICY assessments_of_tenant ON assessments",
            "TRUNCATE assessments",
            "CREATE TABLE mine (id int)",
            "UPDATE alembic_version SET version_num = 'x'",
        ):
            with pytest.raises(StoreError):
                async with database.writing() as connection:
                    await connection.execute(text(statement))
    finally:
        await database.close()


async def test_a_role_that_bypasses_row_security_is_refused(postgres: PostgresDatabase) -> None:
    database = Database(postgres.superuser_url, "assessment")
    with pytest.raises(ConfigurationError):
        await database.open()
    with pytest.raises(StoreError):
        await database.ping()
    permitted = Database(postgres.superuser_url, "assessment", unbound_role=True)
    await permitted.open()
    await permitted.ping()
    await permitted.close()


@pytest.mark.parametrize("role", ["no_such_role", 'x"; DROP SCHEMA assessment; --'])
async def test_a_role_that_is_not_there_or_not_a_name_is_refused(postgres_place: PostgresPlace, role: str) -> None:
    owner = await postgres_place.as_owner("assessment")
    try:
        with pytest.raises(ConfigurationError):
            await migrate(owner, app_role=role)
        assert not await migrate(owner, app_role=APPLICATION)
    finally:
        await owner.close()
