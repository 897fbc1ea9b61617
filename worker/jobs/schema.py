"""The tables of the job store, for SQLite and PostgreSQL alike.

`migrations/` brings a database to this shape; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from provenance import registry_tables

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", Text, nullable=False),
    Column("client_ref", String(256), nullable=False),
    Column("batch", String(32), nullable=False),
    Column("total", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    Column("dead", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("finished", Float),
    Column("retention_seconds", Float),
    Index("jobs_by_tenant", "tenant", "created"),
    Index("jobs_by_batch", "batch"),
    Index("jobs_by_end", "finished"),
)

shards = Table(
    "shards",
    metadata,
    Column("id", registry_tables.Count, primary_key=True, autoincrement=True),
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("payload", Text, nullable=False),
    Column("due", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("token", String(32), nullable=False),
    Column("lease_until", Float),
    Column("result", Text),
    Column("cause", Text),
    Column("told", Float, nullable=False, server_default="0"),  # when a broker was told of it
    Column("parent", BigInteger),  # the shard that waits for this part of it
    Column("waits", Integer, nullable=False, server_default="0"),  # parts of it that have not ended
    Column("frames", Integer, nullable=False, server_default="0"),  # of a part: looked at so far
    UniqueConstraint("job", "position"),
    Index("shards_to_claim", "state", "kind", "lane", "due", "id"),
    Index("shards_by_lease", "state", "lease_until"),
    Index("shards_by_parent", "parent"),
)

events = Table(
    "events",
    metadata,
    Column("seq", registry_tables.Count, primary_key=True, autoincrement=True),
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Index("events_by_job", "job", "seq"),
)

keys = Table(
    "keys",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("created", Float, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Column("revoked", Float),
    Column("last_used", Float),
    Index("api_keys_by_tenant", "tenant"),
)

rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("at", Float, nullable=False),
)

# Which job of whom needs which medium: files lie under their sha256, and two tenants may hold the same.
holdings = Table(
    "holdings",
    metadata,
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Index("holdings_by_medium", "sha256", "tenant"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    Column("old_secret", String(64), nullable=False),
    Column("old_until", Float),
    Column("created", Float, nullable=False),
    Column("disabled", String(256), nullable=False),
    Index("webhooks_by_tenant", "tenant"),
)

# No reference to the job: its end is told even when it is kept no longer than that.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("webhook", String(32), ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("job", String(32), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer),
    Column("error", String(256), nullable=False),
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("delivered", Float),
    Index("deliveries_by_due", "state", "due"),
    Index("deliveries_by_webhook", "webhook", "created"),
)

# The transparency log. An entry has no position until it is taken into the tree; nothing is ever deleted.
log_entries = Table(
    "log_entries",
    metadata,
    Column("id", registry_tables.Count, primary_key=True, autoincrement=True),
    Column("position", BigInteger, unique=True),
    Column("media_sha256", String(64), nullable=False),
    Column("report_sha256", String(64), nullable=False),  # of a generation, that of its origin
    Column("entry", Text, nullable=False),
    Column("job", String(32), nullable=False, server_default=""),  # it came of; no part of the entry
    Index("log_entries_by_medium", "media_sha256"),
    Index("log_entries_by_report", "report_sha256"),
)

log_tiles = Table(
    "log_tiles",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),
)

# One row, which whoever grows the tree locks: how many entries are in it, and whose key signs its heads.
log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
)

for _table in (registry_tables.media, registry_tables.hashes):
    _table.to_metadata(metadata)
