"""Shards that wait for parts of theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shards", sa.Column("parent", sa.BigInteger(), nullable=True))
    op.add_column("shards", sa.Column("waits", sa.Integer(), server_default="0", nullable=False))
    op.add_column("shards", sa.Column("frames", sa.Integer(), server_default="0", nullable=False))
    op.create_index("shards_by_parent", "shards", ["parent"], unique=False)
