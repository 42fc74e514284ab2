"""Which detector versions were in service, in a relational database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, select
from sqlalchemy.dialects import postgresql, sqlite

from llama_mapper.adapters.orchestration.tables import DETECTOR_RECORDS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorRecord


class SqlDetectorRecords:
    """Keeps `DetectorRecords`' promise on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert(DETECTOR_RECORDS) if database.is_sqlite else postgresql.insert(DETECTOR_RECORDS)
        old, new = DETECTOR_RECORDS.c, insert.excluded
        self._upsert = insert.on_conflict_do_update(
            index_elements=[old.name, old.vendor, old.vendor_version],
            set_={"last_seen": case((new.last_seen > old.last_seen, new.last_seen), else_=old.last_seen)},
        )

    async def observe(self, descriptors: Sequence[DetectorDescriptor], at: datetime) -> None:
        """Note that these are in service at `at`: a new version adds a record, a known one moves `last_seen` on."""
        rows = {
            (each.name, each.vendor, each.vendor_version): {
                "name": each.name,
                "vendor": each.vendor,
                "vendor_version": each.vendor_version,
                "categories": json.dumps(each.categories),
                "first_seen": at,
                "last_seen": at,
            }
            for each in descriptors
        }
        if rows:
            async with self._database.writing() as connection:
                # In one order for everybody, so that two processes that start together cannot block each other.
                await connection.execute(self._upsert, [rows[key] for key in sorted(rows)])

    async def list(self) -> Sequence[DetectorRecord]:
        """Every record, by name, then first seen."""
        columns = DETECTOR_RECORDS.c
        ordered = select(DETECTOR_RECORDS).order_by(
            columns.name, columns.first_seen, columns.vendor, columns.vendor_version
        )
        async with self._database.reading() as connection:
            return [
                DetectorRecord(
                    name=row.name,
                    vendor=row.vendor,
                    vendor_version=row.vendor_version,
                    categories=tuple(json.loads(row.categories)),
                    first_seen=row.first_seen,
                    last_seen=row.last_seen,
                )
                for row in await connection.execute(ordered)
            ]
