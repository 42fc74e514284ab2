"""The mapping database."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, UniqueConstraint

from llama_mapper.adapters.platform.columns import ExactText, Moment

METADATA = MetaData()

REVIEW_LABELS = Table(
    "review_labels",
    METADATA,
    Column("tenant_id", ExactText, primary_key=True),
    Column("id", ExactText, primary_key=True),
    Column("vendor", ExactText, nullable=False),
    Column("vendor_version", ExactText, nullable=False),
    Column("label", ExactText, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("status", ExactText, nullable=False),
    UniqueConstraint("tenant_id", "vendor", "vendor_version", "label", name="review_labels_once"),
    Index("review_labels_by_last_seen", "tenant_id", "last_seen", "id"),
)
"""One row a label that nobody could map. An unknown vendor version is empty text, so that it is unique as well."""

RELEASE_EVENTS = Table(
    "release_events",
    METADATA,
    Column("release_id", ExactText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", ExactText, nullable=False),
    Column("step", ExactText, nullable=False),
    Column("settles", ExactText),
    Column("settled_after", Integer),
    Column("at", Moment, nullable=False),
    Column("who", ExactText, nullable=False),
    Column("door", ExactText, nullable=False),
    Column("keyless", Boolean, nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("note", ExactText, nullable=False),
    Column("is_experiment", Boolean, nullable=False),
    Column("detail", ExactText, nullable=False),
    UniqueConstraint("kind", "settled_after", name="release_events_settle_once"),
)
"""One row a step, of no tenant, never changed; `detail` is JSON. `settles` is the version that answers for the kind
from then on, and `settled_after` counts such steps within a kind from 0, so that the newest is
known whatever clocks say."""

RELEASE_SLOTS = Table(
    "release_slots",
    METADATA,
    Column("slot", ExactText, primary_key=True),
    Column("release_id", ExactText, nullable=False),
)
"""What only one release at a time may have, and which has it."""

RELEASE_TALLIES = Table(
    "release_tallies",
    METADATA,
    Column("release_id", ExactText, primary_key=True),
    Column("arm", ExactText, primary_key=True),
    Column("writer", ExactText, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("counts", ExactText, nullable=False),
)
"""What a process has counted in all of an arm, as JSON; a later `sequence` takes an earlier one's place."""

RELEASE_POINTS = Table(
    "release_points",
    METADATA,
    Column("release_id", ExactText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("point", ExactText, nullable=False),
)
"""What was known of a release's effects at a moment, as JSON."""

RELEASE_LEASES = Table(
    "release_leases",
    METADATA,
    Column("name", ExactText, primary_key=True),
    Column("owner", ExactText, nullable=False),
    Column("until", Moment, nullable=False),
)
"""Who looks after the releases, and until when without being heard of."""
