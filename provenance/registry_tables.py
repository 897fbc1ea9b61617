"""The tables of the perceptual registry, in the database of the job store, whose migrations make them.

An entry that came of a job goes when the job is deleted, and its hashes with it: the database sees to that.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
)

metadata = MetaData()

# SQLite counts rows by itself only in columns declared INTEGER.
Count = BigInteger().with_variant(Integer, "sqlite")

media = Table(
    "registry_media",
    metadata,
    Column("id", Count, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),  # empty where a list gives only a hash of the picture
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("seen", Float, nullable=False),
    Index("registry_media_by_sha256", "sha256", "tenant"),
    Index("registry_media_by_job", "job"),
    Index("registry_media_by_source", "tenant", "origin", "source"),
)

# Numbers are never given twice, so that whoever has read up to one need only read on from there.
hashes = Table(
    "registry_hashes",
    metadata,
    Column("id", Count, primary_key=True, autoincrement=True),
    Column("medium", BigInteger, ForeignKey("registry_media.id", ondelete="CASCADE"), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("pdq", LargeBinary(32), nullable=False),
    Column("part", Boolean, nullable=False),
    Column("seconds", Float),
    Index("registry_hashes_by_medium", "medium"),
    sqlite_autoincrement=True,
)
